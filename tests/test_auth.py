"""The token: who does not bear it learns nothing but that the server lives."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from conftest import client_of
from pydantic import SecretStr

from labserver.server.lab import Lab
from labserver.settings import Settings

SECRET = "open-sesame"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(engine="sleep", time_scale=0, output_dir=tmp_path, token=SecretStr(SECRET))


def ask(settings: Settings, path: str, authorization: str | None) -> httpx.Response:
    async def run(lab: Lab) -> httpx.Response:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with client_of(lab) as client:
            return await client.get(path, headers=headers)

    with Lab(settings) as lab:
        return asyncio.run(run(lab))


@pytest.mark.parametrize("authorization", [f"Bearer {SECRET}", f"bearer {SECRET}"])
def test_the_bearer_is_let_in(settings: Settings, authorization: str) -> None:
    assert ask(settings, "/stats", authorization).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None, "", "Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x",
        f"Bearer {SECRET[:-1]}", f"Bearer {SECRET.upper()}", f"Bearer  {SECRET}",
    ],
)  # fmt: skip
def test_anyone_else_is_told_how_to_ask(settings: Settings, authorization: str | None) -> None:
    refused = ask(settings, "/stats", authorization)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert SECRET not in refused.text


def test_a_header_in_other_bytes_than_ascii_is_no_error(settings: Settings) -> None:
    async def run(lab: Lab) -> int:
        async with client_of(lab) as client:
            headers = [(b"authorization", "Bearer öffne dich".encode())]
            return (await client.get("/stats", headers=headers)).status_code

    with Lab(settings) as lab:
        assert asyncio.run(run(lab)) == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_need_no_token(settings: Settings, path: str) -> None:
    assert ask(settings, path, None).status_code == 200


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/metrics", "/livez/", "/no-such-thing"]
)
def test_everything_else_does(settings: Settings, path: str) -> None:
    assert ask(settings, path, None).status_code == 401


def test_a_stranger_s_job_is_not_counted_and_takes_no_quota(settings: Settings) -> None:
    async def run(lab: Lab) -> None:
        async with client_of(lab) as client:
            refused = await client.post("/put", json={"data": "x"})
            assert refused.status_code == 401
            assert "RateLimit" not in refused.headers
            assert lab.ledger.snapshot().received == 0

    with Lab(settings) as lab:
        asyncio.run(run(lab))


def test_the_token_is_in_no_text_that_settings_give(settings: Settings) -> None:
    texts = (repr(settings), str(settings), settings.model_dump_json(), " ".join(settings.args()))
    for text in texts:
        assert SECRET not in text
