"""A conversion without a server gives what a worker gives."""

from pathlib import Path

import pytest

from labserver.errors import InvalidJob
from labserver.settings import SAMPLE
from labserver.work.pdf.direct import converter


def test_each_conversion_has_a_folder_and_the_last_one_stays(tmp_path: Path) -> None:
    convert = converter(SAMPLE.with_name("page.pdf"), tmp_path, dpi=50)
    assert convert().text == convert().text == "job[pdf2image] finished, nPages=1"
    (folder,) = tmp_path.iterdir()
    assert [page.name for page in folder.iterdir()] == ["image.01.png"]


def test_what_is_no_pdf_is_refused_before_it_is_converted(tmp_path: Path) -> None:
    with pytest.raises(InvalidJob):
        converter(SAMPLE.with_name("not-a-pdf.pdf"), tmp_path)
