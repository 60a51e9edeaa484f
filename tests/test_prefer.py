"""`Prefer: wait` by RFC 7240: what is a preference, and that it makes no deadline longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import client_of

from labserver.server.lab import Lab
from labserver.server.prefer import wait_preferred
from labserver.settings import Settings


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("wait=10", 10),
        ("Wait = 10", 10),
        ('wait="10"', 10),
        ("respond-async, wait=10", 10),
        ('foo="a, wait=3", wait=10', 10),
        ("wait=10; foo=bar", 10),
        ("wait=10, wait=20", 10),
        ("wait=0", 0),
        ("", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=soon", None),
        ("wait=soon, wait=3", None),
        ("await=3", None),
        ("wait=99999999999999999999", None),
    ],
)
def test_the_first_wait_counts_and_a_malformed_one_is_none(header: str, wait_s: int | None) -> None:
    assert wait_preferred(header) == wait_s


def test_a_shorter_wait_is_the_deadline_and_is_said_to_be(tmp_path: Path) -> None:
    async def run(lab: Lab) -> None:
        async with client_of(lab) as client:
            body = {"data": "x", "jobType": "pdf2image"}
            late = await client.post("/put", json=body, headers={"Prefer": "wait=0"})
            assert late.status_code == 504
            assert late.headers["Preference-Applied"] == "wait=0"

    settings = Settings(engine="sleep", time_scale=1000, output_dir=tmp_path, pdf_workers=1)
    with Lab(settings) as lab:
        asyncio.run(run(lab))


@pytest.mark.parametrize("prefer", ["wait=60", "wait=61", "wait=x", "respond-async"])
def test_a_longer_or_malformed_one_changes_nothing(lab: Lab, prefer: str) -> None:
    async def run() -> None:
        async with client_of(lab) as client:
            done = await client.post("/put", json={"data": "x"}, headers={"Prefer": prefer})
            assert done.status_code == 200
            assert "Preference-Applied" not in done.headers

    asyncio.run(run())


def test_one_that_is_kept_is_said_on_a_200_too(lab: Lab) -> None:
    async def run() -> None:
        async with client_of(lab) as client:
            done = await client.post("/put", json={"data": "x"}, headers={"Prefer": "wait=4"})
            assert done.status_code == 200
            assert done.headers["Preference-Applied"] == "wait=4"

    asyncio.run(run())
