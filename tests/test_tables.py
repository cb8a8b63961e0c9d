"""Tables of links as people have them: what is read, what is refused, and that no line is lost."""

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from issues.fixes.tables import MAX_BYTES, read_table
from issues.fixes.tables.header import understand
from issues.problems import Refusal

HOST = "https://c.example.com/"


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


# --- Bytes and lines ---------------------------------------------------------------------------------------

PLAIN = f"bundle_id;position;url\r\nb-ü;2;{HOST}a.mp4\r\n"


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_unicode_is_read_with_or_without_a_mark(codec):
    marks = {"utf-16-be": b"\xfe\xff", "utf-32-be": b"\x00\x00\xfe\xff"}
    for mark in {b"", marks.get(codec, b"")}:
        table = read_table(mark + PLAIN.encode(codec))
        assert [(line.bundle_id, line.position) for line in table.lines] == [("b-ü", 2)]
        assert not any("UTF-8" in note for note in table.notes)


@pytest.mark.parametrize(
    ("codec", "line_end", "name"),
    [("cp1252", "\r\n", "Windows-1252"), ("cp1252", "\n", "Windows-1252"), ("mac_roman", "\r", "Mac Roman")],
)
def test_old_encodings_are_assumed_and_said(codec, line_end, name):
    table = read_table(PLAIN.replace("\r\n", line_end).encode(codec))
    assert table.lines[0].bundle_id == "b-ü"
    assert any(name in note and "UTF-8" in note for note in table.notes)


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\r\r\n", "\u2028", "\u2029", "\x85", "\n\n\n"])
def test_line_ends_of_every_system(line_end):
    assert len(lines(PLAIN.replace("\r\n", line_end))) == 1


def test_numbers_of_lines_are_those_of_the_file():
    text = f"\n\nTitle\n\nbundle_id,position,url\n\nb1,1,{HOST}1.mp4\n\nb2,1,\n"
    table = read_table(text)
    assert [(line.number, bool(line.problem)) for line in table.lines] == [(7, False), (9, True)]
    assert any("Line 3 was skipped" in note for note in table.notes)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ".xls"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"PK\x03\x04 broken", "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "picture"),
        (bytes(range(256)) * 4, "UTF-8"),
        (b"\x81\x8d\x8f;1;x", "UTF-8"),
        (b"\xff\xfea", "UTF-8"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "not a table"),
        (b'<?xml version="1.0"?><Workbook/>', "not a table"),
        (b'[{"bundle_id": "b1"}]', "JSON"),
        (b"x" * (MAX_BYTES + 1), "too large"),
        ("x,1,y\n" * 400_000, "too large"),
    ],
)
def test_what_is_no_text_is_refused_with_the_way_out(data, says):
    assert says in refusal(data)


# --- Delimiters and quotes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["\t", ";", ",", "|", " | "])
@pytest.mark.parametrize("link", ["a.mp4", "a,b;c.mp4", "w_300,h_200/a;v=1.mp4?x=1,2;3"])
@pytest.mark.parametrize("is_headed", [True, False])
def test_the_delimiter_is_found_by_all_lines(by, link, is_headed):
    """A link that holds the delimiter itself is not cut: it is taken whole, or its line says so."""
    cells = [["b-1", "1", HOST + link], ["b-2", "2", HOST + "plain.mp4"]]
    rows = ([["bundle_id", "position", "url"]] if is_headed else []) + cells
    found = read_table("\n".join(by.join(row) for row in rows)).lines
    assert [line.bundle_id for line in found] == ["b-1", "b-2"]
    assert found[1].links == (HOST + "plain.mp4",)
    assert found[0].links == (HOST + link,) or found[0].problem
    if by.strip() not in link or by == "\t":
        assert found[0].links == (HOST + link,)


@pytest.mark.parametrize(
    "text",
    [
        f"| bundle | position | url |\n|---|:-:|---|\n| b1 | 1 | {HOST}1.mp4 |",
        f"bundle | position | url\n--- | --- | ---\nb1 | 1 | {HOST}1.mp4",
        f" bundle_id | position | url\n-----------+----------+-----\n b1 | 1 | {HOST}1.mp4\n(1 row)",
        f"+----+---+---+\n| bundle | position | url |\n+----+---+---+\n| b1 | 1 | {HOST}1.mp4 |\n+----+---+---+",
        f"sep=;\nbundle;position;url\nb1;1;{HOST}1.mp4",
        f'"sep=|"\nbundle|position|url\nb1|1|{HOST}1.mp4',
        f"SEP=\t\nbundle\tposition\turl\nb1\t1\t{HOST}1.mp4",
        f"b1 1 {HOST}1.mp4",
        f"b1   1   {HOST}1.mp4",
        f"url;slot;bundle\n{HOST}1.mp4;1;b1",
        f"`b1`|**1**|{HOST}1.mp4",
    ],
)
def test_one_line_in_many_dialects(text):
    assert one(text) == ("b1", 1, ["1.mp4"])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (f'b1,1,"{HOST}1.mp4\nb2,1,{HOST}2.mp4\nb3,1,{HOST}3.mp4', 1),
        (f'bundle,position,url,notes\nb1,1,{HOST}1.mp4,"open\nb2,1,{HOST}2.mp4,x\nb3,1,{HOST}3.mp4,y', 2),
        (f'bundle,position,url,notes\nb1,1,{HOST}1.mp4,"open\nb2,1,{HOST}2.mp4,"closed"\nb3,1,{HOST}3.mp4,y', 2),
        (f'bundle,position,url,notes\nb1,1,{HOST}1.mp4,"open\nb2,1,{HOST}2.mp4,7"\nb3,1,{HOST}3.mp4,y', 2),
        (f'"b1;1;{HOST}1.mp4\nb2;1;{HOST}2.mp4\nb3;1;{HOST}3.mp4', 1),
        (f'b1\t1\t"{HOST}1.mp4\nb2\t1\t{HOST}2.mp4\nb3\t1\t{HOST}3.mp4\t"x"', 1),
    ],
)
def test_a_stray_quote_costs_its_own_line_alone(text, first):
    found = read_table(text).lines
    assert [bool(line.problem) for line in found] == [True, False, False]
    assert f"Line {first}" in found[0].problem
    assert "quote" in found[0].problem
    assert [line.number for line in found] == [first, first + 1, first + 2]


@pytest.mark.parametrize(
    "note", ['7" reel', '"the ""big"" one"', '"Summer" reel', '"a\nb\nc"', "5'11\"", '""', '"a, b; c"']
)
def test_quotes_that_are_text_or_closed_are_no_fault(note):
    found = read_table(f"bundle,position,url,notes\nb1,1,{HOST}1.mp4,{note}\nb2,1,{HOST}2.mp4,x").lines
    assert [(line.bundle_id, line.problem) for line in found] == [("b1", ""), ("b2", "")]


# --- Headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "bundle") for name in ["Bundle ID", "bundle-id", "bundleId", "BUNDLE_ID", "Bundle", "bundles", "Paket-ID", "paquet", "Pacchetto", "pakiet"]],
        *[(name, "position") for name in ["Position", "pos.", "Slot", "SLOTS", "Platz", "Emplacement", "Posición", "posição", "posizione", "positie", "Pozycja", "#", "Nr.", "N°", "Video #", "Numéro"]],
        *[(name, "reference") for name in ["external_ref", "External ID", "external-id", "Ref", "Reference", "Referenz", "Référence", "referencia", "Riferimento", "referentie", "referencja", "ext. ref", "Externe ID"]],
        *[(name, "link") for name in ["url", "URLs", "Link", "video_url", "New URL", "neuer Link", "Neuer-Link", "Nouveau lien", "Enlace nuevo", "novo link", "nuovo collegamento", "nieuwe link", "Nowy link", "Videolink", "newVideoUrl", "MP4 link", "url (direct)"]],
        *[(name, "order") for name in ["image number", "Bild-Nr.", "Reihenfolge", "order", "image order"]],
        *[(name, "other") for name in ["Notes", "Kommentar", "caption", "Download issue", "bundle title", "Status", "Link name", "download_issue_comment"]],
        *[(name, "elsewhere") for name in ["platform_url", "TikTok link", "Post URL", "thumbnail url", "reference link"]],
    ],
)  # fmt: skip
def test_headers_as_people_write_them(name, role):
    assert understand(0, name).role == role


@pytest.mark.parametrize(
    ("name", "age"),
    [
        *[(name, "new") for name in ["new url", "Neuer Link", "replacement", "URL (new)", "replaced by", "link after", "Ersatzlink", "lien de remplacement", "updated link", "corrected url", "To"]],
        *[(name, "old") for name in ["old url", "Alter Link", "current link", "ancien lien", "broken url", "before", "enlace anterior", "url to replace", "Defekter Link", "previous", "vecchio link", "stary link"]],
        *[(name, "unsaid") for name in ["url", "video_url", "link", "Image 1"]],
        *[(name, "unclear") for name in ["original url", "fix for broken link", "replace"]],
    ],
)  # fmt: skip
def test_old_and_new_are_told_apart(name, age):
    assert understand(0, name).age == age


OLD, NEW = HOST + "old.mp4", HOST + "new.mp4"


@pytest.mark.parametrize("is_old_first", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("video_url", "new_url"), ("url", "New URL"), ("link", "replacement"), ("old_url", "url"), ("Before", "After"),
        ("current link", "link"), ("Alter Link", "Neuer Link"), ("ancien lien", "nouveau lien"), ("video_url", "new"),
        ("broken link", "video url"), ("Original", "Replacement"), ("platform_url", "url"), ("tiktok link", "video_url"),
        ("Poprzedni link", "Nowy odnośnik"), ("Gammel lenke", "Ny lenke"), ("Vanha linkki", "Uusi linkki"),
        ("Link vechi", "Link nou"), ("Régi link", "Új link"), ("Παλιός σύνδεσμος", "Νέος σύνδεσμος"),
        ("Enlace antiguo", "Nuevo enlace"), ("Link atual", "Link corrigido"), ("Link not working", "Link"),
    ],
)  # fmt: skip
def test_the_new_link_is_sent_whichever_column_comes_first(old, new, is_old_first):
    pairs = [(old, OLD), (new, NEW)]
    names, cells = zip(*(pairs if is_old_first else pairs[::-1]), strict=True)
    assert one(table(["bundle id", "slot", *names], ["b1", "1", *cells])) == ("b1", 1, ["new.mp4"])


@pytest.mark.parametrize(
    "names",
    [
        ["url", "video_url"], ["link", "url"], ["new url", "replacement link"], ["url", "original url"], ["old url"],
        ["url", "url v2"], ["Quelle", "Ziel"], ["source url", "target url"], ["url", "foo"], ["link", "Dropbox"],
        ["final url", "video link"], ["broken link"], ["url", "link", "video url"], ["image 1", "picture 1"],
    ],
)  # fmt: skip
def test_links_that_cannot_be_told_apart_are_named_and_refused(names):
    cells = [f"{HOST}{index}.mp4" for index in range(len(names))]
    said = refusal(table(["bundle", "position", *names], ["b1", "1", *cells]))
    assert all(name in said for name in names)


@pytest.mark.parametrize("new", ["new_url", "New", "replacement", "Neuer Link"])
def test_an_empty_new_link_never_falls_back_to_the_old(new):
    text = table(["bundle", "position", "video_url", new], ["b1", "1", OLD, ""])
    assert problems(text) == ["There is no new link in this line."]


@pytest.mark.parametrize(
    ("cell", "sent"),
    [("see mail", ["see mail"]), ("pending", ["pending"]), ("yes", ["old.mp4"]), ("2026-11-26", ["old.mp4"])],
)
def test_a_column_of_new_links_without_a_link_is_not_skipped(cell, sent):
    """“see mail” is refused as no link; a column that only ticks off says nothing about the links."""
    assert one(table(["bundle", "position", "url", "replacement"], ["b1", "1", OLD, cell]))[2] == sent


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (["bundle", "url"], "position"), (["slot", "url"], "bundle"), (["title", "url"], "bundle_id"),
        (["bundle", "slot", "foo"], "foo"), (["bundle", "slot"], "url"),
        (["#", "bundle", "url"], "#"),
    ],
)  # fmt: skip
def test_a_missing_column_is_named(header, missing):
    rows = [
        [f"{HOST}{n}.mp4" if name in {"url", "foo"} else str(n) if name == "#" else f"x{n}" for name in header]
        for n in (1, 2, 3)
    ]
    assert missing in refusal(table(header, *rows))


def test_a_header_of_unknown_words_is_not_read_as_data():
    assert "Line 1" in refusal(table(["foo", "bar", "baz"], ["b1", "1", NEW]))


def test_ignored_columns_and_skipped_lines_are_named():
    text = table(
        ["Bundle", "Slot", "Caption", "URL", "Notes"],
        ["b1", "1", "c", NEW, "n"],
        ["Total", "1", "", "", ""],
        ["# done by Ben", "", "", "", ""],
    )
    said = " ".join(read_table(text).notes)
    assert all(word in said for word in ["Caption", "Notes", "Line 3", "Total", "Line 4"])
    assert one(text) == ("b1", 1, ["new.mp4"])


@pytest.mark.parametrize("reference", ["REF 1", "Total recall reel", "#summer", "Sum 41 · live"])
def test_a_reference_without_a_link_is_a_line_not_a_remark(reference):
    assert problems(f"reference,url\nR2,{NEW}\n{reference},") == ["", "There is no link in this line."]
    assert len(problems(f"R2,{NEW}\n{reference},")) == 2


def test_two_tables_below_each_other_are_not_mixed():
    header = ["bundle", "position", "url"]
    assert lines(table(header, ["b1", "1", NEW], header, ["b2", "1", NEW]))[1][0] == "b2"
    assert "line 3" in refusal(table(header, ["b1", "1", NEW], ["url", "position", "bundle"], [NEW, "1", "b2"]))


# --- Carousels ---------------------------------------------------------------------------------------------

IMAGES = [f"{HOST}{n}.jpg" for n in (1, 2, 3)]


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


# --- Spreadsheets ------------------------------------------------------------------------------------------


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


HEADER = ["Bundle ID", "Slot", "New URL"]


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
