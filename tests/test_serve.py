"""The server as a process: how it starts, and that nothing outlives it however it ends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from conftest import until

from labserver.bench.launch import launch
from labserver.errors import LaunchError
from labserver.settings import Settings

PDF = {"data": "x", "jobType": "pdf2image"}
JSON = {"Content-Type": "application/json"}
posix = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")


@contextmanager
def serving(*flags: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server started by its command line, and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "labserver", "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[str]:
    """The URL of a server whose jobs take no time."""
    flags = ["--engine", "sleep", "--time-scale", "0", "--output-dir", str(tmp_path)]
    with serving(*flags) as (_, url):
        yield url


def put_in_background(url: str, count: int = 1) -> list[tuple[threading.Thread, list[int]]]:
    """`count` pdf jobs, each in a thread that notes its status (0: no answer)."""

    def put(statuses: list[int]) -> None:
        try:
            statuses.append(httpx.post(f"{url}/put", json=PDF, timeout=60).status_code)
        except httpx.HTTPError:
            statuses.append(0)

    puts = []
    for _ in range(count):
        statuses: list[int] = []
        thread = threading.Thread(target=put, args=(statuses,), daemon=True)
        thread.start()
        puts.append((thread, statuses))
    return puts


def children_of(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def busy(url: str) -> int:
    return int(httpx.get(f"{url}/stats").json()["pools"]["pdf"]["busy"])


@posix
def test_sigterm_lets_the_running_job_finish_refuses_the_waiting_one_and_exits_0(
    tmp_path: Path,
) -> None:
    flags = ["--engine", "sleep", "--time-scale", "0.2", "--output-dir", str(tmp_path)]
    with serving(*flags, "--pdf-workers", "1") as (process, url):
        running = put_in_background(url)
        until(lambda: busy(url) == 1, "the job never ran")
        waiting = put_in_background(url)
        until(
            lambda: httpx.get(f"{url}/stats").json()["pools"]["pdf"]["waiting"] == 1,
            "the second never waited",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        for (thread, statuses), status in zip(running + waiting, (200, 503), strict=True):
            thread.join(10)
            assert statuses == [status]


@posix
def test_after_the_grace_the_running_job_is_stopped_and_pdftoppm_with_it(tmp_path: Path) -> None:
    flags = ["--grace", "0.2", "--dpi", "300", "--output-dir", str(tmp_path)]
    with serving(*flags) as (process, url):
        ((thread, statuses),) = put_in_background(url)
        until(lambda: children_of(process.pid), "pdftoppm never began")
        children = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        thread.join(10)
        assert statuses == [503]
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive


@posix
def test_who_listens_to_events_does_not_hold_up_the_end(tmp_path: Path) -> None:
    flags = ["--engine", "sleep", "--time-scale", "0", "--output-dir", str(tmp_path)]
    with serving(*flags) as (process, url), httpx.stream("GET", f"{url}/events") as events:
        assert httpx.post(f"{url}/put", json=PDF).status_code == 200
        lines = events.iter_lines()
        assert any('"end"' in line for line in lines)
        process.send_signal(signal.SIGTERM)
        assert list(lines)[-1:] in ([], [""])  # the stream is ended, not torn
        assert process.wait(5) == 0


@posix
def test_a_second_signal_ends_it_at_once_with_its_children(tmp_path: Path) -> None:
    flags = ["--grace", "60", "--dpi", "300", "--output-dir", str(tmp_path)]
    with serving(*flags) as (process, url):
        put_in_background(url)
        until(lambda: children_of(process.pid), "pdftoppm never began")
        children = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        with suppress(httpx.HTTPError):
            until(lambda: httpx.get(f"{url}/readyz").status_code == 503, "it never drained")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive


def test_with_the_guard_it_ends_with_its_standard_input(tmp_path: Path) -> None:
    flags = ["--stdin-guard", "--grace", "60", "--dpi", "300", "--output-dir", str(tmp_path)]
    with serving(*flags) as (process, url):
        put_in_background(url)
        until(lambda: children_of(process.pid), "pdftoppm never began")
        children = children_of(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(5)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive


def test_a_server_whose_owner_is_killed_ends(tmp_path: Path) -> None:
    """The owner is killed with -9: it can clean up nothing, and no server is left."""
    program = (
        "import sys\n"
        "from labserver.bench.launch import launch\n"
        "from labserver.settings import Settings\n"
        "server = launch(Settings(engine='sleep', output_dir=sys.argv[1]))\n"
        "print(server.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        server = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    _, alive = psutil.wait_procs([server], timeout=5)
    assert not alive


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%PDF-\r\n--b--\r\n'
UPLOAD = (
    b"POST /pdf HTTP/1.1\r\nHost: lab\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: %d\r\n\r\n" % len(FORM)
)


def connected(url: str) -> socket.socket:
    port = httpx.URL(url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def ledger_of(url: str) -> dict[str, Any]:
    ledger: dict[str, Any] = httpx.get(f"{url}/stats").json()["ledger"]
    placed = sum(ledger["outcomes"].values()) + ledger["waiting"] + ledger["running"]
    assert ledger["received"] == placed
    return ledger


@pytest.mark.parametrize("come", ["half of its document", "all of it"])
def test_a_client_that_hangs_up_on_its_upload_abandons_it_once(tmp_path: Path, come: str) -> None:
    with serving("--engine", "sleep", "--output-dir", str(tmp_path)) as (_, url):
        with connected(url) as client:
            client.sendall(UPLOAD + FORM[:60])
            if come == "all of it":
                client.sendall(FORM[60:])
                until(lambda: ledger_of(url)["running"] == 1, "the job never ran")
                assert list((tmp_path / "uploads").iterdir())
        until(lambda: ledger_of(url)["outcomes"]["abandoned"] == 1, "nobody saw it go")
        until(lambda: busy(url) == 0, "the worker works on")
        assert ledger_of(url)["received"] == 1
        assert list((tmp_path / "uploads").iterdir()) == []


def test_in_a_storm_of_clients_that_hang_up_the_ledger_balances_at_every_moment(
    tmp_path: Path,
) -> None:
    flags = ["--engine", "sleep", "--time-scale", "0.005", "--rate-limit", "off", "--pdf-workers"]
    chance = random.Random(1)
    with serving(*flags, "2", "--output-dir", str(tmp_path)) as (_, url):
        clients = []
        for _ in range(200):
            client = connected(url)
            client.sendall(UPLOAD + FORM[: chance.choice([0, 30, len(FORM), len(FORM)])])
            clients.append(client)
            if chance.random() < 0.7:
                clients.pop(chance.randrange(len(clients))).close()
            ledger_of(url)  # asserts the balance
        for client in clients:
            client.close()
        until(lambda: not busy(url) and not ledger_of(url)["waiting"], "jobs are left")
        until(lambda: ledger_of(url)["received"] >= 150, "requests were lost")
        until(lambda: list((tmp_path / "uploads").iterdir()) == [], "uploads are left")


@pytest.mark.parametrize(
    "head",
    [
        b"X-User: " + b"x" * 40_000,  # and no end of it
        b"X-User: " + b"x" * 40_000 + b"\r\n\r\n",
        b"".join(b"X-%d: 1\r\n" % n for n in range(8_000)),
    ],
    ids=["endless", "long", "many"],
)
def test_headers_are_bounded(simulated: str, head: bytes) -> None:
    with connected(simulated) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\n" + head)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_only_headers_count_as_headers(simulated: str) -> None:
    """Not a body, whether it comes with them or not, nor the request before on a connection."""
    body = json.dumps({"data": "x" * 50_000}).encode()
    with httpx.Client(base_url=simulated, trust_env=False) as client:
        for _ in range(2):
            assert client.post("/put", content=body, headers=JSON).status_code == 200
            assert client.get("/livez", headers={"X-User": "x" * 20_000}).status_code == 200
    head = "POST /put HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
    request = f"{head}{len(body)}\r\n\r\n".encode() + body
    with connected(simulated) as client:
        client.sendall(request + request)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < 2:
            more = client.recv(65_536)
            assert more, answers[:200]
            answers += more


def test_what_others_can_reach_wants_a_token_or_a_word(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "labserver", "--host", "0.0.0.0", "--port", "0",
         "--engine", "sleep", "--output-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "--token" in ended.stderr
    assert "--allow-anonymous" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("flags", [["--token", "open-sesame"], ["--allow-anonymous"]])
def test_with_one_of_them_it_listens_everywhere(tmp_path: Path, flags: list[str]) -> None:
    everywhere = ["--host", "0.0.0.0", "--engine", "sleep", "--output-dir", str(tmp_path)]
    with serving(*everywhere, *flags) as (_, url):
        local = url.replace("0.0.0.0", "127.0.0.1")
        asked = [httpx.get(f"{local}/livez"), httpx.get(f"{local}/stats")]
        assert [r.status_code for r in asked] == [200, 401 if "--token" in flags else 200]
        headers = {"Authorization": "Bearer open-sesame"}
        assert httpx.get(f"{local}/stats", headers=headers).status_code == 200


def test_a_loop_that_is_blocked_is_told_of_with_what_blocks_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    settings = Settings(engine="sleep", time_scale=0.1, gallery=True, output_dir=tmp_path / "out")
    with launch(settings, log=log) as server:
        httpx.post(f"{server.url}/gallery/blocking/put", json=PDF)
        until(lambda: "loop goes on" in log.read_text(), "the watchdog said nothing")
    said = log.read_text()
    assert said.count("loop blocked") == 1
    assert "gallery/blocking.py" in said.replace("\\", "/")


def test_a_port_that_is_taken_is_one_line_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "labserver", "--engine", "sleep", "--port", str(port)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert ended.returncode == 2
    assert "another --port" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_launch_gives_a_server_on_a_free_port_and_takes_it_away(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with launch(Settings(engine="sleep", time_scale=0, output_dir=tmp_path), log=log) as server:
        assert httpx.post(f"{server.url}/put", json=PDF).status_code == 200
        process = psutil.Process(server.pid)
        assert "running" in repr(server)
    assert not process.is_running()
    assert not server.running
    assert "put[" in log.read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/livez")


def test_a_launch_that_fails_says_what_the_server_said(tmp_path: Path) -> None:
    before = children_of(os.getpid())
    with pytest.raises(LaunchError, match=r"no-such\.pdf is not there"):
        launch(Settings(sample=tmp_path / "no-such.pdf"))
    assert children_of(os.getpid()) == before


@posix
def test_an_interrupt_for_the_owner_does_not_reach_the_server(tmp_path: Path) -> None:
    with launch(Settings(engine="sleep", output_dir=tmp_path)) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_launched_server_has_the_settings_it_was_given_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(engine="sleep", token="secret", output_dir=tmp_path)
    monkeypatch.setenv("LABSERVER_PDF_WORKERS", "3")
    with launch(settings) as server:
        assert httpx.get(f"{server.url}/stats").status_code == 401
        bearer = {"Authorization": "Bearer secret"}
        stats = httpx.get(f"{server.url}/stats", headers=bearer).json()
        assert stats["pools"]["pdf"]["workers"] == 8
        assert "secret" not in " ".join(psutil.Process(server.pid).cmdline())


def test_a_log_that_nobody_asked_for_goes_with_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with launch(Settings(engine="sleep", output_dir=tmp_path / "out")) as server:
        assert "serve ready" in server.log.read_text()
        assert server.log.is_relative_to(tmp_path)
    with pytest.raises(LaunchError):
        launch(Settings(sample=tmp_path / "no-such.pdf"))
    assert not list(tmp_path.glob("labserver-*"))


def test_an_interrupt_while_a_server_starts_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(process: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("labserver.bench.launch._ready_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(Settings(engine="sleep", output_dir=tmp_path))
    assert not children_of(os.getpid())


def test_inline_work_leaves_livez_without_an_answer_until_it_ends(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    flags = ["--engine", "sleep", "--time-scale", "0.3", "--output-dir", str(tmp_path)]
    with serving("--runner", "inline", "--trace", str(trace), *flags) as (_, url):
        [(thread, statuses)] = put_in_background(url)
        until(lambda: ",start," in trace.read_text(), "the job has not begun")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/livez", timeout=0.2)
        thread.join(30)
        assert statuses == [200]
        assert httpx.get(f"{url}/livez").status_code == 200
