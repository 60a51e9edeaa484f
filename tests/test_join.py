"""Both sides of a request together: its moments, its parts, and their order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from fake_run import House, fake_run

from labserver.bench.join import join, out_of_order
from labserver.bench.records import EVENT_COLUMNS
from labserver.bench.store import Run

EVENTS = [
    (1.010, "submit", "pdf", "a", "w1", 0, 1, 0, ""),
    (1.011, "start", "pdf", "a", "w1", 0, 1, 0, ""),
    (1.020, "submit", "pdf", "b", "", 1, 1, 0, ""),
    (1.030, "reject", "pdf", "c", "", 1, 1, 0, "rejected"),
    (1.031, "reply", "pdf", "c", "", 1, 1, 0, "rejected"),
    (2.000, "settle", "pdf", "a", "w1", 1, 1, 0, "killed"),
    (2.003, "reply", "pdf", "a", "w1", 1, 1, 0, "killed"),
    (2.500, "drop", "pdf", "b", "", 0, 1, 0, "expired"),
    (3.000, "end", "pdf", "a", "w1", 0, 0, 0, "killed"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    house = House(workers=2, queue_size=2, timeout_s=9)
    return fake_run(tmp_path_factory.mktemp("base"), (1, 4, 16), house=house)


@pytest.fixture
def by_hand(base: Run) -> Run:
    """A killed job a, an expired b, a refused c, and d, which its server has never told of."""
    requests = base.requests.head(4).assign(
        job_id=["a", "b", "c", ""],
        status=[504, 504, 503, 0],
        outcome=["killed", "expired", "rejected", "none"],
        intended_s=1.0,
        sent_s=[1.005, 1.006, 1.007, 1.008],
        done_s=[2.004, 2.503, 1.032, 5.0],
        queue_ms=float("nan"),
        process_ms=float("nan"),
    )
    events = pd.DataFrame(EVENTS, columns=list(EVENT_COLUMNS))
    return dataclasses.replace(base, requests=requests, events=events)


def test_a_killed_job_is_told_from_both_sides(by_hand: Run) -> None:
    row = join(by_hand).iloc[0]
    moments = ["intended_s", "sent_s", "submit_s", "start_s", "settle_s", "reply_s", "done_s"]
    assert row[moments].tolist() == [1, 1.005, 1.010, 1.011, 2.0, 2.003, 2.004]
    assert row["left_s"] == 3.0
    parts = row[["send_lag_ms", "way_in_ms", "wait_ms", "service_ms", "way_out_ms"]]
    assert parts.tolist() == pytest.approx([5, 5, 1, 989, 4])
    assert row["overhead_ms"] == pytest.approx(14)


def test_an_expired_job_has_only_waited(by_hand: Run) -> None:
    row = join(by_hand).iloc[1]
    assert pd.isna(row["start_s"])
    assert (row["wait_ms"], row["service_ms"]) == pytest.approx((1480, 0))
    assert row["overhead_ms"] == pytest.approx(20 + 3)


def test_a_refused_request_is_all_overhead(by_hand: Run) -> None:
    row = join(by_hand).iloc[2]
    assert (row["submit_s"], row["settle_s"], row["reply_s"]) == (1.030, 1.030, 1.031)
    assert row["overhead_ms"] == pytest.approx(row["latency_ms"]) == pytest.approx(32)


def test_what_the_server_never_told_stays_unknown(by_hand: Run) -> None:
    row = join(by_hand).iloc[3]
    assert row[["submit_s", "wait_ms", "overhead_ms"]].isna().all()


def test_the_parts_make_up_the_latency_of_every_request(base: Run) -> None:
    table = join(base)
    assert len(table) == len(base.requests)
    assert set(table["outcome"]) >= {"completed", "rejected", "killed"}
    overhead_ms = table["send_lag_ms"] + table["way_in_ms"] + table["way_out_ms"]
    assert overhead_ms.tolist() == pytest.approx(table["overhead_ms"].tolist(), abs=1e-6)
    whole_ms = table["wait_ms"] + table["service_ms"] + table["overhead_ms"]
    assert whole_ms.tolist() == pytest.approx(table["latency_ms"].tolist())


def test_a_run_without_a_trace_has_the_servers_own_times(base: Run) -> None:
    table = join(dataclasses.replace(base, events=base.events.iloc[:0]))
    assert table["submit_s"].isna().all()
    assert table["wait_ms"].tolist() == base.requests["queue_ms"].tolist()
    assert len(out_of_order(table)) == 0


def test_a_reply_that_was_had_before_it_was_sent_is_out_of_order(by_hand: Run) -> None:
    table = join(by_hand)
    assert len(out_of_order(table)) == 0
    table.loc[0, "reply_s"] = 2.005
    assert out_of_order(table)["job_id"].tolist() == ["a"]


def test_every_moment_of_a_sound_run_is_in_order(base: Run) -> None:
    assert len(out_of_order(join(base))) == 0


@pytest.mark.parametrize(
    ("row", "moment", "at_s"),
    [(0, "sent_s", 1.0101), (0, "done_s", 1.9), (1, "done_s", 2.4), (2, "done_s", 1.02)],
)
def test_an_effect_before_its_cause_is_found(
    by_hand: Run, row: int, moment: str, at_s: float
) -> None:
    assert len(out_of_order(join(by_hand))) == 0
    requests = by_hand.requests.copy()
    requests.loc[requests.index[row], moment] = at_s
    found = out_of_order(join(dataclasses.replace(by_hand, requests=requests)))
    assert list(found["job_id"]) == ["abc"[row]]


def test_a_client_that_has_gone_is_not_held_to_the_order(by_hand: Run) -> None:
    requests = by_hand.requests.assign(status=0, done_s=1.009)
    assert len(out_of_order(join(dataclasses.replace(by_hand, requests=requests)))) == 0


def test_it_is_read_back_from_a_folder(tmp_path: Path) -> None:
    assert not join(fake_run(tmp_path, (1,), 1)).empty
