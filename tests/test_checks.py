"""A run's checks on itself: all hold for a sound run, and each fails for its own damage."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fake_run import House, fake_run

from labserver.bench.checks import checks
from labserver.bench.store import Run


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Run:
    house = House(workers=2, queue_size=2, timeout_s=9)
    return fake_run(tmp_path_factory.mktemp("sound"), (1, 4, 16), house=house)


def with_ledger(run: Run, **changed: object) -> Run:
    info = dataclasses.replace(run.info, ledger={**run.info.ledger, **changed})
    return dataclasses.replace(run, info=info)


def with_table(run: Run, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Run:
    return dataclasses.replace(run, **{name: change(getattr(run, name).copy())})


def lost_by_the_server(run: Run) -> Run:
    return with_ledger(run, received=run.info.ledger["received"] + 1)


def counted_as_something_else(run: Run) -> Run:
    outcomes = run.info.ledger["outcomes"]
    moved = {**outcomes, "completed": outcomes["completed"] - 1, "failed": 1}
    return with_ledger(run, outcomes=moved)


def without_its_last_end(run: Run) -> Run:
    last = run.events.index[run.events["event"] == "end"][-1]
    return with_table(run, "events", lambda rows: rows.drop(index=last))


def with_a_wrong_count(run: Run) -> Run:
    return with_table(run, "events", lambda rows: rows.assign(busy=rows["busy"] + 1))


def sent_late(run: Run) -> Run:
    def due_before(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(intended_s=rows["intended_s"] - 0.5)

    return with_table(run, "requests", due_before)


def on_another_clock(run: Run) -> Run:
    return with_table(run, "events", lambda rows: rows.assign(t_s=rows["t_s"] - 0.5))


def slowed_down(run: Run) -> Run:
    last = dataclasses.replace(run.info.cells[-1], sentinel_after_ms=[14.0, 15.0])
    info = dataclasses.replace(run.info, cells=[*run.info.cells[:-1], last])
    return dataclasses.replace(run, info=info)


def busy_generator(run: Run) -> Run:
    return with_table(run, "samples", lambda rows: rows.assign(client_cpu_s=0.9 * rows["t_s"]))


def without_an_answer(run: Run) -> Run:
    def unanswered(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows.index[-1], ["status", "outcome"]] = (0, "")
        return rows

    outcomes = dict(run.info.ledger["outcomes"])
    outcomes[run.requests["outcome"].iloc[-1]] -= 1
    outcomes["abandoned"] = 1
    return with_ledger(with_table(run, "requests", unanswered), outcomes=outcomes)


def test_a_sound_run_passes_every_check(sound: Run) -> None:
    made = checks(sound)
    assert len(made) == 9
    assert [str(check) for check in made if not check.ok] == []


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        (lost_by_the_server, "server's ledger"),
        (counted_as_something_else, "ledgers of both sides"),
        (without_its_last_end, "one end for each job"),
        (with_a_wrong_count, "Little's law"),
        (sent_late, "send lag"),
        (on_another_clock, "order of moments"),
        (slowed_down, "drift of the machine"),
        (busy_generator, "generator's CPU"),
        (without_an_answer, "requests without an answer"),
    ],
)
def test_each_damage_fails_its_own_check(
    sound: Run, damage: Callable[[Run], Run], failing: str
) -> None:
    failed = [check for check in checks(damage(sound)) if not check.ok]
    assert [check.name for check in failed if not check.name.startswith(failing)] == []
    assert len(failed) == 1
    assert failed[0].remedy in str(failed[0])


def test_what_the_run_has_no_data_for_is_not_checked(sound: Run) -> None:
    bare = with_table(sound, "samples", lambda rows: rows.assign(client_cpu_s=float("nan")))
    bare = with_table(bare, "events", lambda rows: rows.iloc[:0])
    bare = dataclasses.replace(bare, info=dataclasses.replace(bare.info, ledger={}))
    assert [check.name for check in checks(bare)] == [
        "send lag p99 / service time",
        "drift of the machine",
        "requests without an answer",
    ]


def test_clients_that_went_are_no_fault_of_the_run(sound: Run) -> None:
    """The server may have had an answer for one that went at that very moment."""

    def gone(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows.index[-2:], ["status", "outcome"]] = (0, "timeout")
        return rows

    outcomes = dict(sound.info.ledger["outcomes"])
    outcomes[sound.requests["outcome"].iloc[-1]] -= 1
    outcomes["abandoned"] = 1
    run = with_ledger(with_table(sound, "requests", gone), outcomes=outcomes)
    assert [str(check) for check in checks(run) if not check.ok] == []


def test_a_job_of_somebody_else_is_noticed_beside_clients_that_went(sound: Run) -> None:
    def gone(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows.index[-1], ["status", "outcome"]] = (0, "timeout")
        return rows

    ledger = sound.info.ledger
    outcomes = {**ledger["outcomes"], "completed": ledger["outcomes"]["completed"] + 1}
    run = with_ledger(
        with_table(sound, "requests", gone), received=ledger["received"] + 1, outcomes=outcomes
    )
    assert [c.name for c in checks(run) if not c.ok] == ["ledgers of both sides"]


def test_simulated_work_does_not_drift_with_the_machine(sound: Run) -> None:
    run = slowed_down(sound)
    run = dataclasses.replace(run, info=dataclasses.replace(run.info, simulated=True))
    assert "drift of the machine" not in [check.name for check in checks(run)]


def test_a_run_without_a_single_reply_can_be_checked(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1, 2), 1, house=House(timeout_s=0.1))
    assert all(check.ok for check in checks(run))


def test_little_compares_the_counts_with_the_jobs(sound: Run) -> None:
    """With one job too many in every count, L is off by one over the mean number of jobs."""
    value = next(c.value for c in checks(with_a_wrong_count(sound)) if "Little" in c.name)
    steps = sound.events[sound.events["event"].isin(["submit", "end", "drop"])]
    lasting = steps["t_s"].diff().shift(-1).fillna(0)
    mean = ((steps["waiting"] + steps["busy"]) * lasting).sum() / lasting.sum()
    assert value == pytest.approx(1 / mean, rel=1e-6)
