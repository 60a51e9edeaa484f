"""trace.json: that it keeps the rules of Google's Trace Event Format, and what is on its rows."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from numbers import Real
from typing import Any

import pytest
from fake_run import House, fake_run

from labserver.bench.cells import measured_cells
from labserver.bench.store import Run
from labserver.bench.timeline import jobs

Event = dict[str, Any]
PHASES = {"X", "i", "C", "M", "b", "e"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    house = House(workers=2, queue_size=2, timeout_s=9)
    return fake_run(tmp_path_factory.mktemp("run"), (1, 4, 16), house=house)


@pytest.fixture(scope="module")
def told(run: Run) -> list[Event]:
    trace = json.loads((run.path / "trace.json").read_text())
    assert set(trace) == {"displayTimeUnit", "traceEvents"}
    assert trace["displayTimeUnit"] in {"ms", "ns"}
    return list(trace["traceEvents"])


def of(told: list[Event], phase: str, **about: object) -> list[Event]:
    return [e for e in told if e["ph"] == phase and about.items() <= e.items()]


def pool(told: list[Event]) -> int:
    (named,) = [e for e in of(told, "M") if e["args"]["name"] == "pdf pool"]
    return int(named["pid"])


def test_each_event_has_what_its_phase_wants(told: list[Event]) -> None:
    assert {event["ph"] for event in told} == PHASES
    for event in told:
        assert isinstance(event["name"], str)
        assert event["name"]
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name"}
            assert isinstance(event["args"]["name"], str)
            continue
        assert isinstance(event["ts"], int)
        assert event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] >= 0
        elif event["ph"] == "i":
            assert event["s"] in {"g", "p", "t"}
        elif event["ph"] == "C":
            assert all(isinstance(value, Real) for value in event["args"].values())


def test_slices_of_a_row_are_one_after_the_other_or_one_within_the_other(
    told: list[Event],
) -> None:
    rows = defaultdict(list)
    for event in of(told, "X"):
        rows[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in rows.values():
        for (a, b), (c, d) in itertools.combinations(sorted(spans, key=lambda s: (s[0], -s[1])), 2):
            assert c >= b or (a <= c and d <= b)


def test_asynchronous_slices_begin_and_end_once(told: list[Event], run: Run) -> None:
    begun = {(event["cat"], event["id"]): event for event in of(told, "b")}
    ended = {(event["cat"], event["id"]): event for event in of(told, "e")}
    assert begun.keys() == ended.keys()
    assert len(begun) == len(of(told, "b")) == len(of(told, "e")) == len(run.requests)
    for key, event in begun.items():
        assert event["ts"] <= ended[key]["ts"]
        assert event["name"] == ended[key]["name"]


def test_each_worker_has_a_named_row_with_its_jobs(told: list[Event], run: Run) -> None:
    pid = pool(told)
    rows = {e["args"]["name"]: e["tid"] for e in of(told, "M", pid=pid, name="thread_name")}
    assert rows == {"pdfWorker1": 1, "pdfWorker2": 2}
    ran = jobs(run.events).dropna(subset=["start_s"])
    shown = Counter(e["tid"] for e in of(told, "X", pid=pid) if e["name"] != "for nobody")
    assert shown == Counter(rows[worker] for worker in ran["worker"])
    first, event = ran.iloc[0], of(told, "X", pid=pid)[0]
    assert event["args"] == {"job": ran.index[0], "outcome": "completed"}
    assert event["ts"] == round(1e6 * first["start_s"])
    assert event["ts"] + event["dur"] == round(1e6 * first["left_s"])


def test_work_for_nobody_is_a_slice_of_its_own(told: list[Event], run: Run) -> None:
    wasted = of(told, "X", name="for nobody")
    killed = jobs(run.events).dropna(subset=["start_s", "settle_s"])
    spent_s = (killed["left_s"] - killed["settle_s"]).sum()
    assert sum(event["dur"] for event in wasted) == pytest.approx(1e6 * spent_s, abs=len(wasted))
    assert wasted


def test_pages_refusals_and_depth_are_all_there(told: list[Event], run: Run) -> None:
    kinds = Counter(run.events["event"])
    assert len([e for e in of(told, "i") if e["name"].startswith("page")]) == kinds["page"]
    assert len(of(told, "i", name="503 rejected")) == kinds["reject"] > 0
    depths = of(told, "C", name="jobs")
    assert len(depths) == kinds["submit"] + kinds["end"] + kinds["drop"]
    assert max(event["args"]["waiting"] for event in depths) == 4


def test_the_client_has_a_row_of_cells(told: list[Event], run: Run) -> None:
    cells = of(told, "X", pid=1)
    assert [e["name"] for e in cells] == [cell.cell for cell in run.info.cells]
    assert len(measured_cells(run)) == len(cells) - 1
