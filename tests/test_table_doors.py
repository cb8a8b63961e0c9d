"""The two doors for tables, the bulk fix page and `fix --csv`: what they say of each line, and that neither breaks."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from openpyxl import Workbook

from issues.audit import Actor
from issues.enums import Origin, RowState
from issues.fixes import bulk, foreground
from issues.fixes.table_lookup import find_issues
from issues.fixes.tables import read_table
from issues.models import Issue
from issues.sync.sweeps import sweep_workspace
from tests.test_trials import _Inline

NEW = "https://cdn.example.com/new.mp4"


@pytest.fixture
def flagged(swept, workspace, small_sandbox):
    """Two videos and a carousel of two images, all flagged."""
    control = small_sandbox.control
    found = [
        (bundle, video) for bundle, video in control.videos(video_type="video") if bundle["status"] == "published"
    ][:3]
    for (bundle, video), fields in zip(
        found,
        [
            {"video_url": "https://gone.example.com/1.mp4", "external_ref": "Frühling 1"},
            {"video_url": "https://gone.example.com/2.mp4", "external_ref": "REF-2"},
            {"video_type": "carousel", "video_url": None, "carousel_images": ["https://gone.example.com/1.jpg"] * 2},
        ],
        strict=True,
    ):
        control.flag(bundle["id"], video["position"], "gone", **fields)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    places = [(bundle["id"], str(video["position"])) for bundle, video in found]
    assert (
        Issue.objects.filter(state="open", video__bundle__tokportal_id__in=[place[0] for place in places]).count() >= 3
    )
    return places


@pytest.fixture
def fix(bob, capsys, tmp_path, monkeypatch):
    """Run `fix --csv` on these bytes; returns the exit code, the JSON list and standard error."""
    monkeypatch.setattr(foreground, "ThreadPoolExecutor", _Inline)
    monkeypatch.setattr(foreground, "_wait_in_thread", foreground.wait_for_end)

    def run(content, **options):
        path = tmp_path / "table"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        status, complaint = 0, ""
        try:
            call_command("fix", csv=str(path), email=bob.email, json=True, **options)
        except CommandError as error:
            status, complaint = error.returncode, str(error)
        except SystemExit as error:
            status = int(error.code or 0)
        printed = capsys.readouterr()
        return status, json.loads(printed.out) if printed.out.strip() else None, printed.err + complaint

    return run


def csv_of(header, *rows):
    return "\n".join(",".join(row) for row in [header, *rows])


HEADER = ["Bundle ID", "Slot", "Old URL", "New URL", "Notes"]
OLD = "https://gone.example.com/1.mp4"


def test_the_command_tells_what_became_of_each_line(flagged, fix, small_sandbox):
    rows = [
        [*flagged[0], OLD, NEW, "x"],
        [*flagged[1], OLD, "", ""],
        ["nowhere", "1", OLD, NEW, ""],
        ["Total", "3", "", "", ""],
    ]
    status, results, said = fix(csv_of(HEADER, *rows))

    assert status == 1
    assert [(row["line"], row["lines"], row["state"], row["code"]) for row in results] == [
        (2, [2], "succeeded", None),
        (3, [3], "rejected", "LINE_UNUSABLE"),
        (4, [4], "rejected", "BUNDLE_NOT_FOUND"),
    ]
    assert "“Notes”" in said
    assert "“Old URL”" in said
    assert "Line 5 was skipped" in said
    assert [entry["body"] for entry in small_sandbox.control.ledger("fix")] == [{"video_url": NEW}]


def test_the_command_ends_well_only_if_every_line_was_done(flagged, fix):
    images = [f"https://cdn.example.com/{n}.jpg" for n in (1, 2)]
    rows = [[*flagged[0], OLD, NEW, ""], *[[*flagged[2], "", image, ""] for image in images]]
    status, results, _said = fix(csv_of(HEADER, *rows))
    assert status == 0, results
    assert [row["lines"] for row in results] == [[2], [3, 4]]
    assert "2 images" in results[1]["notes"][0]


def test_a_table_that_is_refused_says_why_and_sends_nothing(flagged, fix, small_sandbox):
    status, results, said = fix(csv_of(["bundle", "slot", "url", "video_url"], [*flagged[0], OLD, NEW]))
    assert (status, results) == (2, None)
    assert "“video_url”" in said
    assert small_sandbox.control.ledger("fix") == []


def test_a_spreadsheet_goes_through_both_doors(flagged, fix, page, team):
    book = Workbook()
    for row in [["Frühling", "", ""], HEADER, [flagged[0][0], int(flagged[0][1]), OLD, NEW, "x"]]:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    page.client.post(
        reverse("bulk_plan", args=[team.slug]),
        {"how": "table", "file": SimpleUploadedFile("t.xlsx", stream.getvalue())},
    )
    row = team.bulk_fixes.get().rows.get()
    assert (row.state, row.links, row.lines) == (RowState.CHECKING, [NEW], [3])
    assert fix(stream.getvalue())[0] == 0


def test_a_plan_shows_how_its_table_was_read(flagged, page, team):
    rows = [[*flagged[0], OLD, NEW, "x"], *[[*flagged[2], "", f"https://cdn.example.com/{n}.jpg", ""] for n in (1, 2)]]
    answer = page.client.post(
        reverse("bulk_plan", args=[team.slug]),
        {"how": "table", "table": csv_of(HEADER, *rows, ["# by Ben"])},
        follow=True,
    )
    shown = answer.content.decode()
    for text in [
        "“Old URL” (column C)",
        "Columns that were ignored: “Notes”",
        "Line 5 was skipped",
        "Line 2",
        "Lines 3–4",
    ]:
        assert text in shown


def test_a_pasted_table_and_a_file_are_not_taken_together(page, team):
    fields = {"how": "table", "table": "b1,1,x", "file": SimpleUploadedFile("t.csv", b"b2,1,y")}
    answer = page.client.post(reverse("bulk_plan", args=[team.slug]), fields)
    assert answer.status_code == 422
    assert "one of them" in answer.content.decode()
    assert "b1,1,x" in answer.content.decode()


def test_rows_and_columns_that_name_two_videos_are_refused(flagged, team):
    (bundle, slot), other = flagged[0], "REF-2"
    header = ["bundle", "slot", "reference", "url"]
    lines = read_table(csv_of(header, [bundle, slot, other, NEW], [bundle, slot, "mine", NEW])).lines
    first, second = find_issues([team], lines)
    assert "another video" in first.problem
    assert second.issue


def test_references_are_found_in_either_form_of_their_accents(flagged, team):
    import unicodedata

    for form in ("NFC", "NFD"):
        (found,) = find_issues([team], read_table(f"ref,url\n{unicodedata.normalize(form, 'Frühling 1')},{NEW}").lines)
        assert found.issue, found.problem


def test_two_lines_for_one_video_are_both_refused(flagged, team, actor):
    (bundle, slot), reference = flagged[1], "REF-2"
    text = csv_of(["bundle", "slot", "reference", "url"], [bundle, slot, "", NEW], ["", "", reference, NEW])
    plan = bulk.plan_table(team=team, text=text, actor=actor)
    assert [row.state for row in plan.rows.all()] == [RowState.REFUSED] * 2


STRANGE = [
    b"", b"\0", b"\0" * 5000, b"\xff", b"\xff\xfe", b"\xfe\xff\0", b"\xef\xbb\xbf", b"PK", b"PK\x03\x04" + b"\0" * 60, b"%PDF", b"\r", b"\n" * 9,
    b'"', b'"' * 50_001, b",", b";" * 5000, b"\t\t\t\n\t", b"|", b"||||\n|-|-|-|", b"sep=", b"sep=;", b'sep="', b"=", b"=HYPERLINK(", b"'",
    b"bundle_id,position,url", b"url", b"url\nhttps://a.example/1", b"bundle_id,position,url\n,,\n,,", b"a,1,https://[::1", b"a,1,http://",
    b"a,99999999999999999999,https://a.example/", "a,١,https://a.example/".encode(), "\u202eb1,1,https://a.example/\u202c".encode(),
    b"a,1," + b"https://a.example/" + b"x" * 30_000, (b"x" * 300 + b",") * 90, b"x" * 2_000_000, b"x,1,https://a.example/\n" * 1001,
    "bundle_id,position,url\n\ud800,1,https://a.example/".encode("utf-8", "surrogatepass"), b"\x1f\x8b\x08", b"{}", b"[]", b"<table>", b"<?xml",
    b"b1,1,https://a.example/%00", b"b1,1,https://a.example/\x00.mp4", b"b1,1,javascript:alert(1)", b"<script>,1,https://a.example/",
]  # fmt: skip


def test_no_table_breaks_the_page(page, team):
    url = reverse("bulk_plan", args=[team.slug])
    for content in STRANGE:
        answers = [page.client.post(url, {"how": "table", "file": SimpleUploadedFile("t.csv", content)})]
        if len(content) < 900_000:
            answers.append(page.client.post(url, {"how": "table", "table": content.decode("utf-8", "replace")}))
        assert {answer.status_code for answer in answers} <= {302, 422}, content[:40]
    for plan in team.bulk_fixes.all():
        assert page("bulk", plan.pk).status_code == 200


def test_no_table_breaks_the_command(fix, swept):
    for content in STRANGE:
        status, results, said = fix(content)
        assert status in {1, 2}, content[:40]
        assert said.strip() or all(row["message"] for row in results)
