"""The booklet's pictures that are no charts: each a function that draws one in a box of a sheet."""

from collections.abc import Sequence
from random import Random

from sheet import Box, Point, Sheet

PALE_BLUE, PALE_GREEN, PALE_OCHRE = (188, 217, 255), (222, 236, 218), (248, 234, 202)


def person(sheet: Sheet, ink: str, x: float, foot: float, height: float = 330) -> None:
    """Draw somebody who waits, `foot` being the y of the floor."""
    head = height * 0.14
    neck, hip = foot - height + 2 * head, foot - height * 0.42
    sheet.disc(ink, (x, foot - height + head), head, width=9)
    sheet.line(ink, [(x, neck), (x, hip)], 12)
    sheet.line(ink, [(x - height * 0.13, foot), (x, hip), (x + height * 0.13, foot)], 12)
    arm = neck + height * 0.09
    hand = arm + height * 0.2
    sheet.line(ink, [(x - height * 0.14, hand), (x, arm), (x + height * 0.14, hand)], 10)


def clock(sheet: Sheet, ink: str, centre: Point, radius: float) -> None:
    """Draw a clock that says ten to two."""
    x, y = centre
    sheet.disc(ink, centre, radius, width=12)
    for dx, dy in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        outer, inner = radius * 0.9, radius * 0.75
        sheet.line(ink, [(x + dx * inner, y + dy * inner), (x + dx * outer, y + dy * outer)])
    sheet.line(ink, [(x - radius * 0.6, y - radius * 0.35), (x, y)], 9)
    sheet.line(ink, [(x, y), (x + radius * 0.4, y - radius * 0.25)], 12)


def counter(sheet: Sheet, ink: str, left: float, floor: float, width: float = 420) -> None:
    """Draw a counter with a clerk behind it."""
    person(sheet, ink, left + width / 2, floor - 130)
    sheet.box(ink, (left, floor - 260, left + width, floor), filled=True)


def cover(sheet: Sheet, box: Box) -> None:
    """Draw a hall: one clerk, a clock, a line of people."""
    left, top, right, floor = box
    sheet.tint(box, PALE_OCHRE)
    sheet.line("black", [(left, floor), (right, floor)], 12)
    counter(sheet, "blue", right - 520, floor)
    clock(sheet, "black", ((left + right) / 2, top + 230), 150)
    sheet.box("red", (right - 640, top + 90, right - 60, top + 330), width=12)
    sheet.text("red", (right - 350, top + 160), "NOW SERVING", 56, "Sans-Bold")
    sheet.text("red", (right - 350, top + 260), "17", 110, "Sans-Bold")
    for place, ink in enumerate(("green", "ochre", "violet", "green", "blue", "ochre")):
        person(sheet, ink, right - 680 - place * 200, floor, 420 + place * 17 % 60)
    sheet.dashed("black", (left, floor - 130), (left + 240, floor - 130), dashes=6)


def winding_line(sheet: Sheet, box: Box) -> None:
    """Draw a line that winds between ropes towards a door."""
    left, top, right, bottom = box
    lane = (bottom - top) / 3
    sheet.tint(box, PALE_GREEN)
    for row in range(3):
        y = top + lane * (row + 0.5)
        for place in range(11):
            ink = ("green", "blue", "ochre")[(place * 2 + row) % 3]
            sheet.disc(ink, (left + 150 + place * (right - left - 300) / 10, y), 38, width=10)
    for row in (1, 2):
        y, open_at = top + lane * row, 260
        start = (left if row == 2 else left + open_at, y)
        sheet.dashed("violet", start, (right - open_at if row == 2 else right, y), 9, 40)


def bank_queue(sheet: Sheet, box: Box) -> None:
    """Draw arrivals, a waiting line, a counter and those who leave."""
    left, top, right, floor = box
    floor -= 90
    sheet.tint((left, top, right, floor), PALE_BLUE)
    sheet.line("black", [(left, floor), (right, floor)], 10)
    clock(sheet, "black", (right - 550, top + 170), 120)
    counter(sheet, "blue", right - 760, floor)
    for place in range(5):
        person(sheet, "green" if place else "red", right - 900 - place * 170, floor, 440)
    person(sheet, "ochre", left + 90, floor, 440)
    person(sheet, "violet", right - 90, floor, 440)
    sheet.arrow("ochre", (left + 170, floor - 230), (left + 300, floor - 230), 10)
    sheet.arrow("violet", (right - 310, floor - 230), (right - 180, floor - 230), 10)
    for x, words in ((left + 150, "arriving"), (right - 1240, "waiting"), (right - 550, "served")):
        sheet.text("black", (x, floor + 60), words, 48, "Sans-Oblique")
    sheet.text("black", (right - 110, floor + 60), "leaving", 48, "Sans-Oblique")


def one_server(sheet: Sheet, box: Box) -> None:
    """Draw the model's parts with their letters."""
    left, top, right, bottom = box
    y = (top + bottom) / 2 - 60
    places = [left + 420 + place * 150 for place in range(5)]
    server = right - 480
    sheet.tint((places[0] - 30, y - 160, server + 220, y + 160), PALE_GREEN)
    sheet.arrow("ochre", (left, y), (places[0] - 40, y), 12)
    sheet.text("ochre", (left + 170, y - 70), "λ", 90, "Serif-Italic")
    for x in places:
        sheet.box("blue", (x, y - 100, x + 130, y + 100))
    for x in places[2:]:
        sheet.disc("blue", (x + 65, y), 42)
    sheet.arrow("black", (places[-1] + 150, y), (server - 190, y), 9)
    sheet.disc("green", (server, y), 170, width=12)
    sheet.text("green", (server, y), "S", 120, "Serif-Italic")
    sheet.arrow("black", (server + 190, y), (right, y), 12)
    spans = ((places[0], places[-1] + 130, "wait  Wq", 230), (server - 170, server + 170, "S", 230))
    for start, end, words, below in (
        *spans,
        (places[0], server + 170, "response  R = Wq + S", 390),
    ):
        sheet.line("red", [(start, y + below - 30), (start, y + below), (end, y + below)], 7)
        sheet.line("red", [(end, y + below), (end, y + below - 30)], 7)
        sheet.text("red", ((start + end) / 2, y + below + 45), words, 50, "Serif-Italic")


def timelines(sheet: Sheet, box: Box) -> None:
    """Draw twenty arrivals in an hour, evenly spaced and at random."""
    random = Random(1837)
    rows: dict[str, tuple[str, Sequence[float]]] = {
        "by timetable": ("green", [(i + 0.5) / 20 for i in range(20)]),
        "at random": ("blue", sorted(random.random() for _ in range(20))),
        "at random, another day": ("violet", sorted(random.random() for _ in range(20))),
    }
    left, top, right, bottom = box
    for row, (name, (ink, times)) in enumerate(rows.items()):
        y = top + 240 + row * (bottom - top - 120) / 3
        sheet.tint((left, y - 120, right, y), PALE_BLUE if row else PALE_GREEN)
        sheet.text("black", (left, y - 165), name, 50, "Sans-Bold", "lm")
        sheet.line(ink, [(left, y), (right, y)])
        for time in times:
            x = left + 20 + time * (right - left - 40)
            sheet.line(ink, [(x, y), (x, y - 80)], 9)
            sheet.disc(ink, (x, y - 90), 22)
    for minute in range(0, 61, 10):
        x = left + 20 + minute / 60 * (right - left - 40)
        sheet.text("black", (x, bottom - 30), f"{minute}", 40)


def one_line_or_four(sheet: Sheet, box: Box) -> None:
    """Draw four tills with a line each, and four that share one."""
    left, top, right, bottom = box
    middle = (left + right) / 2
    sheet.tint((left, top, middle - 40, bottom - 100), PALE_OCHRE)
    sheet.tint((middle + 40, top, right, bottom - 100), PALE_GREEN)
    for till, waiting in enumerate((4, 1, 0, 3)):
        y = top + 120 + till * (bottom - top - 340) / 3
        for start, busy in ((left, waiting > 0), (middle + 80, True)):
            till_box = (start + 700, y - 70, start + 860, y + 70)
            sheet.box("blue", till_box)
            if busy:
                sheet.disc("blue", (start + 780, y), 44)
        for place in range(waiting):
            sheet.disc("ochre", (left + 600 - place * 130, y), 44, width=10)
        sheet.arrow("green", (middle + 560, (top + bottom - 100) / 2), (middle + 760, y), 7)
    for place in range(4):
        sheet.disc("green", (middle + 490 - place * 115, (top + bottom - 100) / 2), 44, width=10)
    wait_own, wait_shared = 0.8 / 0.2, erlang_c(4, 3.2) / (4 * 0.2)
    for x, wait in (((left + middle) / 2 - 40, wait_own), ((middle + right) / 2, wait_shared)):
        words = f"mean wait {wait:.2f} S"
        sheet.text("red", (x, bottom - 40), words, 56, "Sans-Bold")


def server(sheet: Sheet, box: Box) -> None:
    """Draw a request's way through admission, queue and workers."""
    left, top, right, bottom = box
    y = top + 420
    sheet.tint((left + 640, y - 150, left + 1210, y + 150), PALE_BLUE)
    sheet.arrow("black", (left, y), (left + 220, y), 10)
    sheet.box("violet", (left + 230, y - 110, left + 540, y + 110))
    for words, dy in (("any", -35), ("room?", 35)):
        sheet.text("violet", (left + 385, y + dy), words, 60, "Sans-Bold")
    sheet.arrow("black", (left + 550, y), (left + 640, y), 10)
    for place in range(4):
        x = left + 660 + place * 135
        sheet.box("blue", (x, y - 100, x + 115, y + 100), filled=place > 0)
    for worker in range(4):
        middle = top + 100 + worker * 215
        sheet.arrow("black", (left + 1220, y), (left + 1370, middle), 7)
        sheet.box("green", (left + 1380, middle - 80, left + 1720, middle + 80), width=10)
        sheet.text("green", (left + 1550, middle), f"worker {worker + 1}", 56, "Sans-Bold")
        sheet.arrow("black", (left + 1730, middle), (right - 90, middle), 7)
        sheet.text("black", (right - 40, middle), "200", 44)
    sheet.arrow("red", (left + 385, y + 120), (left + 385, bottom - 230), 12)
    sheet.box("red", (left + 150, bottom - 220, left + 620, bottom - 60), width=10)
    sheet.text("red", (left + 385, bottom - 140), "503: full", 64, "Sans-Bold")
    sheet.text("blue", (left + 925, y + 200), "at most Q wait here", 48, "Sans-Oblique")


def loops(sheet: Sheet, box: Box) -> None:
    """Draw an open system, which customers pass through, and a closed one, where they return."""
    left, top, right, bottom = box
    middle = (top + bottom) / 2
    for start, ink in ((top, "blue"), (middle + 40, "green")):
        sheet.tint((left, start, right, start + (bottom - top) / 2 - 60), PALE_BLUE)
        y = start + 190
        sheet.box(ink, (left + 760, y - 90, left + 1180, y + 90), width=10)
        for place in range(3):
            sheet.disc(ink, (left + 830 + place * 110, y), 36)
        sheet.disc(ink, (left + 1340, y), 120, width=12)
        sheet.arrow("black", (left + 1470, y), (right - 120, y), 9)
        sheet.arrow("black", (left + 420, y), (left + 750, y), 9)
    sheet.text("black", (left + 40, top + 60), "open", 64, "Sans-Bold", "lm")
    sheet.text("blue", (left + 220, top + 190), "the world", 56, "Sans-Oblique")
    y = middle + 230
    sheet.text("black", (left + 40, middle + 90), "closed", 64, "Sans-Bold", "lm")
    for client in range(3):
        person(sheet, "ochre", left + 160 + client * 110, y + 150, 230)
    back = y + 195
    sheet.line("red", [(right - 120, y), (right - 120, back), (left + 270, back)], 9)
    sheet.arrow("red", (left + 270, back), (left + 270, y + 145), 9)
    sheet.text("red", (left + 1250, back - 45), "think, then ask again", 50, "Sans-Oblique")


def wait_table(sheet: Sheet, box: Box) -> None:
    """Draw the mean wait in units of S for several servers and utilisations (M/M/c)."""
    loads, counts = (0.5, 0.7, 0.8, 0.9, 0.95), (1, 2, 4, 8, 16, 64)
    left, top, right, bottom = box
    width, height = (right - left) / (len(loads) + 1), (bottom - top) / (len(counts) + 1)
    sheet.tint((left, top, right, top + height), PALE_OCHRE)
    sheet.tint((left, top + height, left + width, bottom), PALE_GREEN)
    for row, c in enumerate((0, *counts)):
        y = top + height * (row + 0.5)
        sheet.line("blue", [(left, y + height / 2), (right, y + height / 2)], 5)
        sheet.text("green", (left + width / 2, y), f"c = {c}" if c else "", 56, "Sans-Bold")
        for column, rho in enumerate(loads):
            x = left + width * (column + 1.5)
            if c:
                wait = erlang_c(c, c * rho) / (c * (1 - rho))
                sheet.text("black", (x, y), f"{wait:.3f}", 56)
            else:
                sheet.text("ochre", (x, y), f"ρ = {rho:g}", 56, "Sans-Bold")
    sheet.box("blue", box, width=9)


def exchange(sheet: Sheet, box: Box) -> None:
    """Draw a telephone exchange: many subscribers, few trunk lines, one call too many."""
    left, top, right, bottom = box
    sheet.tint((left + 640, top, right - 640, bottom), PALE_OCHRE)
    rows = [top + 70 + row * (bottom - top - 140) / 6 for row in range(7)]
    trunks = [top + 160 + trunk * (bottom - top - 320) / 3 for trunk in range(4)]
    calls = {0: 0, 2: 1, 3: 2, 6: 3}
    for row, y in enumerate(rows):
        ink = "blue" if row in calls else "red" if row == 4 else "grey"
        for x, inwards in ((left + 60, 1), (right - 60, -1)):
            sheet.disc(ink, (x, y), 46, width=10)
            sheet.line(ink, [(x + inwards * 56, y), (x + inwards * 240, y)])
            if row in calls:
                end = (x + inwards * 580, trunks[calls[row]])
                sheet.line("green", [(x + inwards * 240, y), end], 9)
    for y in trunks:
        sheet.line("ochre", [(left + 640, y), (right - 640, y)], 14)
    sheet.text("black", ((left + right) / 2, top + 60), "four trunk lines", 50, "Sans-Bold")
    sheet.text("red", (left + 430, rows[4]), "engaged", 54, "Sans-Oblique")


def erlang_c(servers: int, load: float) -> float:
    """Return the share of customers that wait in M/M/c; `load` is λS (Erlang, 1917)."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    utilisation = load / servers
    return blocked / (1 - utilisation * (1 - blocked))
