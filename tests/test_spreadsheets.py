"""Tables of .xlsx files, and that no input loses a line or raises."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from issues.fixes.tables import read_table
from issues.problems import Refusal
from tests.table_reading import HEADER, HOST, IMAGES, NEW, OLD, lines, one, problems, refusal, workbook

# --- Spreadsheets ------------------------------------------------------------------------------------------


def test_a_spreadsheet_is_read():
    data = workbook(["Campaign", None, None], [], HEADER, ["b1", 1, NEW], ["b2", 2.0, f"{HOST}2.mp4"])
    found = read_table(data).lines
    assert [(line.number, line.bundle_id, line.position, line.links) for line in found] == [
        (4, "b1", 1, (NEW,)),
        (5, "b2", 2, (f"{HOST}2.mp4",)),
    ]


def test_hyperlinks_below_labels_count_and_labels_that_are_links_win():
    def change(sheet):
        sheet["C2"].hyperlink = NEW
        sheet["C2"].value = "Download"
        sheet["C3"].hyperlink = OLD
        sheet["C3"].value = NEW

    found = lines(workbook(HEADER, ["b1", 1, "Download"], ["b2", 1, NEW], change=change))
    assert found == [("b1", 1, (NEW,)), ("b2", 1, (NEW,))]


def test_formulas_give_their_link_or_are_refused():
    data = workbook(HEADER, ["b1", 1, f'=HYPERLINK("{NEW}","Download")'], ["b2", 1, "=A1&B1"])
    found = read_table(data).lines
    assert found[0].links == (NEW,)
    assert "formula" in found[1].problem


def test_merged_cells_name_each_of_their_rows():
    def change(sheet):
        sheet.merge_cells("A2:A4")
        sheet.merge_cells("B2:B4")

    assert one(workbook(HEADER, ["b1", 1, IMAGES[0]], [None, None, IMAGES[1]], [None, None, IMAGES[2]], change=change)) == (
        "b1", 1, ["1.jpg", "2.jpg", "3.jpg"],
    )  # fmt: skip


def test_hidden_rows_are_not_sent():
    def change(sheet):
        sheet.row_dimensions[2].hidden = True

    assert "hidden" in problems(workbook(HEADER, ["b1", 1, OLD], ["b2", 1, NEW], change=change))[0]


def test_the_first_visible_sheet_with_links_is_read_and_the_others_are_named():
    table = read_table(
        workbook(["Read me"], sheets=[("Data", [HEADER, ["b1", 1, NEW]]), ("Old", [HEADER, ["b2", 1, OLD]])])
    )
    assert [line.bundle_id for line in table.lines] == ["b1"]
    assert any("Links" in note and "Old" in note for note in table.notes)


def test_numbers_that_were_ids_are_refused_or_keep_their_zeros():
    def change(sheet):
        sheet["A3"].number_format = "00000"

    found = read_table(workbook(HEADER, [1234567890123456789, 1, NEW], [123, 1, NEW], change=change)).lines
    assert "spreadsheet" in found[0].problem
    assert found[1].bundle_id == "00123"


def test_a_spreadsheet_of_a_thousand_rows_is_read_and_more_are_refused():
    rows = [[f"b{n}", 1, NEW] for n in range(1000)]
    assert len(read_table(workbook(HEADER, *rows)).lines) == 1000
    assert "1000" in refusal(workbook(HEADER, *rows, ["more", 1, NEW]))


# --- Any input ---------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    ["bundle_id", "position", "url", "url2", "new_url", "old", "b1", "1", "#1", NEW, OLD, '"', '""', ",", ";", "\t", "|", "\n", "\r", "\0",
     "=HYPERLINK(", "carousel-images/a/1.jpg", "---", "sep=;", "\ufeff", "é", "\ud800", "  ", "1.0", "Total", "image 1", "image 2"]
)  # fmt: skip


def answers(source):
    """The sentence of a refusal, or "read" for a table that holds what it must."""
    try:
        found = read_table(source)
    except Refusal as error:
        return str(error)
    assert found.lines
    for line in found.lines:
        assert line.problem or (line.links and (line.external_ref or (line.bundle_id and line.position)))
        assert not any("\0" in text or "\ud800" in text for text in (*line.links, line.bundle_id, line.external_ref))
    return "read"


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=60).map("".join))
@example('"' * 1001)
@example(",".join([NEW] * 5000))
def test_any_text_gives_a_table_or_a_sentence(text):
    assert answers(text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_table_or_a_sentence(data):
    assert answers(data)


WHOLE = workbook(HEADER, ["b1", 1, NEW])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_mangled_spreadsheet_gives_a_table_or_a_sentence(changes):
    mangled = bytearray(WHOLE)
    for place, value in changes:
        mangled[4 + int(place * (len(mangled) - 4))] = value
    assert answers(bytes(mangled))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(PIECES.filter(lambda piece: piece not in "\n\r\0"), min_size=1, max_size=6).map(",".join),
        min_size=1,
        max_size=12,
    )
)
def test_no_line_is_lost(rows):
    """Each line is in a line of the result, or a note names it."""
    text = "\n".join(["bundle_id,position,url", *rows])
    try:
        found = read_table(text)
    except Refusal:
        return
    told = {number for line in found.lines for number in line.numbers}
    said = " ".join(found.notes)
    for number, row in enumerate(rows, 2):
        is_blank = not row.replace('"', "").replace("\ufeff", "").strip(" ,;\t|")
        is_ruler = not row.strip("-,;| \t")
        assert number in told or f"Line {number} " in said or is_blank or is_ruler or '"' in text
