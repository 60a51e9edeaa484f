"""The notebooks: they run from top to bottom, read well as they are, and leave no server."""

from __future__ import annotations

import ast
import asyncio
import base64
import re
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from statistics import median

import nbformat
import psutil
import pytest
from anyio.from_thread import start_blocking_portal
from conftest import until
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from nbformat import NotebookNode

from labserver.bench.store import read_run

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
SMALL = {"QUICK": True, "SECONDS": 1.0, "PDF": str(ROOT / "data" / "page.pdf")}
USUAL_CELL, LONGEST_CELL = 4, 15  # lines of code
LARGEST_PICTURE = 120_000
PLACE = re.compile(r"""(?<![\w./])/(?:home|root|tmp|work|usr|var|Users|opt)/|\b[A-Z]:\\""")
DEBRIS = re.compile(r"\r|\x1b\[|\d+%\|")
ENDED_WITHIN_S = 2.0  # one, and one more for a busy machine
PATIENCE_S = 180  # four at once, beside the other tests
AT_ONCE = 4

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: str(p.relative_to(ROOT)))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parameters(notebook: NotebookNode) -> NotebookNode:
    """The one cell tagged so; only names and their values stand in it."""
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    return cell


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def texts(output: NotebookNode) -> list[str]:
    """All that an output says in words, in whatever form."""
    shown = [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return [*shown, output.get("text", "")]


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[None]]]:
    """All that are to be run, a few at a time: they mostly wait for servers and for their loads."""
    wanted = [
        item.callspec.params["path"]  # type: ignore[attr-defined]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_it_runs_from_top_to_bottom"
    ]
    room = asyncio.Semaphore(AT_ONCE)
    with start_blocking_portal() as portal:
        yield {
            path: portal.start_task_soon(run, path, tmp_path_factory.mktemp("run"), room)
            for path in wanted
        }
        portal.call(portal.stop, True)  # those that no test waits for any more


async def run(path: Path, root: Path, room: asyncio.Semaphore) -> None:
    """Run a notebook at its smallest, below a root of its own."""
    notebook = nbformat.read(path, as_version=4)
    cell = parameters(notebook)
    names = [node.targets[0].id for node in ast.parse(cell.source).body]  # type: ignore[attr-defined]
    cell.source = "\n".join(f"{name} = {SMALL[name]!r}" for name in names)
    folder = root / path.parent.relative_to(ROOT)
    folder.mkdir(parents=True)
    where = {"metadata": {"path": str(folder)}}
    async with room:
        await NotebookClient(
            notebook, timeout=PATIENCE_S, kernel_name="python3", resources=where
        ).async_execute()
    left = [file.name for file in folder.iterdir()]
    assert not left, f"beside the notebook it left {left}"


@pytest.mark.timeout(600)  # the last one has waited for all the others
@each_notebook
def test_it_runs_from_top_to_bottom(path: Path, runs: dict[Path, Future[None]]) -> None:
    runs[path].result()


@each_notebook
def test_it_is_committed_as_it_ran_once_from_top_to_bottom(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]


@each_notebook
def test_its_cells_are_short_enough_to_read_aloud(path: Path) -> None:
    lengths = [len(cell.source.splitlines()) for cell in code_cells(nbformat.read(path, 4))]
    assert max(lengths) <= LONGEST_CELL
    assert median(lengths) <= USUAL_CELL


@each_notebook
def test_it_names_no_place_of_the_machine_it_ran_on(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    said = [text for output in outputs(notebook) for text in texts(output)]
    assert not [text for text in [*said, str(notebook.metadata)] if PLACE.search(text)]


@each_notebook
def test_its_outputs_are_free_of_progress_bars(path: Path) -> None:
    said = [text for output in outputs(nbformat.read(path, 4)) for text in texts(output)]
    assert not [text for text in said if DEBRIS.search(text)]


@each_notebook
def test_its_pictures_are_small(path: Path) -> None:
    sizes = [
        len(base64.b64decode(picture))
        for output in outputs(nbformat.read(path, 4))
        for kind, picture in output.get("data", {}).items()
        if kind.startswith("image/")
    ]
    assert all(size <= LARGEST_PICTURE for size in sizes)


@each_notebook
def test_its_metadata_is_the_same_wherever_it_ran(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.display_name == "Python 3"
    assert not [cell for cell in notebook.cells if cell.metadata.keys() - {"tags"}]


class Kernel:
    """A notebook's kernel, started as JupyterLab starts it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.launched: list[psutil.Process] = []
        self.process = psutil.Process(int(self.run("import os; print(os.getpid())")))

    def run(self, code: str) -> str:
        """Run a cell and return what it printed; fails when the cell does."""
        printed: list[str] = []
        reply = self.client.execute_interactive(
            code,
            timeout=PATIENCE_S,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def launch(self) -> list[psutil.Process]:
        """Launch a server and give it work; the server, and the pdftoppm that it runs."""
        server = psutil.Process(int(self.run(LAUNCH_AND_POST)))
        self.launched = [server]
        until(server.children, "the server never began to work")
        self.launched += server.children()
        return self.launched

    def end(self) -> None:
        """End the kernel, wait for what ends with it, and kill what does not."""
        left = self.launched + descendants(self.process)
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        _, stayed = psutil.wait_procs(left, timeout=PATIENCE_S)
        for process in stayed:
            process.kill()


LAUNCH_AND_POST = """
import threading, httpx
from labserver.bench.launch import launch
from labserver.settings import Settings
server = launch(Settings(dpi=300))
job = {"json": {"data": "", "jobType": "pdf2image"}, "timeout": 60}
threading.Thread(target=httpx.post, args=(server.url + "/put",), kwargs=job, daemon=True).start()
print(server.pid)
"""

SWEEP = """
from pathlib import Path
from statistics import median
from labserver.bench.sweep import Plan, sweep
from labserver.settings import Settings
await sweep(Plan((2,), repeats=1), Settings(dpi=300), Path("run"))
"""


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more, though its entry may wait for its parent to take note."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_ended_soon(processes: list[psutil.Process]) -> None:
    left = f"left: {processes}"
    until(lambda: all(ended(process) for process in processes), left, within_s=ENDED_WITHIN_S)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def names(processes: list[psutil.Process]) -> str:
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.name() for process in processes)
    return ""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(*start_new_kernel(kernel_name="python3", cwd=str(tmp_path)))
    yield kernel
    kernel.end()


def test_a_killed_kernel_leaves_no_server_and_no_work_of_it(kernel: Kernel) -> None:
    processes = kernel.launch()
    kernel.process.kill()
    all_ended_soon(processes)


def test_a_restarted_kernel_leaves_no_server_either(kernel: Kernel) -> None:
    processes = kernel.launch()
    kernel.manager.restart_kernel()
    all_ended_soon(processes)


def test_an_interrupt_of_the_kernel_does_not_reach_its_server(kernel: Kernel) -> None:
    kernel.launch()
    kernel.client.execute("print('begun')\nwhile True: pass", stop_on_error=False)
    while kernel.client.get_iopub_msg(timeout=PATIENCE_S)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    assert (
        kernel.client.get_shell_msg(timeout=PATIENCE_S)["content"]["ename"] == "KeyboardInterrupt"
    )
    assert kernel.run("print(httpx.get(server.url + '/readyz').status_code)") == "200\n"


def test_an_interrupted_sweep_ends_its_server_and_says_so(kernel: Kernel, tmp_path: Path) -> None:
    kernel.client.execute(SWEEP)
    until(lambda: "pdftoppm" in names(descendants(kernel.process)), "the sweep never began")
    processes = descendants(kernel.process)
    kernel.manager.interrupt_kernel()
    assert kernel.client.get_shell_msg(timeout=PATIENCE_S)["content"]["status"] == "error"
    all_ended_soon(processes)
    assert read_run(tmp_path / "run").info.verdict == "INVALID"
