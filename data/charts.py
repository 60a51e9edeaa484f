"""The booklet's charts: each a function that draws one in a box of a sheet.

The curves are reckoned here from their formulas, with the field's letters: ρ is the utilisation, Q
the places to wait, c the servers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from random import Random

from sheet import Box, Point, Sheet


@dataclass(frozen=True)
class Chart:
    """Axes from 0 to `x_max` and `y_max` whose origin is the lower left corner of `box`."""

    sheet: Sheet
    box: Box
    x_max: float
    y_max: float

    def at(self, x: float, y: float) -> Point:
        """Return the pixel of a value."""
        left, top, right, bottom = self.box
        return left + (right - left) * x / self.x_max, bottom - (bottom - top) * y / self.y_max

    def axes(
        self, x_label: str, y_label: str, x_ticks: Iterable[float], y_ticks: Iterable[float]
    ) -> None:
        """Draw both axes, with ticks, grid lines and labels."""
        left, top, right, bottom = self.box
        self.sheet.arrow("black", (left, bottom), (right + 50, bottom))
        self.sheet.arrow("black", (left, bottom), (left, top - 50))
        for x in x_ticks:
            px, _ = self.at(x, 0)
            self.sheet.line("black", [(px, bottom), (px, bottom + 18)])
            self.sheet.text("black", (px, bottom + 50), f"{x:g}", 38)
        for y in y_ticks:
            _, py = self.at(0, y)
            self.sheet.dashed("grey", (left, py), (right, py), width=3, dashes=60)
            self.sheet.text("black", (left - 24, py), f"{y:g}", 38, anchor="rm")
        self.sheet.text("black", (right, bottom + 110), x_label, 42, anchor="rm")
        self.sheet.text("black", (left + 40, top - 50), y_label, 42, anchor="lm")

    def curve(self, ink: str, points: Iterable[Point], width: int = 11) -> None:
        """Draw a curve through values."""
        self.sheet.line(ink, [self.at(x, y) for x, y in points], width)

    def bar(self, ink: str, x: float, y: float, width: float, hatched: bool = True) -> None:
        """Draw a bar of height `y` whose middle is at `x`; `width` is in units of x."""
        left, top = self.at(x - width / 2, y)
        right, bottom = self.at(x + width / 2, 0)
        if bottom - top > 30 and hatched:
            self.sheet.hatch(ink, (left, top, right, bottom))
        self.sheet.box(ink, (left, min(top, bottom - 8), right, bottom))


def staircase(sheet: Sheet, box: Box) -> None:
    """Draw arrivals and departures counted over time, the area between them hatched."""
    arrivals, departures = (1, 2, 2.6, 5, 7, 7.5, 10), (2.4, 3.8, 5.2, 6.6, 8.4, 9.8, 11.4)
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 120, top + 90, right - 80, bottom - 150), 12, 7.5)
    chart.axes("time, minutes", "customers so far", range(0, 13, 2), range(1, 8))
    for number, (came, went) in enumerate(zip(arrivals, departures, strict=True)):
        a, b = chart.at(came, number + 1), chart.at(went, number)
        sheet.hatch("ochre", (*a, *b), gap=30)
    for ink, times in (("blue", arrivals), ("green", departures)):
        steps: list[Point] = [(0, 0)]
        for number, time in enumerate(times):
            steps += [(time, number), (time, number + 1)]
        chart.curve(ink, [*steps, (12, len(times))])
    sheet.text("blue", chart.at(4.2, 6), "arrived", 54, "Sans-Bold")
    sheet.text("green", chart.at(8.5, 3), "departed", 54, "Sans-Bold")


def histogram(sheet: Sheet, box: Box) -> None:
    """Draw 600 service times: a fixed part, and an exponential one from a seeded generator."""
    random = Random(1909)
    drawn = [0.4 - 0.6 * log(1 - random.random()) for _ in range(600)]
    times = [time * len(drawn) / sum(drawn) for time in drawn]
    left, top, right, bottom = box
    width = 0.2
    counts = [sum(i * width <= t < (i + 1) * width for t in times) for i in range(20)]
    chart = Chart(sheet, (left + 140, top + 90, right - 80, bottom - 150), 4, 180)
    chart.axes("service time, in units of its mean", "jobs", (0, 1, 2, 3, 4), (60, 120, 180))
    for i, count in enumerate(counts):
        if count:
            chart.bar("blue" if i < 10 else "ochre", (i + 0.5) * width, count, width * 0.86)
    sheet.dashed("red", chart.at(1, 0), chart.at(1, 180), 9)
    sheet.text("red", chart.at(1.08, 165), "mean", 54, "Sans-Bold", "lm")
    sheet.text("ochre", chart.at(2.75, 30), "the few that everybody remembers", 48, "Sans-Oblique")


def hockey_stick(sheet: Sheet, box: Box) -> None:
    """Draw the response time of one server against its utilisation."""
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 120, top + 90, right - 80, bottom - 150), 1, 12)
    chart.axes("utilisation ρ", "response, in S", (0, 0.2, 0.4, 0.6, 0.8, 0.9, 1), (2, 4, 6, 8, 10))
    grid = [i / 200 for i in range(193)]
    chart.curve("blue", [(rho, y) for rho in grid if (y := 1 / (1 - rho)) <= 12])
    chart.curve("green", [(rho, y) for rho in grid if (y := 1 + rho / (2 - 2 * rho)) <= 12])
    sheet.dashed("red", chart.at(1, 0), chart.at(1, 12), 9)
    for rho in (0.5, 0.8, 0.9):
        sheet.disc("ochre", chart.at(rho, 1 / (1 - rho)), 22)
        words = f"{1 / (1 - rho):.0f} S"
        x, y = chart.at(rho, 1 / (1 - rho))
        sheet.text("ochre", (x - 40, y - 40), words, 54, "Sans-Bold", "rm")
    sheet.text("blue", chart.at(0.52, 8.2), "jobs differ (M/M/1)", 50, "Sans-Oblique")
    sheet.text("green", chart.at(0.60, 0.75), "jobs alike (M/D/1)", 50, "Sans-Oblique", "mm")


def refused(sheet: Sheet, box: Box) -> None:
    """Draw the share of customers turned away by one server with Q places (M/M/1/K)."""
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 140, top + 90, right - 80, bottom - 150), 13, 0.6)
    chart.axes("places to wait, Q", "share turned away", range(0, 13, 2), (0.2, 0.4, 0.6))
    for rho, ink, shift in ((0.8, "green", -0.2), (1.25, "ochre", 0.2)):
        for places in range(13):
            share = (1 - rho) * rho ** (places + 1) / (1 - rho ** (places + 2))
            chart.bar(ink, places + 0.4 + shift, share, 0.36)
    sheet.dashed("red", chart.at(0, 0.2), chart.at(13, 0.2), 9, 40)
    sheet.text("red", chart.at(12.9, 0.23), "1 − 1/ρ", 50, "Serif-Italic", "rm")
    sheet.text("ochre", chart.at(7, 0.46), "five come for four served", 54, "Sans-Bold")
    sheet.text("green", chart.at(7, 0.38), "four come for five served", 54, "Sans-Bold")


def deadlines(sheet: Sheet, box: Box) -> None:
    """Draw nine jobs that came together, two workers, and a deadline that some do not meet."""
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 140, top + 90, right - 80, bottom - 150), 5.5, 9)
    chart.axes("time since they came, in S", "job", range(6), ())
    deadline = 3.5
    for job in range(9):
        start, row = job // 2, 8.5 - job
        bar = (*chart.at(start, row + 0.36), *chart.at(start + 1, row - 0.36))
        x, y = chart.at(0, row)
        sheet.text("black", (x - 50, y), f"{job + 1}", 44)
        sheet.line("grey", [(x, y), (bar[0], y)], 5)
        if start + 1 <= deadline:
            sheet.box("green", bar, filled=True)
        else:
            sheet.hatch("violet", bar)
            sheet.box("violet", bar)
    sheet.dashed("red", chart.at(deadline, 0), chart.at(deadline, 9.3), 10)
    sheet.text("red", chart.at(deadline + 0.1, 8.6), "deadline", 54, "Sans-Bold", "lm")
    sheet.text("violet", chart.at(4.6, 3.5), "too late", 54, "Sans-Oblique")


def cliff(sheet: Sheet, box: Box) -> None:
    """Draw the useful work of a flooded server against its queue: all of it, then nothing."""
    servers, deadline = 4, 5
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 140, top + 90, right - 80, bottom - 150), 32, 1.2)
    chart.axes("places to wait, Q", "useful share of the work", range(0, 33, 4), (0.5, 1))
    edge = servers * (deadline - 1)
    sheet.hatch("ochre", (*chart.at(edge, 1), *chart.at(32, 0)), gap=34)
    chart.curve("green", [(0, 1), (edge, 1)], 16)
    chart.curve("violet", [(edge, 1), (edge, 0), (32, 0)], 16)
    sheet.dashed("red", chart.at(edge, 0), chart.at(edge, 1.2), 9)
    sheet.text("red", chart.at(edge + 0.5, 1.12), "Q = c (T − S) / S", 60, "Serif-Italic", "lm")
    sheet.text("green", chart.at(8, 0.88), "answers in time", 56, "Sans-Bold")
    sheet.text("black", chart.at(24, 0.88), "work for nobody", 56, "Sans-Bold")


def retries(sheet: Sheet, box: Box) -> None:
    """Draw the attempts that each call becomes when failures are tried again."""
    left, top, right, bottom = box
    chart = Chart(sheet, (left + 140, top + 90, right - 370, bottom - 150), 1, 4.4)
    chart.axes("share of attempts that fail", "attempts", (0, 0.25, 0.5, 0.75, 1), (1, 2, 3, 4))
    grid = [i / 100 for i in range(101)]
    for again, ink in ((0, "green"), (1, "blue"), (2, "violet"), (3, "ochre")):
        chart.curve(ink, [(p, sum(p**i for i in range(again + 1))) for p in grid])
        words = ("no retry", "one retry", "two retries", "three retries")[again]
        sheet.text(ink, chart.at(1.01, again + 1), words, 44, "Sans-Bold", "lm")
    sheet.disc("red", chart.at(0.5, 1.875), 26)
    sheet.text("red", chart.at(0.47, 2.15), "1.875", 56, "Sans-Bold", "rm")
