"""Tables of links as people have them: what is read, what is refused, and that no line is lost."""

import pytest

from issues.fixes.tables import MAX_BYTES, read_table
from issues.fixes.tables.header import understand
from tests.table_reading import HOST, NEW, OLD, lines, one, problems, refusal, table

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
