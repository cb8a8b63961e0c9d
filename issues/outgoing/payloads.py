"""The body of an event; docs/reference/webhooks.md documents it for those who receive it."""

import json
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from issues.audit import Verb
from issues.audit.chain import moment_text
from issues.link_checks.masking import mask_secrets, shown_url
from issues.models import AuditEvent, Fix, Issue
from issues.tokportal.days import PublishWindow

VERSION = "2026-11-01"
TYPES = {
    "issue.opened": _("A flag was seen"),
    "issue.fixed": _("Fixed and verified"),
    "issue.cleared": _("The flag went away without a fix from here, or its bundle ended"),
    "issue.needs_human": _("A fix was refused or stopped: somebody has to look"),
}
TYPE_OF = {
    Verb.ISSUE_OPENED.value: "issue.opened",
    Verb.ISSUE_FIXED.value: "issue.fixed",
    Verb.ISSUE_CLEARED.value: "issue.cleared",
    Verb.ISSUE_MOOT.value: "issue.cleared",
    Verb.FIX_NEEDS_HUMAN.value: "issue.needs_human",
    Verb.FIX_REJECTED.value: "issue.needs_human",
}


def event_id_of(event: AuditEvent) -> str:
    """The same for every endpoint, try and replay."""
    return f"evt_{event.team_id}_{event.seq}"


def body_of(event: AuditEvent, issue: Issue, fix: Fix | None) -> str:
    """The JSON text that is stored, signed and sent. The issue's video, bundle, workspace and team are loaded."""
    return json.dumps(
        {
            "id": event_id_of(event),
            "type": TYPE_OF[event.verb],
            "api_version": VERSION,
            "created_at": moment_text(event.at),
            "sequence": event.seq,
            "team": issue.team.slug,
            "data": {"issue": _issue(issue), "fix": _fix(fix)},
        },
        ensure_ascii=False,
    )


def test_body(team_slug: str, event_id: str, at: str) -> str:
    """A `webhook.test` event."""
    return json.dumps(
        {
            "id": event_id, "type": "webhook.test", "api_version": VERSION, "created_at": at, "sequence": None,
            "team": team_slug, "data": {},
        }
    )  # fmt: skip


def _issue(issue: Issue) -> dict[str, Any]:
    video, bundle = issue.video, issue.video.bundle
    return {
        "id": issue.pk,
        "url": settings.SITE_URL + reverse("issue", args=[issue.team.slug, issue.pk]),
        "state": issue.state,
        "episode": issue.episode,
        "opened_at": moment_text(issue.opened_at),
        "closed_at": moment_text(issue.closed_at) if issue.closed_at else None,
        "deadline": moment_text(issue.deadline) if issue.deadline else None,
        "comment": mask_secrets(issue.comment) if issue.comment else issue.comment,
        "verdict": issue.verdict or None,
        "links": [shown_url(link) for link in issue.links],
        "workspace": issue.workspace.name,
        "bundle": {
            "id": bundle.tokportal_id,
            "title": bundle.title,
            "external_ref": bundle.external_ref,
            "platform": bundle.platform,
            "country": bundle.country,
        },
        "video": {
            "position": video.position,
            "name": str(video),
            "external_ref": video.external_ref,
            "type": video.video_type,
            "target_publish_date": video.target_publish_date,
            "target_publish_end_date": video.target_publish_end_date,
        },
    }


def _days(window: PublishWindow) -> list[str] | None:
    """First and last publish day; `None` if no day is known."""
    days = [entry.text for entry in (window.start, window.end) if entry]
    return days or None


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {
        "id": str(fix.pk),
        "kind": fix.kind,
        "state": fix.state,
        "code": fix.code or None,
        "reason": fix.code_details.get("reason") or None,
        "tokportal_request_id": fix.tokportal_request_id or None,
        "planned_window": _days(fix.planned_window),
        "window": _days(fix.window),
        "dates_kept": fix.dates_kept,
        "dates_code": fix.dates_code or None,
        "created_at": moment_text(fix.created_at),
        "finished_at": moment_text(fix.finished_at) if fix.finished_at else None,
    }
