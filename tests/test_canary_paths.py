"""A token in a link's path goes through every door and failure; afterwards only what must be sent still has it."""

import io
import json
import logging
import zipfile

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone

from issues.audit import Actor
from issues.audit.chain import canonical_text, chain_hash
from issues.audit.verify import verify_team
from issues.audit.words import search_words
from issues.checks.background import check_due_videos
from issues.checks.store import look_at_links
from issues.enums import MediaKind, Origin
from issues.fixes.bulk import check_rows, plan_pattern, plan_table
from issues.fixes.lifecycle import drive_fix
from issues.fixes.link_gate import BadLinkError
from issues.fixes.submit import submit_links
from issues.logs import ScrubFilter
from issues.models import AuditEvent, AuditHead, Channel, HookDelivery, Message
from issues.notify.collect import collect_due
from issues.notify.compose import compose_due
from issues.outgoing import hooks
from issues.outgoing.announce import announce_all
from issues.outgoing.deliver import deliver_due
from issues.outgoing.payloads import TYPES
from issues.sync.sweeps import sweep_workspace
from issues.triage.notes import write_note
from tests import factories
from tests.evidence import alone, package_of
from tests.test_canary import Everything

PATH_CANARY = "AAPathCanary0123456789abcdefXyz"
BROKEN = f"https://api.telegram.org/file/bot123456789:{PATH_CANARY}/videos/f.mp4"
# Where a link must be stored whole, since it is sent, opened or edited later, or is what the manager wrote.
WHOLE_LINKS = {
    ("video", "video_url"), ("video", "carousel_images"), ("video", "download_issue_comment"), ("issue", "links"),
    ("issue", "comment"), ("issue", "words"), ("fix", "typed"), ("fix", "request_body"), ("bulkrow", "before"),
    ("bulkrow", "links"), ("preparedfix", "links"), ("mediafile", "public_url"), ("linkcheck", "repaired"),
    ("hook", "url"),
}  # fmt: skip


def fields_with(text: str) -> set[tuple[str, str]]:
    return {
        (model._meta.model_name, name)
        for model in apps.get_models()
        for row in model._default_manager.values()
        for name, value in row.items()
        if text in json.dumps(value, default=str)
    }


def exports_of(client, team) -> dict[str, str]:
    found = {
        kind: b"".join(client.post(reverse("history_export", args=[team.slug, kind])).streaming_content)
        for kind in ("jsonl", "csv", "zip")
    }
    with zipfile.ZipFile(io.BytesIO(found.pop("zip"))) as parts:
        package = "".join(parts.read(name).decode() for name in parts.namelist())
    return {**{kind: body.decode() for kind, body in found.items()}, "package": package}


def test_no_secret_of_a_path_is_left_behind(team, small_sandbox, actor, as_user, alice, channel, settings):
    logs = Everything()
    logs.addFilter(ScrubFilter())
    logging.getLogger().addHandler(logs)
    workspace = factories.connect(team, small_sandbox)
    owner = Actor.person(alice, Origin.PAGE)
    hook_url = "https://hooks.example.com/hook/webhook/" + PATH_CANARY
    hooks.add_hook(team=team, name="CRM", url=hook_url, types=list(TYPES), actor=owner)
    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], f"I cannot open {BROKEN}!", video_url=BROKEN)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    issue = factories.open_issue("video", bundle["id"], video["position"])
    check_due_videos()
    write_note(team=team, issue=issue, text=f"Is {BROKEN} the one?", actor=actor)
    find, put = BROKEN.rpartition("/videos")[0], BROKEN.rpartition("/videos")[0].replace("api.", "files.")
    plan = plan_pattern(team=team, issues=[issue], find=find, put=put, actor=actor)
    table = plan_table(team=team, text=f"{BROKEN},x,{BROKEN}\n{bundle['id']},1,{BROKEN}", actor=actor)
    check_rows()
    with pytest.raises(BadLinkError):
        submit_links(issue=issue, links=[BROKEN.replace("api.telegram.org", "localhost")], actor=actor)
    fix = submit_links(issue=issue, links=[BROKEN], actor=actor, unchecked=True)
    answer = {"status": 500, "code": "UPLOAD_FAILED", "message": f"Could not download {BROKEN}"}
    small_sandbox.control.fault("status", method="POST", path="fix-download", times=-1, **answer)
    drive_fix(fix.pk)
    look_at_links(workspace, [BROKEN], expects=MediaKind.VIDEO, until=None)
    announce_all()
    collect_due()
    Channel.objects.update(due_at=timezone.now())
    compose_due()
    deliver_due()
    try:
        raise OSError(f"Max retries exceeded with url: {BROKEN.partition('.org')[2]} (Caused by {BROKEN!r})")
    except OSError:
        logging.getLogger("issues.canary").exception("could not open %s", BROKEN)
    logging.getLogger().removeHandler(logs)

    client = as_user(alice)
    pages = "".join(
        client.get(reverse(name, args=[team.slug])).content.decode()
        for name in ("issues", "history", "at_risk", "bundles", "insights", "bulk_new", "hooks")
    )
    for made in (plan, table):
        pages += client.get(reverse("bulk", args=[team.slug, made.pk])).content.decode()

    assert fields_with(PATH_CANARY) <= WHOLE_LINKS
    assert PATH_CANARY not in "\n".join(logs.lines)
    assert PATH_CANARY not in pages
    for kind, text in exports_of(client, team).items():
        assert PATH_CANARY not in text, kind
        assert "bot…" in text, kind


def test_the_notices_and_webhooks_were_really_made(team, small_sandbox, actor, alice, channel):
    """The test above proves nothing of doors that it does not reach."""
    workspace = factories.connect(team, small_sandbox)
    hooks.add_hook(
        team=team,
        name="CRM",
        url="https://hooks.example.com/x",
        types=list(TYPES),
        actor=Actor.person(alice, Origin.PAGE),
    )
    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], f"I cannot open {BROKEN}!", video_url=BROKEN)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    announce_all()
    collect_due()
    Channel.objects.update(due_at=timezone.now())
    compose_due()
    deliver_due()

    assert Message.objects.exists()
    [delivery] = [one for one in HookDelivery.objects.all() if "telegram" in one.body]
    assert json.loads(delivery.body)["data"]["issue"]["links"] == ["https://api.telegram.org/file/bot…/videos/f.mp4"]
    assert PATH_CANARY not in delivery.body


def test_a_secret_that_an_older_version_wrote_is_shown_masked_and_the_chain_holds(
    team, actor, as_user, alice, tmp_path
):
    event = AuditEvent.objects.filter(team=team).order_by("seq").last()
    event.pk, event.seq, event.previous_hash = None, event.seq + 1, event.hash
    event.verb, event.label, event.label_digest = "bulk.planned", f"“{BROKEN}” became “x”", ""
    event.canonical = canonical_text(event, {"links": [[BROKEN], [BROKEN]], "comment": [None, f"See {BROKEN}"]})
    event.hash = chain_hash(event.previous_hash, event.canonical)
    event.words = search_words(
        verb=event.verb, actor_digest=event.actor_digest, label=event.label, label_digest="", bundle_id=event.bundle_id,
        changes=event.changes,
    )  # fmt: skip
    event.save(force_insert=True)
    AuditHead.objects.filter(team=team).update(seq=event.seq, hash=event.hash, at=event.at)
    client = as_user(alice)

    exports = exports_of(client, team)
    shown = client.get(reverse("history", args=[team.slug])).content.decode()

    assert PATH_CANARY not in shown + exports["csv"]
    for line in exports["jsonl"].splitlines():
        row = json.loads(line)
        row.pop("canonical")  # what was hashed cannot be taken back
        assert PATH_CANARY not in json.dumps(row)
    assert verify_team(team).ok
    code, result = alone(package_of(team, tmp_path))
    assert (code, result["ok"]) == (0, True)
