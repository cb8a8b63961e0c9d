"""Every URL of a team: outsiders get 404, people who are not logged in the log-in page, viewers change nothing."""

import uuid

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from issues import urls
from issues.enums import Role
from issues.fixes.bulk import plan_table
from issues.fixes.submit import submit_links
from issues.fixes.uploads import FileFacts, begin_upload
from issues.invitations import invite
from issues.members import remove_member
from issues.models import AuditEvent, Channel, Issue, Membership, SavedView
from issues.outgoing.hooks import add_hook, send_test
from tests import factories

PAGES = {"issues", "issue", "bundles", "bundle", "history", "workspaces", "workspace", "workspace_keys",
         "workspace_webhooks", "members", "at_risk", "bulk", "bulk_new", "issue_presence",
         "history_event", "history_proof", "search", "insights", "insights_report", "insights_table", "hooks", "hook", "notifications", "channel"}  # fmt: skip
OWNER_PAGES = {"workspace_connect", "team_rules"}
PUTS = {"upload_relay"}
# POSTs that a viewer may make, since they change nothing but the record of having been made.
VIEWER_POSTS = {"history_export", "check_link", "bundle_watch", "view_save", "view_default", "channel_add"}
EDITOR_POSTS = {
    "submit_fix", "issue_price", "upload_begin", "upload_presign", "upload_done", "upload_alive", "fix_cancel", "workspace_sweep",
    "bundle_check", "issue_check", "submit_copy", "link_look", "link_recheck", "issue_claim", "bulk_plan", "bulk_start",
    "bulk_undo", "video_prepare", "video_withdraw", "history_note", "issue_act", "view_remove",
}  # fmt: skip
OWNER_POSTS = {
    "workspace_try_key", "workspace_change", "workspace_rotate", "workspace_check", "workspace_pause", "member_invite", "member_role",
    "member_remove", "member_erase", "invitation_revoke", "team_hand_over", "channel_change", "channel_remove", "channel_try", "hook_add", "hook_change", "hook_secret", "hook_try", "hook_remove", "hook_replay", "webhook_register", "webhook_test", "webhook_remove",
}  # fmt: skip
METHODS = ("options", "head", "get", "delete", "patch", "put", "post")
TEAM_URLS = {pattern.name: pattern for pattern in urls.team_patterns}
# Those whose address names an object of the team.
OBJECT_URLS = {
    name
    for name, pattern in TEAM_URLS.items()
    if set(pattern.pattern.converters) - {"kind", "user_id", "table"} and name != "history_event"
}


@pytest.fixture
def arguments(video_issue, carousel_issue, team, workspace, actor, vera):
    """Real objects of the team for each URL's parameters."""
    fix = submit_links(issue=video_issue, links=["https://cdn.example.com/a.mp4"], actor=actor)
    facts = FileFacts("a.jpg", len(factories.JPEG), [(0, factories.JPEG[:64])])
    upload = begin_upload(issue=carousel_issue, files=[facts], actor=actor, fewer_than=4)
    other = Issue.objects.filter(state="open").exclude(video__video_type="story")[0]
    table = f"{other.video.bundle.tokportal_id},{other.video.position},https://cdn.example.com/a.mp4"
    plan = plan_table(team=team, text=table, actor=actor)
    hook, _ = add_hook(team=team, name="CRM", url="https://hooks.example.com/", types=["issue.fixed"], actor=actor)
    objects = {
        "fix_id": fix.pk,
        "bulk_id": plan.pk,
        "media_id": upload.media.get().pk,
        "workspace_id": workspace.pk,
        "kind": "csv",
        "hook_id": hook.pk,
        "channel_id": Channel.objects.create(team=team, kind="email", name="Ours", notices=["new"]).pk,
        "delivery_id": send_test(hook=hook, actor=actor).pk,
        "table": "days",
        "user_id": vera.pk,
        "invitation_id": invite(team=team, email="new@team.example", role=Role.VIEWER, actor=actor).pk,
        "seq": AuditEvent.objects.filter(team=team).count(),
    }
    numbers = {
        "bundle": video_issue.video.bundle_id,
        "member": Membership.objects.get(user=vera).pk,
        "issue": video_issue.pk,
        "video": video_issue.video_id,
        "view": SavedView.objects.create(team=team, name="Late ones", query="due=late").pk,
    }

    def of(name: str) -> dict[str, object]:
        pattern: URLPattern = TEAM_URLS[name]
        found: dict[str, object] = {"team_slug": team.slug}
        for parameter in pattern.pattern.converters:
            if parameter == "pk":
                found["pk"] = numbers[
                    next((noun for noun in ("bundle", "member", "video", "view") if name.startswith(noun)), "issue")
                ]
            else:
                found[parameter] = objects[parameter]
        return found

    return of


def method_of(name: str) -> str:
    return "put" if name in PUTS else "get" if name in PAGES | OWNER_PAGES else "post"


def ask(client, name, kwargs):
    return getattr(client, method_of(name))(reverse(name, kwargs=kwargs))


def test_every_team_url_is_in_this_test():
    assert set(TEAM_URLS) == PAGES | OWNER_PAGES | PUTS | VIEWER_POSTS | EDITOR_POSTS | OWNER_POSTS


def test_every_other_url_is_known():
    """A new URL outside of a team must be thought about here."""
    names = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)} | {
        pattern.name for pattern in get_resolver().url_patterns if isinstance(pattern, URLPattern)
    }

    # `tokportal_webhook` is TokPortal's (tests/test_webhooks.py), `metrics` Prometheus' (tests/test_operations.py),
    # `invitation` is for whoever has its link (tests/test_teams.py).
    assert names == {"home", "profile", "tokportal_webhook", "metrics", "invitation"}


# Those who are refused change nothing, so all URLs are asked on one ground.


def test_objects_of_another_team_do_not_exist_under_ones_own(arguments, as_user, charlie):
    own, client = charlie.teams.get().slug, as_user(charlie)

    open_doors = {
        name: status
        for name in sorted(OBJECT_URLS)
        if (status := ask(client, name, {**arguments(name), "team_slug": own}).status_code) != 404
    }

    assert open_doors == {}


def test_without_log_in_there_is_only_the_log_in_page(arguments, client):
    for name in sorted(TEAM_URLS):
        response = ask(client, name, arguments(name))

        assert response.status_code == 302, name
        assert response["Location"].startswith("/accounts/login/"), name


def test_viewers_change_nothing(arguments, as_user, vera):
    client = as_user(vera)
    for name in sorted(EDITOR_POSTS | OWNER_POSTS | OWNER_PAGES | PUTS):
        kwargs = arguments(name)
        before = AuditEvent.objects.count(), list(Issue.objects.order_by("pk").values())

        assert ask(client, name, kwargs).status_code == 403, name
        assert (AuditEvent.objects.count(), list(Issue.objects.order_by("pk").values())) == before, name


def test_forged_posts_are_refused(arguments, as_user, alice):
    client = as_user(alice, enforce_csrf_checks=True)
    for name in sorted(EDITOR_POSTS | OWNER_POSTS | VIEWER_POSTS):
        response = client.post(reverse(name, kwargs=arguments(name)))

        assert response.status_code == 403, name
        assert "open for too long" in response.content.decode(), name


def test_removed_members_are_out_at_once(team, as_user, vera):
    client = as_user(vera)
    assert client.get(reverse("issues", args=[team.slug])).status_code == 200

    Membership.objects.filter(user=vera).delete()

    assert client.get(reverse("issues", args=[team.slug])).status_code == 404


@pytest.mark.parametrize("slug", ["no-such-team", "bright-tea"])
def test_unknown_teams_do_not_exist(as_user, alice, team, slug):
    assert as_user(alice).get(f"/t/{slug}/").status_code == 404


@pytest.mark.parametrize("name", ["issue", "bundle"])
def test_unknown_objects_do_not_exist(as_user, alice, team, name):
    assert as_user(alice).get(reverse(name, args=[team.slug, 999_999])).status_code == 404
    assert as_user(alice).get(reverse("workspace", args=[team.slug, uuid.uuid4()])).status_code == 404


# --- Every URL, every method, every role ---------------------------------------------------------------------

ROLES = ("nobody", "outsider", "former", "viewer", "editor", "owner")


def expected(name, method, role):
    """What an answer may be. 2xx, 3xx (back to a page) and 4xx of a form mean that the door was open."""
    right = method == method_of(name) or (method == "head" and name in OWNER_PAGES)
    both = name in {"workspace_connect", "team_rules"} and method == "post"
    if not right and not both:
        return {302, 404, 405} if role in {"nobody", "outsider", "former"} else {405}
    if role == "nobody":
        return {302}
    if role in {"outsider", "former"}:
        return {404}
    needs = "owner" if name in OWNER_POSTS | OWNER_PAGES else "viewer" if name in PAGES | VIEWER_POSTS else "editor"
    if ROLES.index(role) < ROLES.index(needs):
        return {403}
    gone = {404} if name == "view_remove" and role == "owner" else set()  # the editor has removed it before
    return {200, 201, 204, 302, 303, 400, 409, 413, 415, 422, 502} | gone


@pytest.mark.parametrize("name", sorted(TEAM_URLS))
def test_every_url_method_and_role(arguments, as_user, alice, bob, vera, charlie, team, name):
    url = reverse(name, kwargs=arguments(name))
    former = factories.user("former@team.example", "Fred Former")
    factories.join(team, former, Role.OWNER)
    users = {"outsider": charlie, "former": former, "viewer": vera, "editor": bob, "owner": alice}
    # Sessions from before the removal.
    clients = {role: as_user(user, raise_request_exception=False) for role, user in users.items()}
    clients["nobody"] = Client(raise_request_exception=False)
    remove_member(membership=Membership.objects.get(team=team, user=former), actor=factories.OPERATOR)

    for role in ROLES:  # those who may change something last
        before = AuditEvent.objects.count()
        for method in METHODS:
            status = getattr(clients[role], method)(url).status_code
            assert status in expected(name, method, role), (role, method, status)
        if role in {"nobody", "outsider", "former"}:
            assert AuditEvent.objects.count() == before, role
