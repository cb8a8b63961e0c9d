"""Links before they are sent, copies to the store, prepared replacements, dry runs, who is on it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues import tasks
from issues.audit import Actor
from issues.checks import background, store
from issues.enums import FixState, IssueState, Origin
from issues.fixes import link_gate, rehost
from issues.fixes.link_gate import BadLinkError
from issues.fixes.prepared import prepare, send_prepared, withdraw
from issues.fixes.submit import submit_links
from issues.link_checks.resolver import NameMissingError
from issues.models import AuditEvent, Fix, Issue, LinkCheck, PreparedFix, Video
from issues.problems import Refusal
from issues.sync.sweeps import sweep_workspace
from issues.triage import presence
from tests import factories
from tests.driving import GOOD, drive, effects, verbs

GONE = "https://gone.example.com/a.mp4"
HX = {"HX-Request": "true", "HX-Target": "fix-panel"}


# --- Before the sending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["http://192.168.1.4/a.mp4", "https://we.tl/t-abc", "https://vimeo.com/123"])
def test_a_link_that_its_address_condemns_is_not_taken(video_issue, actor, small_sandbox, link):
    with pytest.raises(BadLinkError) as error:
        submit_links(issue=video_issue, links=[link], actor=actor)
    assert error.value.code.startswith("LINK_")
    assert Fix.objects.count() == 0
    assert small_sandbox.outside.asked == {}


def test_a_link_that_nobody_has_opened_is_opened_before_it_goes_out(video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=[GONE], actor=actor))

    assert (fix.state, fix.code) == (FixState.REJECTED, "LINK_HTTP_404")
    assert fix.first_sent_at is None
    assert effects(small_sandbox) == 0
    assert fix.issue.state == IssueState.OPEN
    with pytest.raises(BadLinkError):  # now it is known
        submit_links(issue=video_issue, links=[GONE], actor=actor)


def test_a_person_may_insist(video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=["https://we.tl/t-abc"], actor=actor, unchecked=True))
    assert fix.state == FixState.SUCCEEDED
    assert AuditEvent.objects.get(fix_id=fix.pk, verb="fix.submitted").changes["unchecked"] == [None, True]


@pytest.mark.parametrize("link", ["https://bot-wall.example.com/a.mp4", "https://server-error.example.com/a.mp4"])
def test_where_we_are_unsure_the_link_goes_out(video_issue, actor, small_sandbox, link):
    drive(submit_links(issue=video_issue, links=[link], actor=actor))
    assert LinkCheck.objects.get().verdict_class == "unsure"
    assert Fix.objects.get().first_sent_at


def test_where_no_name_can_be_resolved_the_link_goes_out(video_issue, actor, settings, monkeypatch):
    def nothing(*_, **__):
        raise NameMissingError

    settings.TOKDASH_OUTSIDE_WORLD = ""
    monkeypatch.setattr("issues.link_checks.resolver._lookup", nothing)
    monkeypatch.setattr("issues.link_checks.resolver.Internet._can_resolve_anything", lambda self: False)
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    assert link_gate.look_before_sending(fix) is None


def test_a_fresh_look_is_not_repeated(video_issue, actor, small_sandbox):
    link_gate.look_now(video_issue.workspace, video_issue.video, [GOOD])
    before = small_sandbox.outside.asked["cdn.example.com"]
    drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))
    assert small_sandbox.outside.asked["cdn.example.com"] == before


def test_the_page_offers_to_send_it_anyway(page, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])
    refused = page.client.post(url, {"links": "https://we.tl/t-x"}, headers=HX)
    assert refused.status_code == 422
    assert 'name="unchecked" value="1"' in refused.content.decode()
    assert page.client.post(url, {"links": "https://we.tl/t-x", "unchecked": "1"}, headers=HX).status_code == 200
    assert Fix.objects.get().unchecked


# --- Looks in the background and while typing --------------------------------------------------------------


def test_new_issues_are_looked_at_by_themselves(swept, small_sandbox):
    due = Video.objects.filter(link_due_at__lte=timezone.now())
    assert set(
        Issue.objects.filter(state="open").exclude(video__video_type="story").values_list("video", flat=True)
    ) <= {video.pk for video in due}
    tasks.check_links()
    for issue in Issue.objects.filter(state="open").exclude(video__video_type="story").select_related("video"):
        assert issue.verdict == issue.video.link_verdict
        assert issue.verdict != "not_checked"
        assert issue.video.link_checked_at
    assert not Video.objects.filter(link_due_at__lte=timezone.now()).exists()


def test_the_next_sweep_keeps_what_was_seen(swept, workspace):
    tasks.check_links()
    before = dict(Issue.objects.values_list("pk", "verdict"))
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert dict(Issue.objects.values_list("pk", "verdict")) == before


def test_a_changed_link_is_looked_at_again(swept, workspace, small_sandbox, video_issue):
    tasks.check_links()
    video = video_issue.video
    small_sandbox.control.flag(video.bundle.tokportal_id, video.position, "again", video_url=GONE)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    tasks.check_links()
    video_issue.refresh_from_db()
    assert video_issue.verdict == "http_404"


def test_two_workers_never_look_at_the_same_video(swept):
    first = {video.pk for video in background.due_videos()}
    assert first
    assert first.isdisjoint(video.pk for video in background.due_videos())


def test_hosts_are_asked_a_few_at_a_time(workspace, swept, monkeypatch):
    bundle = Video.objects.first().bundle
    Video.objects.update(link_due_at=None)
    now = timezone.now()
    Video.objects.bulk_create(
        Video(bundle=bundle, position=900 + n, video_type="video", video_url=f"https://cdn.example.com/{n}.mp4",
              deadline=now + timedelta(days=2), link_due_at=now) for n in range(12)
    )  # fmt: skip
    asked = []
    monkeypatch.setattr(background, "_check", lambda videos: asked.extend(videos))
    background.check_due_videos()
    assert len(asked) == background.LINKS_OF_A_HOST


def test_typing_asks_hosts_within_limits(page, video_issue, small_sandbox, monkeypatch):
    args = [video_issue.team.slug, video_issue.pk]
    typed = page.client.post(reverse("check_link", args=args), {"links": GONE})
    assert "Asking its host" in typed.content.decode()
    looked = page.client.post(reverse("link_look", args=args), {"links": GONE})
    assert "The file is gone (404)." in looked.content.decode()
    monkeypatch.setattr("issues.views.links.PERSON_LIMIT", 0)
    other = "https://http-410.example.com/b.mp4"
    assert "Asking" not in page.client.post(reverse("link_look", args=args), {"links": other}).content.decode()
    assert "http-410.example.com" not in small_sandbox.outside.asked


def test_evidence_is_kept_without_the_links_secret(video_issue):
    secret = "https://redirect-good.example.com/v.mp4?X-Amz-Signature=topsecret"
    link_gate.look_now(video_issue.workspace, video_issue.video, [secret])
    [row] = LinkCheck.objects.values()
    assert "topsecret" not in str(row)
    assert [hop["status"] for hop in row["evidence"]["hops"]] == [302, 206]


def test_looks_of_one_team_are_nothing_to_another(video_issue, charlie):
    link_gate.look_now(video_issue.workspace, video_issue.video, [GONE])
    assert store.known_looks(charlie.teams.get().pk, [GONE]) == {}


# --- Copies to the store -----------------------------------------------------------------------------------


def test_a_link_that_works_is_copied_to_tokportal_and_sent(video_issue, actor, small_sandbox):
    fix = drive(rehost.submit_copy(issue=video_issue, link="https://media.example.com/raw/clip.mp4", actor=actor))

    assert fix.state == FixState.SUCCEEDED
    [put] = small_sandbox.control.ledger("put")
    assert (put["size"], put["content_type"]) == (3_000_000, "video/mp4")
    [sent] = small_sandbox.control.ledger("fix")
    assert sent["body"]["video_url"] == fix.media.get().public_url
    assert verbs(fix)[:3] == ["fix.submitted", "fix.copying", "fix.uploaded"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("gone", "LINK_HTTP_404"), ("truncated", "LINK_TRUNCATED"), ("html", "FILE_WRONG_KIND"), ("empty", "LINK_EMPTY_FILE"),
        ("unfinished", "FILE_DOUBTFUL"), ("redirect-inwards", "LINK_PRIVATE_ADDRESS"), ("private", "LINK_PRIVATE_ADDRESS"),
    ],
)  # fmt: skip
def test_what_cannot_be_copied_says_why_and_nothing_is_sent(video_issue, actor, small_sandbox, host, code):
    fix = drive(rehost.submit_copy(issue=video_issue, link=f"https://{host}.example.com/a.mp4", actor=actor))
    assert fix.state == FixState.REJECTED
    assert fix.code in {code, "LINK_HTTP_REFUSED"}
    assert small_sandbox.control.ledger("put") == []
    assert effects(small_sandbox) == 0


def test_a_copy_that_the_store_refuses_is_tried_again(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("presign_expired", method="POST", path="/upload/video")
    fix = drive(rehost.submit_copy(issue=video_issue, link=GOOD, actor=actor))
    assert fix.state == FixState.SUCCEEDED
    assert len(small_sandbox.control.ledger("presign")) == 2


def test_a_copy_larger_than_allowed_is_stopped(video_issue, actor, settings):
    settings.UPLOAD_MAX_BYTES = 1_000_000
    fix = drive(rehost.submit_copy(issue=video_issue, link=GOOD, actor=actor))
    assert (fix.state, fix.code) == (FixState.REJECTED, "FILE_TOO_LARGE")


# --- Prepared replacements ---------------------------------------------------------------------------------


@pytest.fixture
def calm_video(swept, small_sandbox):
    bundle, video = factories.slot(small_sandbox, "video")
    return Video.objects.select_related("bundle__workspace").get(
        bundle__tokportal_id=bundle["id"], position=video["position"]
    )


def test_a_prepared_replacement_goes_out_with_the_flag(calm_video, workspace, actor, small_sandbox):
    prepare(video=calm_video, links=[GOOD], actor=actor)
    assert send_prepared() == 0

    small_sandbox.control.flag(calm_video.bundle.tokportal_id, calm_video.position, "404")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert send_prepared() == 1
    assert send_prepared() == 0

    fix = drive(Fix.objects.get())
    assert fix.state == FixState.SUCCEEDED
    assert fix.prepared.used_at
    story = AuditEvent.objects.filter(bundle_id=calm_video.bundle.tokportal_id, position=calm_video.position)
    assert list(story.order_by("seq").values_list("verb", flat=True))[:3] == [
        "fix.prepared",
        "issue.opened",
        "fix.submitted",
    ]
    assert fix.actor_name == actor.name
    assert story.get(verb="fix.submitted").changes["prepared"] == [None, True]


def test_one_that_was_prepared_for_other_links_is_withdrawn(calm_video, workspace, actor, small_sandbox):
    """Somebody gave the slot other media after the replacement was prepared: a person decides which one is meant."""
    prepare(video=calm_video, links=[GOOD], actor=actor)
    small_sandbox.control.flag(
        calm_video.bundle.tokportal_id, calm_video.position, "404", video_url="https://cdn.example.com/newer.mp4"
    )
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))

    assert send_prepared() == 0
    assert not Fix.objects.exists()
    assert PreparedFix.objects.get().withdrawn_at
    event = AuditEvent.objects.get(verb="fix.withdrawn")
    assert event.changes["links"][1] == ["https://cdn.example.com/newer.mp4"]


def test_a_withdrawn_one_does_not(calm_video, workspace, actor, small_sandbox):
    prepare(video=calm_video, links=["https://cdn.example.com/first.mp4"], actor=actor)
    prepare(video=calm_video, links=[GOOD], actor=actor)  # replaces the first
    assert PreparedFix.objects.filter(withdrawn_at=None).count() == 1
    withdraw(video=calm_video, actor=actor)
    small_sandbox.control.flag(calm_video.bundle.tokportal_id, calm_video.position, "404")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert send_prepared() == 0


def test_somebodys_own_fix_is_faster_than_the_prepared_one(calm_video, workspace, actor, small_sandbox):
    prepare(video=calm_video, links=[GOOD], actor=actor)
    small_sandbox.control.flag(calm_video.bundle.tokportal_id, calm_video.position, "404")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    issue = Issue.objects.select_related("video__bundle").get(video=calm_video)
    drive(submit_links(issue=issue, links=["https://cdn.example.com/mine.mp4"], actor=actor))
    assert send_prepared() == 0
    assert effects(small_sandbox) == 1


def test_what_is_flagged_already_is_fixed_not_prepared(video_issue, actor):
    video = Video.objects.select_related("bundle__workspace").get(pk=video_issue.video_id)
    with pytest.raises(Refusal, match="flagged already"):
        prepare(video=video, links=[GOOD], actor=actor)


def test_the_at_risk_page_shows_what_will_break_and_takes_a_replacement(page, swept, workspace, small_sandbox):
    bundle, video = factories.slot(small_sandbox, "video")
    tomorrow = (timezone.now() + timedelta(days=2)).date().isoformat()
    small_sandbox.world.bundles[bundle["id"]].videos[video["position"] - 1].video_url = GONE
    small_sandbox.world.bundles[bundle["id"]].videos[video["position"] - 1].target_publish_end_date = tomorrow
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    tasks.check_links()

    row = Video.objects.get(bundle__tokportal_id=bundle["id"], position=video["position"])
    assert row.link_verdict == "http_404"
    assert "The file is gone (404)." in page("at_risk").content.decode()
    url = reverse("video_prepare", args=[workspace.team.slug, row.pk])
    assert page.client.post(url, {"links": "https://we.tl/x"}).status_code == 422
    assert page.client.post(url, {"links": GOOD}).status_code == 302
    assert "prepared" in page("at_risk").content.decode()
    assert PreparedFix.objects.get().links == [GOOD]


def test_what_was_prepared_can_be_withdrawn_when_the_link_has_come_back_to_life(page, calm_video, workspace, actor):
    prepare(video=calm_video, links=[GOOD], actor=actor)
    later = timezone.now() + timedelta(days=3)
    for verdict_class, deadline in (("dead", later), ("ok", later), ("dead", timezone.now() - timedelta(days=3))):
        Video.objects.filter(pk=calm_video.pk).update(
            link_class=verdict_class, link_verdict="http_404", link_checked_at=timezone.now(), deadline=deadline
        )
        text = page("at_risk").content.decode()
        assert text.count(reverse("video_withdraw", args=[workspace.team.slug, calm_video.pk])) == 1
        assert ("no longer at risk" in text) is (verdict_class == "ok" or deadline != later)

    withdraw(video=calm_video, actor=actor)
    assert "no longer at risk" not in page("at_risk").content.decode()


@pytest.mark.parametrize("how", ["a fix", "TokPortal"])
def test_other_links_know_nothing_of_what_the_former_ones_showed(how, video_issue, actor, workspace, small_sandbox):
    """Else a video that was just fixed is called at risk until its new link is looked at."""
    looks = {"link_verdict": "http_404", "link_class": "dead", "link_checked_at": timezone.now()}
    Video.objects.update(**looks)
    if how == "a fix":
        drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))
    else:
        bundle, position = video_issue.video.bundle.tokportal_id, video_issue.video.position
        small_sandbox.world.bundles[bundle].videos[position - 1].video_url = GOOD
        sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    changed = Video.objects.filter(pk=video_issue.video_id)
    assert changed.values("link_verdict", "link_class", "link_checked_at").get() == {
        "link_verdict": "", "link_class": "", "link_checked_at": None,
    }  # fmt: skip
    others = Video.objects.exclude(pk=video_issue.video_id)
    assert not others.exclude(**looks).exists()


# --- After the sending, dry runs, presence -----------------------------------------------------------------


def test_a_copy_that_is_missing_needs_a_person(video_issue, actor, small_sandbox, monkeypatch):
    monkeypatch.setattr("issues.fixes.lifecycle.copy_is_missing", lambda url: "http_404")
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))
    assert (fix.state, fix.code) == (FixState.NEEDS_HUMAN, "COPY_MISSING")
    assert effects(small_sandbox) == 1


def test_the_copy_is_asked_where_it_can_be(video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))
    assert link_gate.copy_is_missing(fix.video_url) == ""
    assert link_gate.copy_is_missing(fix.video_url + "x") == "http_404"
    assert link_gate.copy_is_missing("https://no-such.invalid/x.mp4") == ""


def test_tokportals_own_copy_is_never_at_risk(video_issue, actor, workspace):
    """The sandbox's store has a loopback address: what was opened is not called private."""
    drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    Video.objects.filter(pk=video_issue.video_id).update(link_due_at=timezone.now())
    tasks.check_links()
    assert Video.objects.get(pk=video_issue.video_id).link_verdict == "tokportal_copy_ok"


def test_a_dry_run_that_is_confirmed_changes_nothing(video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor, dry_run=True))
    assert (fix.state, fix.code) == (FixState.CANCELLED, "DRY_RUN_OK")
    assert effects(small_sandbox) == 0
    assert fix.issue.state == IssueState.OPEN
    video_issue.workspace.refresh_from_db()
    assert video_issue.workspace.confirms_dry_run is True


def test_a_dry_run_that_is_not_confirmed_was_a_real_fix(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("ignore_dry_run", method="POST", path="fix-download")
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor, dry_run=True))
    assert fix.state == FixState.SUCCEEDED
    assert effects(small_sandbox) == 1
    assert fix.issue.state == IssueState.FIXED
    video_issue.workspace.refresh_from_db()
    assert video_issue.workspace.confirms_dry_run is False


def test_who_is_on_it_shows_to_the_other_and_passes(page, as_user, alice, bob, video_issue):
    args = [video_issue.team.slug, video_issue.pk]
    page.client.post(reverse("issue_claim", args=args))
    other = as_user(alice)
    url = reverse("issue_presence", args=args)
    assert "Bob Editor is on it" in other.get(url).content.decode()
    assert other.get(url, {"seen": bob.pk}, headers={"HX-Request": "true"}).status_code == 204
    presence.note_presence(issue=video_issue, user=alice)  # typing takes nobody's claim
    video_issue.refresh_from_db()
    assert presence.holder_of(video_issue) == bob

    Issue.objects.update(claimed_at=timezone.now() - timedelta(minutes=11))
    video_issue.refresh_from_db()
    assert presence.holder_of(video_issue) is None
    presence.note_presence(issue=video_issue, user=alice)
    video_issue.refresh_from_db()
    assert presence.holder_of(video_issue) == alice
    other.post(reverse("issue_claim", args=args), {"release": "1"})
    assert list(AuditEvent.objects.filter(verb__startswith="issue.").exclude(verb="issue.opened").values_list("verb", flat=True)) == [
        "issue.claimed", "issue.released",
    ]  # fmt: skip


def test_the_second_one_gets_the_first_ones_fix(page, as_user, alice, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])
    page.client.post(url, {"links": GOOD})
    answer = as_user(alice).post(url, {"links": "https://cdn.example.com/other.mp4"}, headers=HX)
    assert "Bob Editor has sent a fix for this already" in answer.content.decode()
    assert 'aria-current="step"' in answer.content.decode()
    assert Fix.objects.count() == 1
