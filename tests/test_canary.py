"""A canary key goes through every failure that we can produce; afterwards it is nowhere to be found."""

import io
import json
import logging
import zipfile

import pytest
from django.apps import apps
from django.urls import reverse

from issues.audit import Actor
from issues.enums import Origin
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.fixes.uploads import FileFacts, begin_upload, presign_for_browser
from issues.models import Fix
from issues.problems import Refusal
from issues.sync.sweeps import sweep_workspace
from issues.tokportal import transport
from tests import factories

CANARY = "sk_canary_0123456789abcdef_canary"


class Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


def everything_stored() -> str:
    rows = []
    for model in apps.get_models():  # allauth's and the sessions, too
        rows += [json.dumps(row, default=str) for row in model._default_manager.values()]
    return "\n".join(rows)


def test_no_secret_is_left_behind_by_failures(team, small_sandbox, actor, as_user, alice, settings, monkeypatch):
    logs, told = Everything(), []
    for module in ("issues.sync.workspaces", "issues.fixes.submit", "issues.fixes.uploads"):
        monkeypatch.setattr(f"{module}.nudge", lambda *arguments: told.append(arguments), raising=False)
    logging.getLogger().addHandler(logs)
    settings.TOKPORTAL_READ_TIMEOUT = settings.TOKPORTAL_FIX_DEADLINE = 1.5
    small_sandbox.control.key(CANARY)
    workspace = factories.connect(team, small_sandbox, key=CANARY)
    sweep = Actor.system(Origin.SYNC)
    sweep_workspace(workspace, actor=sweep)
    for kind in ("html", "malformed", "reset_before", "truncated"):
        small_sandbox.control.fault(kind, path="^/bundles$", times=-1)
        sweep_workspace(workspace, actor=sweep)
        small_sandbox.control.clear_faults()
    signed = "https://cdn.example.com/x.mp4?X-Amz-Signature=canarysignature0123456789"
    issues = [factories.open_issue("video")]
    fix = submit_links(issue=issues[0], links=[signed], actor=actor)
    small_sandbox.control.fault("reset_before", method="POST", path="fix-download")
    drive_fix(fix.pk)
    Fix.objects.filter(pk=fix.pk).update(state="rejected", finished_at=fix.created_at)
    issues[0].state = "open"
    issues[0].save()
    upload = begin_upload(
        issue=issues[0], files=[FileFacts("a.mp4", len(factories.MP4), [(0, factories.MP4[:64])])], actor=actor
    )
    place = presign_for_browser(upload.media.select_related("fix__issue__video__bundle", "fix__issue__workspace").get())
    small_sandbox.control.key(CANARY, revoked=True)
    with pytest.raises(Refusal) as caught:
        presign_for_browser(upload.media.select_related("fix__issue__video__bundle", "fix__issue__workspace").get())
    sweep_workspace(workspace, actor=sweep)

    client = as_user(alice, raise_request_exception=False)
    pages = [
        client.get(reverse(name, args=[team.slug])).content.decode()
        for name in ("issues", "history", "workspaces", "bundles")
    ]
    pages.append(client.get(reverse("workspace", args=[team.slug, workspace.pk])).content.decode())
    export = "".join(
        b"".join(client.post(reverse("history_export", args=[team.slug, kind])).streaming_content).decode()
        for kind in ("jsonl", "csv")
    )
    package = b"".join(client.post(reverse("history_export", args=[team.slug, "zip"])).streaming_content)
    with zipfile.ZipFile(io.BytesIO(package)) as parts:
        export += "".join(parts.read(name).decode() for name in parts.namelist())
    export += client.get(reverse("history_proof", args=[team.slug])).content.decode()
    monkeypatch.setattr(transport, "send", None)
    logging.getLogger().removeHandler(logs)

    logged = "\n".join(logs.lines)
    assert logs.lines
    for where, found in {
        "database": everything_stored(),
        "pages": "".join(pages),
        "export": export,
        "logs": logged,
        "task arguments": json.dumps(told),
        "refusal": repr(caught.value) + repr(caught.value.__cause__),
    }.items():
        assert CANARY not in found, where
        assert place.upload_url not in found, where
    assert "canarysignature" not in "".join(pages) + export + logged
    assert place.upload_url not in repr(place)
