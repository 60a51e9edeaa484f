"""What is told of the machine: enough to place a figure, and nothing that names its owner."""

from __future__ import annotations

import getpass
import platform
from datetime import date

from labserver.bench.machine import machine, today_on

HOST = {
    "cpu": "Any CPU", "cores": 2, "physical_cores": 1, "memory_gb": 7.8, "os": "Linux 6.1",
    "python": "3.12.1",
}  # fmt: skip


def test_a_lesson_says_of_which_day_and_machine_its_figures_are() -> None:
    day, _, rest = today_on(HOST).partition(": ")
    assert date.fromisoformat(day) <= date.today()
    assert rest == "Any CPU, 2 cores, 7.8 GB,\nLinux 6.1, Python 3.12.1"


def test_all_of_it_is_known_here() -> None:
    assert machine().keys() == HOST.keys()
    assert all(machine().values())


def test_neither_host_nor_user_is_named() -> None:
    told = set(map(str, machine().values()))
    assert told.isdisjoint({platform.node(), getpass.getuser()})
