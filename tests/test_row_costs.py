"""A list asks the database as often for thirty rows as for one: each list with rows of its own kind."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues.audit import Event, Personal, Verb, record
from issues.enums import InvitationState, NoticeKind, Role
from issues.models import (
    BulkFix,
    BulkRow,
    Channel,
    Fix,
    Hook,
    HookDelivery,
    Invitation,
    Issue,
    Mention,
    Message,
    PreparedFix,
    SavedView,
    SyncGauge,
    SyncRun,
    User,
    Video,
    WebhookEvent,
    Workspace,
)
from issues.sealed import Secret
from tests import factories


def more_issues(workspace, count):
    """Each assigned to, and held by, somebody else."""
    factories.many_issues(workspace, count)
    for issue in Issue.objects.filter(assignee=None):
        person = User.objects.create(email=f"{uuid.uuid4().hex}@team.example", name=f"Person {issue.pk}")
        Issue.objects.filter(pk=issue.pk).update(assignee=person, claimed_by=person, claimed_at=timezone.now())


def more_events(workspace, count):
    """Each by somebody else about an issue of its own."""
    factories.many_issues(workspace, count)
    people = [factories.user(f"{uuid.uuid4().hex}@team.example") for _ in range(count)]
    with transaction.atomic():
        events = [Event(Verb.MEMBER_ADDED, Personal.of(person), {"role": [None, "editor"]}) for person in people]
        events += [Event.about_issue(Verb.ISSUE_UPDATED, issue, {"comment": ["a", "b"]}) for issue in _about(count)]
        record(workspace.team_id, factories.OPERATOR, events)


def _about(count):
    return Issue.objects.select_related("video__bundle").order_by("-pk")[:count]


def more_risks(workspace, count):
    factories.many_issues(workspace, count)
    Issue.objects.all().delete()
    later = timezone.now() + timedelta(days=3)
    Video.objects.update(download_issue=False, link_class="dead", link_verdict="http_404", link_checked_at=timezone.now(), deadline=later)  # fmt: skip
    for video in Video.objects.filter(prepared_fixes=None):
        PreparedFix.objects.create(team=workspace.team, video=video, links=["https://a.example/a.mp4"], actor_name="x")
    half = Video.objects.order_by("-pk").values("pk")[: Video.objects.count() // 2]
    Video.objects.filter(pk__in=[row["pk"] for row in half]).update(link_class="ok")


def more_story(workspace, count):
    """Events, fixes and calls of one issue."""
    if not Issue.objects.exists():
        factories.many_issues(workspace, 1)
    issue = Issue.objects.select_related("video__bundle").get()
    with transaction.atomic():
        record(workspace.team_id, factories.OPERATOR, [Event.about_issue(Verb.ISSUE_UPDATED, issue)] * count)
    for _ in range(count):
        person = factories.user(f"{uuid.uuid4().hex}@team.example")
        factories.join(workspace.team, person, Role.EDITOR)
        Mention.objects.create(issue=issue, user=person)
        Fix.objects.create(team=workspace.team, issue=issue, kind="video_url", state="rejected", actor=person, actor_name="x", origin="page", idempotency_key=uuid.uuid4().hex, finished_at=timezone.now())  # fmt: skip


def more_slots(workspace, count):
    """Of one bundle, each with an issue."""
    factories.many_issues(workspace, count)
    first = Video.objects.order_by("pk")[0].bundle
    for position, video in enumerate(Video.objects.order_by("pk"), start=1000):
        Video.objects.filter(pk=video.pk).update(bundle=first, position=position + video.pk)


def more_workspaces(workspace, count):
    for number in range(count):
        name = f"Workspace {Workspace.objects.count()} {number}"
        made = Workspace.objects.create(team=workspace.team, name=name, base_url=workspace.base_url)
        SyncGauge.objects.create(workspace=made, measured_at=timezone.now())


def more_members(workspace, count):
    for _ in range(count):
        email = f"{uuid.uuid4().hex}@team.example"
        factories.join(workspace.team, factories.user(email), Role.EDITOR)
        by = factories.user(f"by-{email}")
        Invitation.objects.create(team=workspace.team, email=f"to-{email}", role=Role.VIEWER, state=InvitationState.PENDING, invited_by=by, expires_at=timezone.now())  # fmt: skip


def more_views(workspace, count):
    start = SavedView.objects.count()
    for number in range(start, start + count):
        SavedView.objects.create(team=workspace.team, name=f"View {number}", query=f"q={number}")


def more_hooks(workspace, count):
    """Each with a delivery."""
    start = Hook.objects.count()
    for number in range(start, start + count):
        hook = Hook.objects.create(
            team=workspace.team, name=f"Hook {number}", url="https://a.example/", types=["issue.opened"]
        )
        HookDelivery.objects.create(hook=hook, event_id=uuid.uuid4().hex, event_type="issue.opened", body="{}")


def more_deliveries(workspace, count):
    hook, _ = Hook.objects.get_or_create(
        team=workspace.team, name="Hook", url="https://a.example/", types=["issue.opened"]
    )
    for _ in range(count):
        HookDelivery.objects.create(hook=hook, event_id=uuid.uuid4().hex, event_type="issue.opened", body="{}")


def more_channels(workspace, count):
    """Each with a message."""
    start = Channel.objects.count()
    for number in range(start, start + count):
        channel = Channel.objects.create(team=workspace.team, name=f"Channel {number}", kind="email", target=Secret("a@a.example"), notices=[NoticeKind.NEW])  # fmt: skip
        Message.objects.create(channel=channel, subject="x")


def more_messages(workspace, count):
    channel = Channel.objects.order_by("created_at").filter(owner=None).first() or Channel.objects.create(
        team=workspace.team, name="Channel", kind="email", target=Secret("a@a.example")
    )
    for _ in range(count):
        Message.objects.create(channel=channel, subject="x")


def more_received(workspace, count):
    for _ in range(count):
        WebhookEvent.objects.create(
            workspace=workspace, event_id=uuid.uuid4().hex, event_type="x", received_at=timezone.now()
        )


def more_rounds(workspace, count):
    for _ in range(count):
        SyncRun.objects.create(workspace=workspace, fence=1, origin="sync", state="done", started_at=timezone.now())


def more_planned(workspace, count):
    """Rows of one plan."""
    factories.many_issues(workspace, count)
    plan, _ = BulkFix.objects.get_or_create(team=workspace.team, how="a table", actor_name="x")
    start = plan.rows.count()
    for number, issue in enumerate(_about(count), start=start):
        BulkRow.objects.create(bulk=plan, order=number, issue=issue, label="x", links=["https://a.example/a.mp4"], state="ready", verdict="works_for_us", verdict_class="ok")  # fmt: skip


LISTS = {
    "issues": (more_issues, lambda workspace: []),
    "issues, with views": (more_views, lambda workspace: []),
    "issue": (more_story, lambda workspace: [Issue.objects.get().pk]),
    "bundles": (lambda workspace, count: factories.many_issues(workspace, count * 10), lambda workspace: []),
    "bundle": (more_slots, lambda workspace: [Video.objects.order_by("pk")[0].bundle_id]),
    "history": (more_events, lambda workspace: []),
    "at_risk": (more_risks, lambda workspace: []),
    "search": (more_issues, lambda workspace: []),
    "bulk": (more_planned, lambda workspace: [BulkFix.objects.get().pk]),
    "bulk_new": (more_issues, lambda workspace: []),
    "insights": (more_issues, lambda workspace: []),
    "workspaces": (more_workspaces, lambda workspace: []),
    "workspace": (more_rounds, lambda workspace: [workspace.pk]),
    "workspace_webhooks": (more_received, lambda workspace: [workspace.pk]),
    "members": (more_members, lambda workspace: []),
    "hooks": (more_hooks, lambda workspace: []),
    "hook": (more_deliveries, lambda workspace: [Hook.objects.get().pk]),
    "notifications": (more_channels, lambda workspace: []),
    "channel": (more_messages, lambda workspace: [Channel.objects.filter(owner=None)[0].pk]),
}


@pytest.mark.parametrize("shown", LISTS)
def test_thirty_rows_cost_as_many_queries_as_one(page, workspace, shown):
    grow, arguments = LISTS[shown]
    name = shown.split(",")[0]

    def cost():
        query = {"search": {"q": "bulk"}, "bulk_new": {"all": "1"}}.get(name, {})
        page(name, *arguments(workspace), **query)  # what is asked once an hour or a process
        with CaptureQueriesContext(connection) as queries:
            answer = page(name, *arguments(workspace), **query)
        assert answer.status_code == 200
        return len(queries), len(answer.content)

    grow(workspace, 1)
    few, short = cost()
    grow(workspace, 29)
    many, long = cost()

    assert long > short
    assert many == few
