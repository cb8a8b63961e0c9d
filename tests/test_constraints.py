"""What the database itself holds, whatever the code does."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from issues.models import AuditEvent, Bundle, Fix, Issue, MediaFile, Membership, SyncRun, User, Video, Workspace


def copy_of(row, **changes):
    """The row once more, under a new primary key."""
    row.pk = uuid.uuid4() if row._meta.pk.get_internal_type() == "UUIDField" else None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def assert_refused(name, save):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        save()
    # SQLite names the columns of a unique constraint instead of the constraint.
    assert name in str(caught.value) or "UNIQUE" in str(caught.value)


def test_one_video_for_a_bundle_and_position(video_issue):
    assert_refused("video_once_at_a_position", copy_of(Video.objects.get(pk=video_issue.video_id)).save)


def test_one_bundle_in_a_workspace(video_issue):
    assert_refused("bundle_once_in_a_workspace", copy_of(video_issue.video.bundle).save)


@pytest.mark.parametrize("state", ["open", "fixing"])
def test_one_open_issue_for_a_video(video_issue, state):
    assert_refused("issue_one_open_for_a_video", copy_of(Issue.objects.get(pk=video_issue.pk), state=state).save)


def test_a_resolved_issue_beside_an_open_one_is_fine(video_issue):
    copy_of(Issue.objects.get(pk=video_issue.pk), state="cleared", closed_at=timezone.now()).save()

    assert Issue.objects.filter(video=video_issue.video).count() == 2


def test_a_resolved_issue_has_a_time(video_issue):
    assert_refused("issue_closed_when_resolved", lambda: Issue.objects.filter(pk=video_issue.pk).update(state="fixed"))


def fix(issue, **fields):
    values = {"kind": "url", "state": "queued", "request_body": "{}", "actor_name": "x", "origin": "page", **fields}
    return Fix(team_id=issue.team_id, issue=issue, idempotency_key=str(uuid.uuid4()), **values)


@pytest.mark.parametrize("state", ["queued", "uploading", "uploaded", "sending", "verifying"])
def test_one_unfinished_fix_for_an_issue(video_issue, state):
    fix(video_issue).save()

    assert_refused("fix_one_unfinished_for_an_issue", fix(video_issue, state=state).save)
    fix(video_issue, state="rejected", finished_at=timezone.now()).save()


def test_nothing_is_sent_without_a_stored_body(video_issue):
    assert_refused("fix_body_stored_before_sending", fix(video_issue, state="sending", request_body="").save)


def test_a_finished_fix_has_a_time(video_issue):
    assert_refused("fix_finished_has_a_time", fix(video_issue, state="rejected").save)


def test_idempotency_keys_are_unique(video_issue):
    first = fix(video_issue)
    first.save()

    second = fix(video_issue, state="rejected", finished_at=timezone.now())
    second.idempotency_key = first.idempotency_key
    assert_refused("idempotency_key", second.save)


def test_an_uploaded_file_has_a_place(video_issue):
    row = fix(video_issue, state="uploading", request_body="")
    row.save()
    media = MediaFile(fix=row, order=1, kind="video", filename="a", content_type="video/mp4", size=1, state="uploaded")

    assert_refused("media_uploaded_has_a_place", media.save)


def test_one_event_for_a_team_and_number(team):
    event = AuditEvent.objects.filter(team=team)[0]

    if connection.vendor == "sqlite":  # there a trigger says no before the constraint does
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER history_no_replace")

    assert_refused("event_one_for_a_number", copy_of(event).save)


def test_one_running_sweep_in_a_workspace(workspace):
    for number in range(2):
        run = SyncRun(workspace=workspace, fence=number, origin="sync", started_at=timezone.now())
        if number:
            assert_refused("sync_one_running_in_a_workspace", run.save)
        else:
            run.save()


def test_states_and_roles_are_known_ones(video_issue, team):
    assert_refused("issue_", lambda: Issue.objects.filter(pk=video_issue.pk).update(state="odd", closed_at=None))
    assert_refused("membership_role_known", lambda: Membership.objects.filter(team=team).update(role="king"))
    assert_refused("workspace_state_known", lambda: Workspace.objects.update(state="odd"))


def test_positions_count_from_one(video_issue):
    assert_refused("video_position_from_one", lambda: Video.objects.filter(pk=video_issue.video_id).update(position=0))


def test_addresses_are_unique_in_any_case(alice):
    assert_refused("user_email_unique_any_case", User(email=alice.email.upper(), password="x").save)


def test_names_are_unique_where_people_pick_by_them(workspace, team, alice):
    assert_refused("workspace_name_once_in_a_team", copy_of(Workspace.objects.get()).save)
    assert_refused("membership_once_in_a_team", Membership(team=team, user=alice, role="viewer").save)
    assert Bundle.objects.count() == 0
