"""From rows to lines: the images of a carousel, and cells as people write them."""

import pytest

from issues.fixes.tables import read_table
from tests.table_reading import HOST, IMAGES, NEW, OLD, one, problems, table

# --- Carousels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["url", "url2", "url3"], [IMAGES]),
        (["image 1", "image 2", "image 3"], [IMAGES]),
        (["image 3", "image 1", "image 2"], [[IMAGES[2], IMAGES[0], IMAGES[1]]]),
        (["url", "image 2", "image 3"], [IMAGES]),
        (["new url", "url 2", "url 3"], [IMAGES]),
        (["Bild 1", "Bild 2", "Bild 3", "Bild 4"], [[*IMAGES, ""]]),
        (["1st image", "2nd image", "3rd image"], [IMAGES]),
        (["url", "url", "url"], [IMAGES]),
        (["url", "", ""], [IMAGES]),
        (["url"], [IMAGES]),
        (["images"], [[" ".join(IMAGES)]]),
        (["images"], [['"' + ", ".join(IMAGES) + '"']]),
        (["images"], [['"' + "\n".join(IMAGES) + '"']]),
        (["images"], [["; ".join(IMAGES)]]),
        (["images"], [[" | ".join(IMAGES)]]),
        (["images"], [['"1. ' + IMAGES[0] + "\n2. " + IMAGES[1] + "\n3. " + IMAGES[2] + '"']]),
        (["url"], [[link] for link in IMAGES]),
        (["carousel_images"], [["\"[" + ", ".join(f'""{link}""' for link in IMAGES) + "]\""]]),
        (["image", "url"], [["3/3", IMAGES[2]], ["1/3", IMAGES[0]], ["2/3", IMAGES[1]]]),
        (["slide", "url"], [["2 of 3", IMAGES[1]], ["1 of 3", IMAGES[0]], ["3 of 3", IMAGES[2]]]),
        (["image no", "url"], [["3", IMAGES[2]], ["1", IMAGES[0]], ["2", IMAGES[1]]]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["\t", ","])
def test_all_images_arrive_in_order(header, rows, by):
    text = table(["bundle", "position", *header], *[["b1", "1", *row] for row in rows], by=by)
    assert one(text) == ("b1", 1, ["1.jpg", "2.jpg", "3.jpg"])


def test_storage_paths_are_links():
    paths = ["carousel-images/org/1.jpg", "carousel-images/org/2.jpg"]
    text = table(["bundle", "position", "image 1", "image 2"], ["b1", "1", *paths])
    assert one(text) == ("b1", 1, paths)
    assert one(f"b1\t1\t{' '.join(paths)} {HOST}3.jpg") == ("b1", 1, [*paths, "3.jpg"])


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (["image 1", "image 2", "image 3"], [[IMAGES[0], "", IMAGES[2]]], "“image 2” is empty"),
        (["image no", "url"], [["1", IMAGES[0]], ["3", IMAGES[1]]], "1 to 2"),
        (["image no", "url"], [["2", IMAGES[0]]], "all images"),
        (["image no", "url"], [["1", IMAGES[0]], ["", IMAGES[1]]], "image number"),
        (["image no", "url"], [["1", IMAGES[0]], ["1", IMAGES[1]]], "1 to 2"),
        (["url"], [[IMAGES[0]], [""]], "Line 3"),
        (["url"], [[IMAGES[0]], [IMAGES[0]]], "the same"),
    ],
)
def test_an_image_that_is_missing_refuses_the_carousel(header, rows, says):
    (said,) = problems(table(["bundle", "position", *header], *[["b1", "1", *row] for row in rows]))
    assert says in said


def test_rows_of_one_video_that_are_apart_are_refused_together():
    rows = [["b1", "1", IMAGES[0]], ["b2", "1", IMAGES[1]], ["b1", "1", IMAGES[2]]]
    assert [bool(said) for said in problems(table(["bundle", "position", "url"], *rows))] == [True, False]


def test_a_row_without_a_name_holds_up_the_one_above():
    rows = [["b1", "1", IMAGES[0]], ["", "", IMAGES[1]], ["b2", "1", IMAGES[2]]]
    found = problems(table(["bundle", "position", "url"], *rows))
    assert [bool(said) for said in found] == [True, True, False]
    assert "Line 3" in found[0]


# --- Cells -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "1",
        "1.0",
        "1,0",
        "#1",
        "'1",
        " 1 ",
        "1.",
        "Slot 1",
        "slot #1",
        "No. 1",
        "Nr.1",
        "01",
        "1)",
        "'1'",
        "\u200b1\u00a0",
        '="1"',
        "Position: 1",
        "n° 1",
    ],
)
def test_positions_as_spreadsheets_and_people_write_them(cell):
    assert one(f"bundle\tslot\turl\nb1\t{cell}\t{NEW}") == ("b1", 1, ["new.mp4"])


@pytest.mark.parametrize(
    "cell", ["0", "-1", "1.5", "1,000", "1 of 4", "1/4", "one", "1e2", "999999999", "2026-01-01", "1-2"]
)
def test_what_is_no_position_is_refused(cell):
    (said,) = problems(f"bundle\tslot\turl\nb1\t{cell}\t{NEW}")
    assert "not a position" in said


@pytest.mark.parametrize(
    "cell",
    [
        f'=HYPERLINK("{NEW}","Download")', f'=HYPERLINK("{NEW}";"Herunterladen")', f'=LINK("{NEW}")', f'=LIEN_HYPERTEXTE("{NEW}"; "x")',
        f'=HYPERLINK(""{NEW}"",""x"")', f'=hyperlink( "{NEW}" )', f'="{NEW}"', f"\u200b{NEW}", f"{NEW}\u00a0", f"\ufeff{NEW}",
    ],
)  # fmt: skip
def test_links_inside_formulas_and_invisible_characters(cell):
    assert one(f"bundle\tslot\turl\nb1\t1\t{cell}") == ("b1", 1, ["new.mp4"])
    quoted = '"' + cell.replace('"', '""') + '"'
    assert one(f"bundle,slot,url\nb1,1,{quoted}") == ("b1", 1, ["new.mp4"])


@pytest.mark.parametrize(
    "cell",
    [
        f"[Download]({NEW})", f"[{NEW}]({NEW})", f'<a href="{NEW}">Download</a>', f'<a href="{NEW}">{NEW}</a>', f"<{NEW}|Download>",
        f"<{NEW}>", f'![reel]({NEW} "a title")',
    ],
)  # fmt: skip
def test_markup_gives_the_link_that_it_leads_to(cell):
    assert one(f"bundle\tslot\turl\nb1\t1\t{cell}") == ("b1", 1, ["new.mp4"])
    assert one(f"| bundle | slot | url |\n|---|---|---|\n| b1 | 1 | {cell.replace('|', chr(92) + '|')} |") == (
        "b1",
        1,
        ["new.mp4"],
    )


def test_several_links_in_markup_are_images_in_order():
    cell = ", ".join(f"[{n}]({link})" for n, link in enumerate(IMAGES))
    assert one(f"bundle\tslot\turl\nb1\t1\t{cell}") == ("b1", 1, ["1.jpg", "2.jpg", "3.jpg"])
    (line,) = read_table(f"bundle\tslot\turl\nb1\t1\t[{OLD}]({NEW})").lines
    assert line.links != (OLD,)


@pytest.mark.parametrize("cell", ['=HYPERLINK(A2,"Download")', "=A2", '=CONCATENATE("https://a/",B2)&".mp4"'])
def test_formulas_without_a_result_are_refused(cell):
    (said,) = problems(f"bundle\tslot\turl\nb1\t1\t{cell}")
    assert said


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ("000123", "000123"), ("12345678901234567890", "12345678901234567890"), ("'00123", "00123"), ("123.0", "123"), ('="0012"', "0012"),
        ("https://app.tokportal.com/dashboard/bundles/8c1f-22?tab=videos", "8c1f-22"), ("https://app.tokportal.com/bundle/8c1f-22", "8c1f-22"),
    ],
)  # fmt: skip
def test_bundle_ids_stay_text(cell, key):
    assert one(f"bundle\tslot\turl\n{cell}\t1\t{NEW}") == (key, 1, ["new.mp4"])


@pytest.mark.parametrize("cell", ["1.23E+15", "1,23E+15", "1E+20", "=A2", "https://example.com/bundles/1", "x" * 200])
def test_ids_that_a_spreadsheet_has_spoiled_are_refused(cell):
    assert problems(f"bundle\tslot\turl\n{cell}\t1\t{NEW}") != [""]


@pytest.mark.parametrize(
    "row",
    [
        f"Smith, John,1,{OLD},{NEW}", f"b1,1,{OLD},{NEW},w_1,h_2", f"b1,1,0,{OLD},{NEW}",
    ],
)  # fmt: skip
def test_cells_that_a_comma_has_moved_are_refused(row):
    (said,) = problems(f"bundle,position,old url,new url\n{row}")
    assert said
