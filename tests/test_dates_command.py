"""`fix --keep-dates`: one video and a table, with what they print and on which stream."""

import pytest

from issues.sandbox.media import mp4
from tests.test_commands import GOOD, connected, flagged, new, synced  # noqa: F401 - fixtures
from tests.test_keep_dates import later, midnight

AS = ("--as", "alice@team.example")
WARNING = "The fix would post the video 4 days earlier than planned."


@pytest.fixture
def planned(connected, small_sandbox):  # noqa: F811
    """A flagged video that is planned for five days from now: bundle, position."""
    bundle_id, position = flagged(small_sandbox)
    first, last = later(5).texts
    small_sandbox.control.flag(
        bundle_id, int(position), "broken", target_publish_date=first, target_publish_end_date=last
    )
    connected.json("sync")
    return bundle_id, position


def said(installation, *arguments):
    status, out, err = installation.run("fix", *arguments, *AS)
    assert status == 0, err
    return out, err


def dates_of(done):
    return done["state"], done["dates_kept"], done["dates_code"], done["target_publish_date"]


def test_without_a_word_it_warns_and_posts_earlier(connected, planned):  # noqa: F811
    out, err = said(connected, *planned, "--url", GOOD)

    assert err.startswith(WARNING)
    first, last = later(1).texts
    assert f"Publish dates: {first} to {last}." in out


@pytest.mark.parametrize("option", ["--keep-dates", "--no-keep-dates"])
def test_with_a_word_it_does_not_warn(connected, planned, option):  # noqa: F811
    kept = option == "--keep-dates"
    out, err = said(connected, *planned, "--url", GOOD, option)

    assert err == ""
    first, last = later(5 if kept else 1).texts
    assert f"Publish dates: {first} to {last}." in out


def test_the_json_tells_what_holds_at_the_end(connected, planned):  # noqa: F811
    done = connected.json("fix", *planned, "--url", GOOD, "--keep-dates", *AS)

    first, last = later(5).texts
    assert dates_of(done) == ("succeeded", True, None, midnight(first))
    assert done["target_publish_end_date"] == midnight(last)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 400, "code": "INVALID_DATE", "details": {"earliest_allowed": "2027-01-01"}}, "INVALID_DATE"),
        ({"status": 409, "code": "VIDEOS_PER_DAY_EXCEEDED"}, "VIDEOS_PER_DAY_EXCEEDED"),
        ({"status": 409, "code": "MANAGED_ACCOUNT_TASK_BLOCKED"}, "MANAGED_ACCOUNT_TASK_BLOCKED"),
        ({"status": 500}, "DATES_UNKNOWN"),
    ],
)
def test_a_refusal_is_a_success_without_the_dates(connected, planned, small_sandbox, fault, code):  # noqa: F811
    small_sandbox.control.fault("status", method="PATCH", times=-1, **fault)

    done = connected.json("fix", *planned, "--url", GOOD, "--keep-dates", *AS)

    assert dates_of(done) == ("succeeded", False, code, midnight(later(1).texts[0]))


def test_a_file_keeps_the_dates(connected, planned, tmp_path):  # noqa: F811
    path = tmp_path / "a.mp4"
    path.write_bytes(mp4(4000).part(0, 4000))

    done = connected.json("fix", *planned, "--file", str(path), "--keep-dates", *AS)

    assert dates_of(done) == ("succeeded", True, None, midnight(later(5).texts[0]))


def test_a_table_warns_by_line_and_keeps_the_dates(connected, planned, tmp_path):  # noqa: F811
    table = tmp_path / "fixes.csv"
    table.write_text(f"bundle_id,position,url\n{planned[0]},{planned[1]},{GOOD}\n")

    status, _out, err = connected.run("fix", "--csv", str(table), "--keep-dates", "--dry-run", *AS)
    assert status == 2
    assert "Traceback" not in err
    [line] = connected.json("fix", "--csv", str(table), "--keep-dates", *AS)

    assert dates_of(line) == ("succeeded", True, None, midnight(later(5).texts[0]))


def test_a_table_without_a_word_warns_before_it_sends(connected, planned, tmp_path):  # noqa: F811
    table = tmp_path / "fixes.csv"
    table.write_text(f"bundle_id,position,url\n{planned[0]},{planned[1]},{GOOD}\n")

    out, err = said(connected, "--csv", str(table))

    assert WARNING in err
    assert planned[0] in err
    assert WARNING not in out
