"""The Waiting Line: the booklet of seventeen pages that the sample scan is a scan of.

It lays the pages out, each on a sheet of its own; the words and pictures come from elsewhere.
"""

import diagrams
from chapters import CHAPTERS, Page
from sheet import LEFT, RIGHT, WIDTH, Sheet

TITLE = "The Waiting Line"


def draw() -> list[Sheet]:
    """Return the booklet's sheets: cover, contents, and a sheet for each chapter."""
    chapters = [_chapter(page, number) for number, page in enumerate(CHAPTERS, start=3)]
    sheets = [_cover(), _contents(), *chapters]
    for sheet in sheets:
        _print_colour_bar(sheet)
    return sheets


def _cover() -> Sheet:
    sheet = Sheet()
    sheet.text("red", (WIDTH / 2, 720), TITLE, 190, "Serif-Bold")
    sheet.line("red", [(LEFT + 300, 860), (RIGHT - 300, 860)], 12)
    sheet.text("black", (WIDTH / 2, 950), "An illustrated handbook of queues", 84, "Serif-Italic")
    sheet.text("black", (WIDTH / 2, 1060), "for people who run servers", 84, "Serif-Italic")
    diagrams.cover(sheet, (LEFT, 1350, RIGHT, 2500))
    words = (
        "Why lines form, how long they grow, whom to turn away and when to stop working;"
        " with sixteen pictures, one table and hardly any mathematics."
    )
    sheet.paragraph(2640, words, 60, "Serif-Italic")
    return sheet


def _contents() -> Sheet:
    sheet = Sheet()
    _furnish(sheet, "Contents", 2)
    top = 760
    for number, page in enumerate(CHAPTERS, start=3):
        sheet.text("black", (LEFT, top), page.title, 60, "Serif", "ls")
        sheet.dashed("red", (LEFT + 1000, top - 6), (RIGHT - 120, top - 6), 7, 36)
        sheet.text("red", (RIGHT, top), f"{number}", 60, "Serif-Bold", "rs")
        top += 104
    diagrams.winding_line(sheet, (LEFT, top + 40, RIGHT, 2950))
    return sheet


def _chapter(page: Page, number: int) -> Sheet:
    sheet = Sheet()
    _furnish(sheet, page.title, number)
    top = 690.0
    for words in page.before:
        top = sheet.paragraph(top, words)
    bottom = top + 40 + page.diagram_height
    page.diagram(sheet, (LEFT, top + 40, RIGHT, bottom))
    top = sheet.paragraph(bottom + 40, page.caption, 44, "Serif-Italic")
    for words in page.after:
        top = sheet.paragraph(top + 10, words)
    return sheet


def _furnish(sheet: Sheet, title: str, number: int) -> None:
    """Set the running head, the title and the page's number."""
    sheet.text("red", (LEFT, 300), TITLE.upper(), 42, "Sans", "ls")
    sheet.line("red", [(LEFT, 330), (RIGHT, 330)], 6)
    sheet.text("red", (LEFT, 560), title, 120, "Serif-Bold", "ls")
    sheet.text("grey", (WIDTH / 2, 3240), f"– {number} –", 48, "Serif")


def _print_colour_bar(sheet: Sheet) -> None:
    """Print the printer's patches of the coloured inks on the sheet, in the margin below."""
    inks = [ink for ink in sheet.layers if ink not in ("black", "red")]
    for place in range(28):
        left = LEFT + place * 70
        sheet.box(inks[place % len(inks)], (left, 3130, left + 60, 3190), filled=True)
