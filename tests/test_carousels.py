"""Carousels through the doors that people use: storage paths, the number of images, HEIC, TokPortal's copies."""

import pytest
from django.urls import reverse

from issues import tasks
from issues.audit import Actor
from issues.enums import FixKind, FixState, IssueState, Origin
from issues.fixes import bulk
from issues.fixes.prepared import prepare, send_prepared
from issues.fixes.submit import check_links, submit_links
from issues.fixes.uploads import FileFacts, begin_upload
from issues.models import AuditEvent, Fix, LinkCheck, Video
from issues.problems import Refusal
from issues.queries.bulk import read_plan
from issues.sandbox.media import jpeg
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.carousels import HX, PATHS, URL, place_pair, sent, uploaded
from tests.driving import drive, no_long_waits  # noqa: F401 - a fixture

# --- Storage paths are TokPortal's own files -------------------------------------------------------------------


def test_a_path_is_never_a_bad_link_and_never_at_risk(paths_issue):
    assert (paths_issue.verdict, paths_issue.verdict_class) == ("tokportal_file", "unsure")
    Video.objects.filter(pk=paths_issue.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    paths_issue.video.refresh_from_db()
    assert (paths_issue.video.link_verdict, paths_issue.video.link_class) == ("tokportal_file", "unsure")


def test_with_the_prefix_paths_are_opened(paths_issue, storage_prefix, small_sandbox):
    del small_sandbox.images.sizes[PATHS[2]]
    Video.objects.filter(pk=paths_issue.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    paths_issue.refresh_from_db()
    assert (paths_issue.verdict, paths_issue.verdict_class) == ("file_gone", "dead")
    seen = dict(LinkCheck.objects.filter(shown_url__in=PATHS).values_list("shown_url", "verdict"))
    assert [seen[path] for path in PATHS] == [
        "tokportal_copy_ok",
        "tokportal_copy_ok",
        "file_gone",
        "tokportal_copy_ok",
    ]


def test_a_storage_that_refuses_us_accuses_nobody(paths_issue, workspace):
    workspace.storage_prefix = "https://forbidden.example.com/public/"
    workspace.save()
    Video.objects.filter(pk=paths_issue.video_id).update(link_due_at="2000-01-01T00:00Z")
    tasks.check_links()
    paths_issue.refresh_from_db()
    assert paths_issue.verdict == "tokportal_file"


def test_the_page_shows_paths_and_links_to_their_public_address(page, paths_issue, storage_prefix):
    said = page("issue", paths_issue.pk).content.decode()
    assert PATHS[0] in said
    assert f'href="{storage_prefix}{PATHS[0]}"' in said
    assert "Not a web link" not in said
    assert "\n".join(PATHS) in said


def test_typed_paths_are_told_from_other_words(page, paths_issue):
    url = reverse("link_look", args=[paths_issue.team.slug, paths_issue.pk])
    said = page.client.post(url, {"links": "\n".join([*PATHS[:3], "photos/summer.jpg"])}).content.decode()
    assert said.count("TokPortal&#x27;s own file") == 3
    assert "not a complete web link" in said


def test_the_form_sends_paths_beside_urls_in_order(page, paths_issue, small_sandbox):
    links = [PATHS[3], URL, "carousel-images/org_x/other/9.jpg", PATHS[0]]
    small_sandbox.images.add_samples([links[2]], jpeg(5000))
    answer = page.client.post(
        reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk]), {"links": "\r\n".join(links)}, headers=HX
    )
    assert answer.status_code == 200
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [links]
    assert uploaded(small_sandbox) == []


@pytest.mark.parametrize(
    "word", ["photos/summer.jpg", "cdn.example.com/1.jpg", "/carousel-images/1.jpg", "carousel-images/../1.jpg"]
)
def test_what_is_no_path_of_tokportals_is_refused(paths_issue, actor, word):
    with pytest.raises(Refusal) as caught:
        submit_links(issue=paths_issue, links=[*PATHS[:3], word], actor=actor)
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


def test_our_own_fix_is_followed_by_no_accusation(paths_issue, actor, small_sandbox, workspace):
    for form in ("mixed", "paths", "urls"):
        small_sandbox.control.settings(carousel_form=form)
        drive(submit_links(issue=paths_issue, links=[*PATHS[:3], URL], actor=actor))
        place_of = paths_issue.video.bundle.tokportal_id, paths_issue.video.position
        small_sandbox.control.flag(*place_of, "again")
        sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
        Video.objects.filter(pk=paths_issue.video_id).update(link_due_at="2000-01-01T00:00Z")
        tasks.check_links()
        sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
        paths_issue = factories.open_issue("carousel", *place_of)
        assert paths_issue.verdict_class in {"unsure", "ok"}


# --- The number of images --------------------------------------------------------------------------------------


def test_the_page_asks_before_a_carousel_loses_images(page, paths_issue, small_sandbox):
    url = reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk])
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
def test_only_a_confirmation_of_this_number_counts(page, paths_issue, agreed):
    url = reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk])
    assert page.client.post(url, {"links": "\n".join(PATHS[:3]), "fewer": agreed}).status_code == 422


def test_the_confirmation_survives_another_question(page, paths_issue):
    url = reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk])
    said = page.client.post(url, {"links": f"{PATHS[0]}\nhttps://we.tl/t-x", "fewer": "4"}).content.decode()
    assert 'name="unchecked" value="1"' in said
    assert 'name="fewer" value="4" checked' in said


def test_more_images_are_shown_and_sent(page, paths_issue, small_sandbox):
    links = [*PATHS, URL]
    said = page.client.post(
        reverse("check_link", args=[paths_issue.team.slug, paths_issue.pk]), {"links": "\n".join(links)}
    )
    assert "4 → 5 images" in said.content.decode()
    page.client.post(reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk]), {"links": "\n".join(links)})
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [links]


def test_the_number_is_compared_again_when_the_fix_is_sent(paths_issue, actor, small_sandbox, page):
    fix = submit_links(issue=paths_issue, links=PATHS, actor=actor)
    small_sandbox.control.flag(*place_pair(paths_issue), carousel_images=[*PATHS, URL])

    fix = drive(fix)

    assert (fix.state, fix.code) == (FixState.REJECTED, "FEWER_IMAGES")
    assert fix.issue.state == IssueState.OPEN
    assert sent(small_sandbox) == []
    again = page.client.post(
        reverse("submit_fix", args=[paths_issue.team.slug, paths_issue.pk]), {"links": "\n".join(PATHS)}
    )
    assert "5 → 4 images" in again.content.decode()


def test_what_was_agreed_to_holds_for_that_number_alone(paths_issue, actor, small_sandbox):
    fix = submit_links(issue=paths_issue, links=PATHS[:3], actor=actor, fewer_than=4)
    small_sandbox.control.flag(*place_pair(paths_issue), carousel_images=[*PATHS, URL])
    assert drive(fix).code == "FEWER_IMAGES"


def test_a_plan_does_not_tick_a_row_with_fewer_images(page, paths_issue, small_sandbox):
    bundle_id, position = place_pair(paths_issue)
    table = f"bundle_id,position,url\n{bundle_id},{position},{' '.join(PATHS[:3])}\n"
    made = page.client.post(reverse("bulk_plan", args=[paths_issue.team.slug]), {"how": "table", "table": table})
    bulk.check_rows()
    said = page.client.get(made["Location"]).content.decode()
    row = said.split('<input type="checkbox" name="row"')[1].split(">")[0]
    assert "checked" not in row
    assert "4 → 3 images" in said
    [entry] = read_plan(paths_issue.team.bulk_fixes.get()).rows
    assert entry.is_ticked is False

    plan = bulk.start(bulk=paths_issue.team.bulk_fixes.get(), orders=[1], insist=False, actor=Actor.system())
    plan.starts_at = paths_issue.opened_at
    plan.save()
    bulk.send_chosen()
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [PATHS[:3]]


def test_a_plan_with_all_images_is_ticked(paths_issue, actor):
    bundle_id, position = place_pair(paths_issue)
    bulk.plan_table(team=paths_issue.team, text=f"{bundle_id},{position},{' '.join(PATHS)}", actor=actor)
    bulk.check_rows()
    [entry] = read_plan(paths_issue.team.bulk_fixes.get()).rows
    assert (entry.is_ticked, entry.count) == (True, None)


@pytest.fixture
def calm(paths_issue, small_sandbox, workspace):
    """The same carousel, not flagged."""
    small_sandbox.control.clear(*place_pair(paths_issue))
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return Video.objects.select_related("bundle__workspace__team").get(pk=paths_issue.video_id)


def test_a_prepared_replacement_asks_too(page, calm, paths_issue):
    url = reverse("video_prepare", args=[paths_issue.team.slug, calm.pk])
    asked = page.client.post(url, {"links": "\n".join(PATHS[:3])})
    assert asked.status_code == 422
    assert page.client.post(url, {"links": "\n".join(PATHS[:3]), "fewer": "4"}).status_code == 302
    assert calm.prepared_fixes.get().fewer_than == 4


def test_a_prepared_replacement_with_fewer_images_goes_as_agreed(calm, actor, small_sandbox, workspace):
    prepare(video=calm, links=PATHS[:3], actor=actor, fewer_than=4)
    small_sandbox.control.flag(calm.bundle.tokportal_id, calm.position)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    send_prepared()
    assert drive(Fix.objects.get()).code == ""


def test_a_prepared_replacement_for_another_number_is_not_sent(calm, actor, small_sandbox, workspace):
    prepare(video=calm, links=PATHS[:3], actor=actor, fewer_than=4)
    small_sandbox.control.flag(calm.bundle.tokportal_id, calm.position, carousel_images=[*PATHS, URL])
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert send_prepared() == 0
    assert calm.prepared_fixes.get().withdrawn_at
    assert sent(small_sandbox) == []


def test_without_an_answer_the_last_sync_counts(paths_issue, actor, small_sandbox):
    fix = submit_links(issue=paths_issue, links=PATHS, actor=actor)
    small_sandbox.control.fault("status", method="GET", path="/videos/", status=500, times=1)
    assert drive(fix).state == FixState.SUCCEEDED


# --- One to twenty images --------------------------------------------------------------------------------------


def test_twenty_images_go_and_twenty_one_are_refused_before_an_upload(paths_issue, actor, small_sandbox):
    links = [f"https://cdn.example.com/{number}.jpg" for number in range(21)]
    for refused in (
        lambda: submit_links(issue=paths_issue, links=links, actor=actor),
        lambda: begin_upload(
            issue=paths_issue, files=[FileFacts("a.jpg", 209, [(0, factories.JPEG)]), *links[:20]], actor=actor
        ),
    ):
        with pytest.raises(Refusal, match="at most 20 images") as caught:
            refused()
        assert caught.value.code == "TOO_MANY_IMAGES"
    assert drive(submit_links(issue=paths_issue, links=links[:20], actor=actor)).state == FixState.SUCCEEDED
    assert [len(images) for images in sent(small_sandbox)] == [20]


# --- TokPortal's copy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["paths", "urls", "mixed"])
def test_the_copies_of_a_carousel_must_be_there(paths_issue, actor, small_sandbox, storage_prefix, monkeypatch, form):
    small_sandbox.control.settings(carousel_form=form)
    fix = submit_links(issue=paths_issue, links=PATHS, actor=actor)
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


def test_without_the_prefix_nothing_is_said_of_paths(paths_issue, actor, small_sandbox, monkeypatch):
    fix = submit_links(issue=paths_issue, links=PATHS, actor=actor)
    monkeypatch.setattr(small_sandbox.images, "sizes", LosesLater(small_sandbox.images.sizes, PATHS[3], small_sandbox))
    assert drive(fix).state == FixState.SUCCEEDED
