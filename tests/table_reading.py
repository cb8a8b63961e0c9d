"""Short ways to say what a table gives, for the tests of the reader."""

import io

import pytest
from openpyxl import Workbook

from issues.fixes.tables import read_table
from issues.problems import Refusal

HOST = "https://c.example.com/"
OLD, NEW = HOST + "old.mp4", HOST + "new.mp4"
IMAGES = [f"{HOST}{n}.jpg" for n in (1, 2, 3)]
HEADER = ["Bundle ID", "Slot", "New URL"]


def lines(source):
    return [(line.bundle_id or line.external_ref, line.position, line.links) for line in read_table(source).lines]


def one(source):
    (line,) = read_table(source).lines
    assert not line.problem, line.problem
    return (line.bundle_id or line.external_ref, line.position, [link.removeprefix(HOST) for link in line.links])


def problems(source):
    return [line.problem for line in read_table(source).lines]


def refusal(source):
    with pytest.raises(Refusal) as error:
        read_table(source)
    return error.value.sentence


def table(header, *rows, by=","):
    return "\n".join(by.join(row) for row in [header, *rows])


def workbook(*rows, change=lambda sheet: None, sheets=()):
    book = Workbook()
    sheet = book.active
    sheet.title = "Links"
    for row in rows:
        sheet.append(row)
    for name, content in sheets:
        other = book.create_sheet(name)
        for row in content:
            other.append(row)
    change(sheet)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
