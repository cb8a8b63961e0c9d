"""Carousels through the doors that people use: storage paths, the number of images, HEIC, TokPortal's copies."""

import json
from concurrent.futures import Future
from datetime import UTC
from io import StringIO

import pytest
import requests
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from issues import tasks
from issues.audit import Actor
from issues.checks.store import look_at_links
from issues.enums import FixKind, FixState, IssueState, MediaState, Origin
from issues.fixes import bulk, foreground
from issues.fixes.prepared import prepare, send_prepared
from issues.fixes.submit import check_links, submit_links
from issues.fixes.uploads import FileFacts, begin_upload
from issues.models import AuditEvent, Fix, LinkCheck, Video, Workspace
from issues.problems import Refusal
from issues.queries.bulk import read_plan
from issues.sandbox.media import heic, jpeg
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.storage_paths import is_storage_path
from tests import factories
from tests.driving import drive, no_long_waits  # noqa: F401 - a fixture

HX = {"HX-Request": "true", "HX-Target": "fix-panel"}
PATHS = [f"carousel-images/org_x/b/photo-{number}.jpg" for number in range(1, 5)]
URL = "https://cdn.example.com/new.jpg"
PHOTO = heic(700).part(0, 700)


@pytest.fixture
def slot(workspace, small_sandbox):
    """An open issue of a carousel of four storage paths, whose files are there."""
    bundle, video = factories.slot(small_sandbox, "carousel")
    small_sandbox.images.add_samples(PATHS, jpeg(5000))
    small_sandbox.control.settings(carousel_form="paths")
    small_sandbox.control.flag(
        bundle["id"], video["position"], "image 2 does not load", carousel_images=PATHS,
        target_publish_date=today(), target_publish_end_date=today(),
    )  # fmt: skip
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return factories.open_issue("carousel", bundle["id"], video["position"])


def today() -> str:
    return timezone.now().astimezone(UTC).date().isoformat()


@pytest.fixture
def prefix(workspace, small_sandbox):
    """The workspace knows where TokPortal's images can be opened."""
    workspace.storage_prefix = f"{small_sandbox.images.origin}/{small_sandbox.images.base}"
    workspace.save()
    return workspace.storage_prefix


def sent(sandbox) -> list[list[str]]:
    return [entry["body"]["carousel_images"] for entry in sandbox.control.ledger("fix")]


def uploaded(sandbox) -> list[str]:
    return [entry["kind"] for kind in ("presign", "put", "direct") for entry in sandbox.control.ledger(kind)]


def place(issue) -> tuple[str, str]:
    return issue.video.bundle.tokportal_id, str(issue.video.position)


def fix_command(issue, *arguments, code=0):
    """Run `fix` in this process: its JSON and what it says on standard error."""
    out, err = StringIO(), StringIO()
    exit_code = 0
    try:
        call_command("fix", *place(issue), *arguments, "--as", "bob@team.example", "--json", stdout=out, stderr=err)
    except SystemExit as ended:
        exit_code = ended.code
    assert exit_code == code, err.getvalue()
    return json.loads(out.getvalue()), err.getvalue()


# --- Storage paths are TokPortal's own files -------------------------------------------------------------------


def test_a_path_is_never_a_bad_link_and_never_at_risk(slot):
    assert (slot.verdict, slot.verdict_class) == ("tokportal_file", "unsure")
    Video.objects.filter(pk=slot.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    slot.video.refresh_from_db()
    assert (slot.video.link_verdict, slot.video.link_class) == ("tokportal_file", "unsure")


def test_with_the_prefix_paths_are_opened(slot, prefix, small_sandbox):
    del small_sandbox.images.sizes[PATHS[2]]
    Video.objects.filter(pk=slot.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    slot.refresh_from_db()
    assert (slot.verdict, slot.verdict_class) == ("file_gone", "dead")
    seen = dict(LinkCheck.objects.filter(shown_url__in=PATHS).values_list("shown_url", "verdict"))
    assert [seen[path] for path in PATHS] == [
        "tokportal_copy_ok",
        "tokportal_copy_ok",
        "file_gone",
        "tokportal_copy_ok",
    ]


def test_a_storage_that_refuses_us_accuses_nobody(slot, workspace):
    workspace.storage_prefix = "https://forbidden.example.com/public/"
    workspace.save()
    Video.objects.filter(pk=slot.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    slot.refresh_from_db()
    assert slot.verdict == "tokportal_file"


def test_the_page_shows_paths_and_links_to_their_public_address(page, slot, prefix):
    said = page("issue", slot.pk).content.decode()
    assert PATHS[0] in said
    assert f'href="{prefix}{PATHS[0]}"' in said
    assert "Not a web link" not in said
    assert "\n".join(PATHS) in said


def test_typed_paths_are_told_from_other_words(page, slot):
    url = reverse("link_look", args=[slot.team.slug, slot.pk])
    said = page.client.post(url, {"links": "\n".join([*PATHS[:3], "photos/summer.jpg"])}).content.decode()
    assert said.count("TokPortal&#x27;s own file") == 3
    assert "not a complete web link" in said


def test_the_form_sends_paths_beside_urls_in_order(page, slot, small_sandbox):
    links = [PATHS[3], URL, "carousel-images/org_x/other/9.jpg", PATHS[0]]
    small_sandbox.images.add_samples([links[2]], jpeg(5000))
    answer = page.client.post(
        reverse("submit_fix", args=[slot.team.slug, slot.pk]), {"links": "\r\n".join(links)}, headers=HX
    )
    assert answer.status_code == 200
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [links]
    assert uploaded(small_sandbox) == []


@pytest.mark.parametrize(
    "word", ["photos/summer.jpg", "cdn.example.com/1.jpg", "/carousel-images/1.jpg", "carousel-images/../1.jpg"]
)
def test_what_is_no_path_of_tokportals_is_refused(slot, actor, word):
    with pytest.raises(Refusal) as caught:
        submit_links(issue=slot, links=[*PATHS[:3], word], actor=actor)
    assert caught.value.code == "LINK_MALFORMED"


@pytest.mark.parametrize(
    ("line", "images"),
    [
        (f"{PATHS[0]}, {PATHS[1]}", PATHS[:2]),
        (f"{PATHS[0]},{PATHS[1]};{URL}", [*PATHS[:2], URL]),
        (f"{URL} {PATHS[0]}", [URL, PATHS[0]]),
        (f'"{PATHS[0]}",', PATHS[:1]),
        (f"\u200b<{PATHS[0]}>", PATHS[:1]),
        (f"“{PATHS[0]}”\t“{PATHS[1]}”", PATHS[:2]),
    ],
)
def test_paths_may_stand_in_one_line(line, images):
    assert check_links(FixKind.CAROUSEL_URLS, [line]) == images


def test_a_path_that_the_slot_holds_may_lie_in_any_folder(workspace, small_sandbox, actor):
    held = ["images/v2/1.jpg", "images/v2/2.jpg"]
    bundle, video = factories.slot(small_sandbox, "carousel")
    small_sandbox.images.add_samples(held, jpeg(5000))
    small_sandbox.control.flag(bundle["id"], video["position"], carousel_images=held)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    issue = factories.open_issue("carousel", bundle["id"], video["position"])
    assert issue.verdict == "tokportal_file"
    assert drive(submit_links(issue=issue, links=held[::-1], actor=actor)).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [held[::-1]]


def test_a_video_takes_no_path(video_issue, actor):
    with pytest.raises(Refusal):
        submit_links(issue=video_issue, links=[PATHS[0]], actor=actor)


def test_our_own_fix_is_followed_by_no_accusation(slot, actor, small_sandbox, workspace):
    for form in ("mixed", "paths", "urls"):
        small_sandbox.control.settings(carousel_form=form)
        drive(submit_links(issue=slot, links=[*PATHS[:3], URL], actor=actor))
        place_of = slot.video.bundle.tokportal_id, slot.video.position
        small_sandbox.control.flag(*place_of, "again")
        sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
        Video.objects.filter(pk=slot.video_id).update(link_due_at="2000-01-01T00:00Z")
        tasks.check_links()
        sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
        slot = factories.open_issue("carousel", *place_of)
        assert slot.verdict_class in {"unsure", "ok"}


# --- The command -----------------------------------------------------------------------------------------------


def test_the_command_takes_links_files_and_paths_in_order(slot, small_sandbox, tmp_path):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    done, said = fix_command(slot, "--image", PATHS[1], str(photo), "--image", URL, PATHS[0])
    assert (done["state"], done["warnings"], said) == ("succeeded", [], "")
    [images] = sent(small_sandbox)
    assert [images[0], images[2], images[3]] == [PATHS[1], URL, PATHS[0]]
    assert is_storage_path(images[1])
    assert uploaded(small_sandbox) == ["presign", "put"]


def test_paths_alone_upload_nothing(slot, small_sandbox):
    fix_command(slot, "--image", *PATHS[::-1])
    assert sent(small_sandbox) == [PATHS[::-1]]
    assert uploaded(small_sandbox) == []


@pytest.mark.parametrize(
    "word", ["photos/summer.jpg", "no-such.jpg", "carousel-images/../x.jpg", "cdn.example.com/1.jpg", "\x00"]
)
def test_anything_else_is_refused_before_an_upload(slot, small_sandbox, tmp_path, word):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    with pytest.raises(CommandError) as refused:
        fix_command(slot, "--image", str(photo), PATHS[0], PATHS[1], word)
    assert refused.value.returncode == 2
    assert uploaded(small_sandbox) == sent(small_sandbox) == []


def test_an_existing_file_is_a_file(slot, small_sandbox, tmp_path, monkeypatch):
    photo = tmp_path / "carousel-images" / "mine.jpg"
    photo.parent.mkdir()
    photo.write_bytes(factories.JPEG)
    monkeypatch.chdir(tmp_path)
    fix_command(slot, "--image", *PATHS[:3], "carousel-images/mine.jpg")
    assert uploaded(small_sandbox) == ["presign", "put"]


def test_the_command_warns_of_fewer_images(slot, small_sandbox):
    done, said = fix_command(slot, "--image", *PATHS[:3])
    assert (done["state"], done["warnings"]) == ("succeeded", ["The carousel loses images: 4 → 3 images."])
    assert "4 → 3 images" in said
    assert sent(small_sandbox) == [PATHS[:3]]


@pytest.mark.parametrize("fault", [None, {"kind": "reset_after", "method": "POST", "path": "fix-download"}])
def test_the_warning_survives_what_is_noted_later(slot, small_sandbox, fault):
    if fault:
        small_sandbox.control.fault(**fault)
    done, said = fix_command(slot, "--image", *PATHS[:3], *([] if fault else ["--dry-run"]))
    assert done["code"] == (None if fault else "DRY_RUN_OK")
    assert done["warnings"] == ["The carousel loses images: 4 → 3 images."]
    assert "4 → 3 images" in said


def test_a_dry_run_with_files_changes_nothing(slot, small_sandbox, tmp_path):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    done, _said = fix_command(slot, "--image", *PATHS[:3], str(photo), "--dry-run")
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
def test_a_link_beside_files_is_looked_at_like_any_other(slot, small_sandbox, tmp_path, link, code, option):
    photo = tmp_path / "new.jpg"
    photo.write_bytes(factories.JPEG)
    insists = bool(option) and code == "LINK_HTTP_404"
    # TokPortal itself cannot open it either.
    expected = "UPLOAD_FAILED" if insists else code
    done, _said = fix_command(slot, "--image", *PATHS[:2], str(photo), link, *option, code=1)
    assert (done["state"], done["code"]) == ("rejected", expected)
    assert sent(small_sandbox) == []


def test_the_command_counts_what_the_slot_holds_when_it_sends(slot, small_sandbox):
    small_sandbox.images.add_samples(["carousel-images/x/5.jpg"], jpeg(5000))
    small_sandbox.control.flag(*place_pair(slot), carousel_images=[*PATHS, "carousel-images/x/5.jpg"])
    done, _said = fix_command(slot, "--image", *PATHS)
    assert done["warnings"] == ["The carousel loses images: 5 → 4 images."]


def place_pair(issue):
    return issue.video.bundle.tokportal_id, issue.video.position


# --- The number of images --------------------------------------------------------------------------------------


def test_the_page_asks_before_a_carousel_loses_images(page, slot, small_sandbox):
    url = reverse("submit_fix", args=[slot.team.slug, slot.pk])
    typed = "\n".join(PATHS[:3])

    asked = page.client.post(url, {"links": typed})
    assert asked.status_code == 422
    said = asked.content.decode()
    assert "4 → 3 images" in said
    assert 'name="fewer" value="4"' in said
    assert typed in said
    assert not Fix.objects.exists()

    confirmed = page.client.post(url, {"links": typed, "fewer": "4"})
    assert confirmed.status_code == 302
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert AuditEvent.objects.get(verb="fix.submitted").changes["fewer_images"] == [None, True]


@pytest.mark.parametrize("agreed", ["3", "0", "", "no", "99999999999", "-4"])
def test_only_a_confirmation_of_this_number_counts(page, slot, agreed):
    url = reverse("submit_fix", args=[slot.team.slug, slot.pk])
    assert page.client.post(url, {"links": "\n".join(PATHS[:3]), "fewer": agreed}).status_code == 422


def test_the_confirmation_survives_another_question(page, slot):
    url = reverse("submit_fix", args=[slot.team.slug, slot.pk])
    said = page.client.post(url, {"links": f"{PATHS[0]}\nhttps://we.tl/t-x", "fewer": "4"}).content.decode()
    assert 'name="unchecked" value="1"' in said
    assert 'name="fewer" value="4" checked' in said


def test_more_images_are_shown_and_sent(page, slot, small_sandbox):
    links = [*PATHS, URL]
    said = page.client.post(reverse("check_link", args=[slot.team.slug, slot.pk]), {"links": "\n".join(links)})
    assert "4 → 5 images" in said.content.decode()
    page.client.post(reverse("submit_fix", args=[slot.team.slug, slot.pk]), {"links": "\n".join(links)})
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [links]


def test_the_number_is_compared_again_when_the_fix_is_sent(slot, actor, small_sandbox, page):
    fix = submit_links(issue=slot, links=PATHS, actor=actor)
    small_sandbox.control.flag(*place_pair(slot), carousel_images=[*PATHS, URL])

    fix = drive(fix)

    assert (fix.state, fix.code) == (FixState.REJECTED, "FEWER_IMAGES")
    assert fix.issue.state == IssueState.OPEN
    assert sent(small_sandbox) == []
    again = page.client.post(reverse("submit_fix", args=[slot.team.slug, slot.pk]), {"links": "\n".join(PATHS)})
    assert "5 → 4 images" in again.content.decode()


def test_what_was_agreed_to_holds_for_that_number_alone(slot, actor, small_sandbox):
    fix = submit_links(issue=slot, links=PATHS[:3], actor=actor, fewer_than=4)
    small_sandbox.control.flag(*place_pair(slot), carousel_images=[*PATHS, URL])
    assert drive(fix).code == "FEWER_IMAGES"


def test_a_plan_does_not_tick_a_row_with_fewer_images(page, slot, small_sandbox):
    bundle_id, position = place_pair(slot)
    table = f"bundle_id,position,url\n{bundle_id},{position},{' '.join(PATHS[:3])}\n"
    made = page.client.post(reverse("bulk_plan", args=[slot.team.slug]), {"how": "table", "table": table})
    bulk.check_rows()
    said = page.client.get(made["Location"]).content.decode()
    row = said.split('<input type="checkbox" name="row"')[1].split(">")[0]
    assert "checked" not in row
    assert "4 → 3 images" in said
    [entry] = read_plan(slot.team.bulk_fixes.get()).rows
    assert entry.is_ticked is False

    plan = bulk.start(bulk=slot.team.bulk_fixes.get(), orders=[1], insist=False, actor=Actor.system())
    plan.starts_at = slot.opened_at
    plan.save()
    bulk.send_chosen()
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [PATHS[:3]]


def test_a_plan_with_all_images_is_ticked(slot, actor):
    bundle_id, position = place_pair(slot)
    bulk.plan_table(team=slot.team, text=f"{bundle_id},{position},{' '.join(PATHS)}", actor=actor)
    bulk.check_rows()
    [entry] = read_plan(slot.team.bulk_fixes.get()).rows
    assert (entry.is_ticked, entry.count) == (True, None)


@pytest.fixture
def calm(slot, small_sandbox, workspace):
    """The same carousel, not flagged."""
    small_sandbox.control.clear(*place_pair(slot))
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return Video.objects.select_related("bundle__workspace__team").get(pk=slot.video_id)


def test_a_prepared_replacement_asks_too(page, calm, slot):
    url = reverse("video_prepare", args=[slot.team.slug, calm.pk])
    asked = page.client.post(url, {"links": "\n".join(PATHS[:3])})
    assert asked.status_code == 422
    assert page.client.post(url, {"links": "\n".join(PATHS[:3]), "fewer": "4"}).status_code == 302
    assert calm.prepared_fixes.get().fewer_than == 4


@pytest.mark.parametrize(("now", "code"), [(4, ""), (5, "FEWER_IMAGES")])
def test_a_prepared_replacement_for_another_number_is_not_sent(calm, actor, small_sandbox, workspace, now, code):
    prepare(video=calm, links=PATHS[:3], actor=actor, fewer_than=4)
    images = [*PATHS, URL][:now]
    small_sandbox.control.flag(calm.bundle.tokportal_id, calm.position, carousel_images=images)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    send_prepared()
    assert drive(Fix.objects.get()).code == code


def test_without_an_answer_the_last_sync_counts(slot, actor, small_sandbox):
    fix = submit_links(issue=slot, links=PATHS, actor=actor)
    small_sandbox.control.fault("status", method="GET", path="/videos/", status=500, times=1)
    assert drive(fix).state == FixState.SUCCEEDED


# --- One to twenty images --------------------------------------------------------------------------------------


def test_twenty_images_go_and_twenty_one_are_refused_before_an_upload(slot, actor, small_sandbox):
    links = [f"https://cdn.example.com/{number}.jpg" for number in range(21)]
    for refused in (
        lambda: submit_links(issue=slot, links=links, actor=actor),
        lambda: begin_upload(
            issue=slot, files=[FileFacts("a.jpg", 209, [(0, factories.JPEG)]), *links[:20]], actor=actor
        ),
    ):
        with pytest.raises(Refusal, match="at most 20 images") as caught:
            refused()
        assert caught.value.code == "TOO_MANY_IMAGES"
    assert drive(submit_links(issue=slot, links=links[:20], actor=actor)).state == FixState.SUCCEEDED
    assert [len(images) for images in sent(small_sandbox)] == [20]


# --- Uploads ---------------------------------------------------------------------------------------------------


def announce(page, issue, files, **said):
    url = reverse("upload_begin", args=[issue.team.slug, issue.pk])
    return page.client.post(url, {"files": files, **said}, content_type="application/json")


def entry(content, name):
    return {"name": name, "size": len(content), "pieces": factories.pieces(content)}


def test_uploads_ask_before_a_carousel_loses_images(page, slot):
    files = [{"link": PATHS[0]}, entry(factories.JPEG, "b.jpg")]
    asked = announce(page, slot, files)
    assert (asked.status_code, asked.json()["code"]) == (422, "FEWER_IMAGES")
    assert (asked.json()["before"], asked.json()["after"]) == (4, 2)
    assert announce(page, slot, files, fewer=True).status_code == 422
    assert announce(page, slot, [{"link": f"{URL} {PATHS[1]}"}, *files], fewer=4).json()["code"] == "LINK_MALFORMED"
    assert announce(page, slot, files, fewer=4).status_code == 201


def test_heic_goes_through_us_to_the_direct_upload_and_becomes_jpeg(page, slot, small_sandbox):
    files = [*({"link": path} for path in PATHS[:3]), entry(PHOTO, "IMG_1.HEIC")]
    began = announce(page, slot, files)
    assert began.status_code == 201  # without a warning
    steps = began.json()["files"]
    assert [step["direct"] for step in steps] == [False, False, False, True]

    assert page.client.post(steps[3]["presign"]).json()["code"] == "FILE_GOES_DIRECT"
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 200
    assert page.client.post(steps[3]["done"]).status_code == 200
    fix = drive(Fix.objects.get())

    assert fix.state == FixState.SUCCEEDED
    assert small_sandbox.control.ledger("presign") == []
    [images] = sent(small_sandbox)
    assert images[:3] == PATHS[:3]
    stored = requests.get(small_sandbox.images.public_url(images[3]), timeout=5)
    assert (stored.headers["Content-Type"], stored.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert Workspace.objects.get().storage_prefix.startswith(small_sandbox.images.origin)


def test_a_bad_link_among_files_needs_the_persons_word(page, slot, small_sandbox):
    bad = "https://gone.example.com/1.jpg"
    look_at_links(slot.workspace, [bad], expects=None, until=None)
    files = [*({"link": link} for link in [*PATHS[:2], bad]), entry(factories.JPEG, "a.jpg")]
    refused = announce(page, slot, files)
    assert (refused.status_code, refused.json()["code"], refused.json()["can_insist"]) == (422, "LINK_HTTP_404", True)
    assert announce(page, slot, files, insist=True).status_code == 422  # that was about doubtful files
    assert announce(page, slot, files, unchecked=True).status_code == 201
    assert Fix.objects.get().unchecked
    assert uploaded(small_sandbox) == []


def test_a_size_that_is_no_number_is_no_file(page, slot):
    refused = announce(page, slot, [{**entry(factories.JPEG, "a.jpg"), "size": float("inf")}])
    assert (refused.status_code, refused.json()["code"]) == (422, "FILE_MISSING")


def test_heic_through_the_command(slot, small_sandbox, tmp_path):
    photo = tmp_path / "IMG_2.heic"
    photo.write_bytes(PHOTO)
    done, said = fix_command(slot, "--image", *PATHS[:3], str(photo))
    assert (done["state"], done["warnings"], said) == ("succeeded", [], "")
    [direct] = small_sandbox.control.ledger("direct")
    assert (direct["content_type"], direct["size"]) == ("image/heic", len(PHOTO))
    assert small_sandbox.control.ledger("presign") == []


def test_a_direct_upload_that_fails_may_start_again(page, slot, small_sandbox):
    steps = announce(page, slot, [*({"link": path} for path in PATHS[:3]), entry(PHOTO, "a.heic")]).json()["files"]
    small_sandbox.control.fault("status", method="POST", path="/upload/image/direct", status=503)
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 502
    assert page.client.post(steps[3]["done"]).json()["code"] == "FILE_NOT_PLACED"
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 200
    page.client.post(steps[3]["done"])
    assert Fix.objects.get().media.get(order=4).state == MediaState.UPLOADED


# --- TokPortal's copy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["paths", "urls", "mixed"])
def test_the_copies_of_a_carousel_must_be_there(slot, actor, small_sandbox, prefix, monkeypatch, form):
    small_sandbox.control.settings(carousel_form=form)
    fix = submit_links(issue=slot, links=PATHS, actor=actor)
    monkeypatch.setattr(small_sandbox.images, "sizes", LosesLater(small_sandbox.images.sizes, PATHS[3], small_sandbox))
    fix = drive(fix, rounds=20)
    assert (fix.state, fix.code, fix.code_details["image"]) == (FixState.NEEDS_HUMAN, "COPY_MISSING", 4)


class LosesLater(dict):
    """Objects of which one is gone once a fix was made."""

    def __init__(self, sizes, lost, sandbox):
        super().__init__(sizes)
        self.lost, self.sandbox = lost, sandbox

    def __contains__(self, key):
        fixed = any(event["kind"] == "fix" for event in self.sandbox.world.ledger)
        return super().__contains__(key) and not (key == self.lost and fixed)


def test_without_the_prefix_nothing_is_said_of_paths(slot, actor, small_sandbox, monkeypatch):
    fix = submit_links(issue=slot, links=PATHS, actor=actor)
    monkeypatch.setattr(small_sandbox.images, "sizes", LosesLater(small_sandbox.images.sizes, PATHS[3], small_sandbox))
    assert drive(fix).state == FixState.SUCCEEDED


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


def test_a_table_takes_paths_beside_urls(slot, small_sandbox, table_command):
    bundle_id, position = place(slot)
    code, [result], _ = table_command(
        f"bundle_id,position,url\n{bundle_id},{position},{PATHS[2]} {URL} {PATHS[0]} {PATHS[1]}\n"
    )
    assert (code, result["state"], result["warnings"]) == (0, "succeeded", [])
    assert sent(small_sandbox) == [[PATHS[2], URL, PATHS[0], PATHS[1]]]


def test_a_table_refuses_fewer_images_unless_they_are_wanted(slot, small_sandbox, table_command):
    bundle_id, position = place(slot)
    text = f"bundle_id,position,url\n{bundle_id},{position},{' '.join(PATHS[:3])}\n"
    code, [refused], _ = table_command(text)
    assert (code, refused["state"], refused["code"], refused["warnings"]) == (1, "rejected", "FEWER_IMAGES", [])
    assert "4 → 3 images" in refused["message"]
    assert sent(small_sandbox) == []

    code, [done], said = table_command(text, "--fewer-images")
    assert (code, done["state"], done["warnings"]) == (0, "succeeded", ["The carousel loses images: 4 → 3 images."])
    assert "4 → 3 images" in said
    assert sent(small_sandbox) == [PATHS[:3]]


def test_a_table_counts_what_the_slot_holds_when_it_sends(slot, small_sandbox, table_command):
    small_sandbox.control.flag(*place_pair(slot), carousel_images=[*PATHS, URL])
    bundle_id, position = place(slot)
    code, [refused], _ = table_command(f"{bundle_id},{position},{' '.join(PATHS)}\n")
    assert (code, refused["code"]) == (1, "FEWER_IMAGES")
    assert sent(small_sandbox) == []
