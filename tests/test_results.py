"""The runs that are kept in results/: each can be read, and what it says of itself still holds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from labserver.bench.checks import checks, little_law
from labserver.bench.join import join
from labserver.bench.store import Run, read_run

RESULTS = Path(__file__).resolve().parent.parent / "results"
# git ignores the runs whose name begins with their time.
KEPT = [
    folder
    for folder in sorted(path.parent.relative_to(RESULTS) for path in RESULTS.rglob("run.json"))
    if not folder.parts[0].startswith("20")
]
LETS_GO = {"drop", "end", "reject"}


@pytest.fixture(params=KEPT, ids=str)
def run(request: pytest.FixtureRequest) -> Run:
    return read_run(RESULTS / request.param)


def gallery(run: Run) -> bool:
    """Whether it measured one of the mistakes, which keep neither ledger nor trace."""
    return bool(run.info.client.get("path", "/put") != "/put")


def test_some_are_kept() -> None:
    assert KEPT


def test_its_verdict_is_recorded_and_still_that_of_its_checks(run: Run) -> None:
    failed = [str(check) for check in checks(run) if not check.ok]
    assert run.info.verdict == ("INVALID" if failed or run.info.warnings else "valid")
    assert [line.split(":")[0] for line in failed] == [
        line.split(":")[0] for line in run.info.warnings if not line.startswith("interrupted")
    ]


def test_little_holds_within_five_per_cent(run: Run) -> None:
    found = little_law(run)
    assert (found is None) == gallery(run)
    assert found is None or found.value <= 0.05


def test_both_sides_tell_the_same_of_every_request(run: Run) -> None:
    """What its client was answered is how its job ended in the server's trace, one to one."""
    if gallery(run):
        return
    ends = run.events[run.events["event"].isin(LETS_GO)].set_index("job_id")["outcome"]
    answered = run.requests[run.requests["status"] != 0].set_index("job_id")["outcome"]
    assert ends.index.is_unique
    assert answered.index.is_unique
    told = ends.reindex(answered.index)
    differing = answered[(told != answered) & (told != "")]
    assert differing.empty
    assert told.notna().all()
    assert run.info.ledger["received"] == len(run.requests)


def test_its_moments_are_in_order(run: Run) -> None:
    if gallery(run):
        return
    told = join(run)
    done = told[told["status"] == 200]
    parts = done[["wait_ms", "service_ms", "overhead_ms"]]
    assert (parts > -1e-6).all(axis=None)
    pd.testing.assert_series_equal(
        parts.sum(axis=1), done["latency_ms"], check_names=False, atol=1e-6
    )
