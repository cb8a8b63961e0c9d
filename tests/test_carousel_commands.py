"""Carousels by `fix` and `fix --csv`: storage paths, files, links, and the number of images."""

import json
from concurrent.futures import Future
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from issues.fixes import foreground
from issues.sandbox.media import jpeg
from issues.tokportal.storage_paths import is_storage_path
from tests import factories
from tests.carousels import PATHS, URL, fix_command, place, place_pair, sent, uploaded
from tests.driving import drive, no_long_waits  # noqa: F401 - a fixture

# --- One carousel -----------------------------------------------------------------------------------------------


def test_the_command_takes_links_files_and_paths_in_order(paths_issue, small_sandbox, tmp_path):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    done, said = fix_command(paths_issue, "--image", PATHS[1], str(photo), "--image", URL, PATHS[0])
    assert (done["state"], done["warnings"], said) == ("succeeded", [], "")
    [images] = sent(small_sandbox)
    assert [images[0], images[2], images[3]] == [PATHS[1], URL, PATHS[0]]
    assert is_storage_path(images[1])
    assert uploaded(small_sandbox) == ["presign", "put"]


def test_paths_alone_upload_nothing(paths_issue, small_sandbox):
    fix_command(paths_issue, "--image", *PATHS[::-1])
    assert sent(small_sandbox) == [PATHS[::-1]]
    assert uploaded(small_sandbox) == []


@pytest.mark.parametrize(
    "word", ["photos/summer.jpg", "no-such.jpg", "carousel-images/../x.jpg", "cdn.example.com/1.jpg", "\x00"]
)
def test_anything_else_is_refused_before_an_upload(paths_issue, small_sandbox, tmp_path, word):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    with pytest.raises(CommandError) as refused:
        fix_command(paths_issue, "--image", str(photo), PATHS[0], PATHS[1], word)
    assert refused.value.returncode == 2
    assert uploaded(small_sandbox) == sent(small_sandbox) == []


def test_an_existing_file_is_a_file(paths_issue, small_sandbox, tmp_path, monkeypatch):
    photo = tmp_path / "carousel-images" / "mine.jpg"
    photo.parent.mkdir()
    photo.write_bytes(factories.JPEG)
    monkeypatch.chdir(tmp_path)
    fix_command(paths_issue, "--image", *PATHS[:3], "carousel-images/mine.jpg")
    assert uploaded(small_sandbox) == ["presign", "put"]


def test_the_command_warns_of_fewer_images(paths_issue, small_sandbox):
    done, said = fix_command(paths_issue, "--image", *PATHS[:3])
    assert (done["state"], done["warnings"]) == ("succeeded", ["The carousel loses images: 4 → 3 images."])
    assert "4 → 3 images" in said
    assert sent(small_sandbox) == [PATHS[:3]]


@pytest.mark.parametrize("fault", [None, {"kind": "reset_after", "method": "POST", "path": "fix-download"}])
def test_the_warning_survives_what_is_noted_later(paths_issue, small_sandbox, fault):
    if fault:
        small_sandbox.control.fault(**fault)
    done, said = fix_command(paths_issue, "--image", *PATHS[:3], *([] if fault else ["--dry-run"]))
    assert done["code"] == (None if fault else "DRY_RUN_OK")
    assert done["warnings"] == ["The carousel loses images: 4 → 3 images."]
    assert "4 → 3 images" in said


def test_an_empty_argument_is_refused_in_words(paths_issue):
    done, _said = fix_command(paths_issue, "--url", "", code=1)
    assert done["code"] == "WRONG_KIND"
    for option in ("--file", "--csv"):
        with pytest.raises(CommandError) as refused:
            fix_command(paths_issue, option, "")
        assert refused.value.returncode == 2


def test_a_dry_run_with_files_changes_nothing(paths_issue, small_sandbox, tmp_path):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    done, _said = fix_command(paths_issue, "--image", *PATHS[:3], str(photo), "--dry-run")
    assert (done["state"], done["code"]) == ("cancelled", "DRY_RUN_OK")
    assert sent(small_sandbox) == []


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://gone.example.com/1.jpg", "LINK_HTTP_404"),
        ("https://private.example.com/1.jpg", "LINK_PRIVATE_ADDRESS"),
    ],
)
@pytest.mark.parametrize("option", [(), ("--unchecked",)])
def test_a_link_beside_files_is_looked_at_like_any_other(paths_issue, small_sandbox, tmp_path, link, code, option):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    insists = bool(option) and code == "LINK_HTTP_404"
    # TokPortal itself cannot open it either.
    expected = "UPLOAD_FAILED" if insists else code
    done, _said = fix_command(paths_issue, "--image", *PATHS[:2], str(photo), link, *option, code=1)
    assert (done["state"], done["code"]) == ("rejected", expected)
    assert sent(small_sandbox) == []


def test_the_command_counts_what_the_slot_holds_when_it_sends(paths_issue, small_sandbox):
    small_sandbox.images.add_samples(["carousel-images/x/5.jpg"], jpeg(5000))
    small_sandbox.control.flag(*place_pair(paths_issue), carousel_images=[*PATHS, "carousel-images/x/5.jpg"])
    done, _said = fix_command(paths_issue, "--image", *PATHS)
    assert done["warnings"] == ["The carousel loses images: 5 → 4 images."]


# --- Tables ----------------------------------------------------------------------------------------------------


class Inline:
    """In place of the threads that wait for fixes: a test's transaction is seen by its own thread alone."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


@pytest.fixture
def table_command(monkeypatch, tmp_path):
    """Run `fix --csv` in this process: exit code, results, standard error."""
    monkeypatch.setattr(foreground, "ThreadPoolExecutor", Inline)
    monkeypatch.setattr(foreground, "_wait_in_thread", foreground.wait_for_end)

    def run(text, *arguments):
        path = tmp_path / "table.csv"
        path.write_text(text)
        out, err, code = StringIO(), StringIO(), 0
        try:
            call_command(
                "fix", "--csv", str(path), *arguments, "--as", "bob@team.example", "--json", stdout=out, stderr=err
            )
        except SystemExit as ended:
            code = ended.code
        return code, json.loads(out.getvalue()), err.getvalue()

    return run


def test_a_table_takes_paths_beside_urls(paths_issue, small_sandbox, table_command):
    bundle_id, position = place(paths_issue)
    code, [result], _ = table_command(
        f"bundle_id,position,url\n{bundle_id},{position},{PATHS[2]} {URL} {PATHS[0]} {PATHS[1]}\n"
    )
    assert (code, result["state"], result["warnings"]) == (0, "succeeded", [])
    assert sent(small_sandbox) == [[PATHS[2], URL, PATHS[0], PATHS[1]]]


def test_a_table_refuses_fewer_images_unless_they_are_wanted(paths_issue, small_sandbox, table_command):
    bundle_id, position = place(paths_issue)
    text = f"bundle_id,position,url\n{bundle_id},{position},{' '.join(PATHS[:3])}\n"
    code, [refused], _ = table_command(text)
    assert (code, refused["state"], refused["code"], refused["warnings"]) == (1, "rejected", "FEWER_IMAGES", [])
    assert "4 → 3 images" in refused["message"]
    assert sent(small_sandbox) == []

    code, [done], said = table_command(text, "--fewer-images")
    assert (code, done["state"], done["warnings"]) == (0, "succeeded", ["The carousel loses images: 4 → 3 images."])
    assert "4 → 3 images" in said
    assert sent(small_sandbox) == [PATHS[:3]]


def test_a_table_counts_what_the_slot_holds_when_it_sends(paths_issue, small_sandbox, table_command):
    small_sandbox.control.flag(*place_pair(paths_issue), carousel_images=[*PATHS, URL])
    bundle_id, position = place(paths_issue)
    code, [refused], _ = table_command(f"{bundle_id},{position},{' '.join(PATHS)}\n")
    assert (code, refused["code"]) == (1, "FEWER_IMAGES")
    assert sent(small_sandbox) == []
