"""The OpenAPI document against the application: what it promises is what comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import BaseSchema

from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.settings import Settings

OPERATIONS = [
    ("POST", "/put"),
    ("POST", "/pdf"),
    ("GET", "/jobs/{job_id}/pages/{number}.png"),
    ("GET", "/jobs/{job_id}/pages.zip"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/stats"),
]


@pytest.fixture
def contract(tmp_path: Path) -> Iterator[BaseSchema]:
    """The document of a server whose work takes no time, and which will say 429 in the end."""
    settings = Settings(engine="sleep", time_scale=0, rate_limit="30/day", output_dir=tmp_path)
    with Lab(settings) as lab:
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(lab))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_keeps_to_its_contract(contract: BaseSchema, method: str, path: str) -> None:
    @given(case=contract[path][method].as_strategy())
    @settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
    def hold(case: schemathesis.Case) -> None:
        case.call_and_validate()

    hold()


def test_no_operation_is_left_out(contract: BaseSchema) -> None:
    operations = [result.ok() for result in contract.get_all_operations()]
    endless = ("GET", "/events")
    assert {(o.method.upper(), o.path) for o in operations} == {*OPERATIONS, endless}
