"""The trials of `tests/trials/`, through the doors that people use: commands, the upload form, the bulk fix page."""

import importlib.util
import io
import json
import os
import random
import re
import zipfile
from base64 import b64encode
from types import ModuleType
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from issues.audit import Actor
from issues.enums import Origin
from issues.fixes import bulk, foreground
from issues.link_checks import checker, resolver
from issues.media.file_check import pieces_of
from issues.models import AuditEvent, Fix, Issue
from issues.sandbox.server import Sandbox
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests import trial_cases as cases
from tests.driving import drive

SECRET = "123456789:AAExampleSecretTokenXyz"
S1 = next(case for case in cases.link_cases() if case.id == "S1-1")
SEEDS = (31, 35, 45, 64)  # their brotli streams break after some bytes
LINKS = [case for case in (*cases.link_cases(), *cases.MORE_LINKS) if case.id != S1.id]


def _server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("outside_server", cases.FOLDER / "outside_server.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def world():
    """The stand-in internet of the trials."""
    running = _server().World(cases.FILES)
    yield running
    running.stop()


@pytest.fixture
def outside(world, settings, monkeypatch):
    """The link checker reaches the trials' internet, and does not wait before it looks twice."""
    monkeypatch.setattr(checker, "SECOND_LOOK_AFTER", 0.0)
    settings.TOKDASH_OUTSIDE_WORLD = world.origin
    yield world
    resolver.forget()


@pytest.fixture
def tokportal(outside):
    """A small sandbox whose object store can be reached from the trials' internet."""
    with Sandbox(rate=60_000, bundles=12, videos=60, flagged=0) as running:
        resolver.forget()
        outside.direct[:] = [f"127.0.0.1:{port}" for port in (running.storage_port, running.image_port)]
        yield running
        outside.direct.clear()


@pytest.fixture
def connected(team, tokportal):
    return factories.connect(team, tokportal)


def _run(capsys: Any, *arguments: str, **options: Any) -> tuple[int, Any, str]:
    """A command in this process: exit code, what it printed as JSON, what it complained about."""
    status, complaint = 0, ""
    try:
        call_command(*arguments, json=True, **options)
    except CommandError as error:
        status, complaint = error.returncode, str(error)
    except SystemExit as error:
        status = int(error.code or 0)
    printed = capsys.readouterr()
    return status, json.loads(printed.out) if printed.out.strip() else None, complaint + printed.err


# --- Links -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LINKS, ids=lambda case: case.id)
def test_a_link_is_judged_rightly(case, outside, capsys):
    status, answer, complaint = _run(capsys, "check_link", case.url)

    assert (status, complaint) == (0, "")
    assert answer["url"] == case.url
    assert cases.is_right(case, answer), f"{case.right}: {answer}"
    if suggestion := answer.get("suggestion"):
        assert suggestion != case.url
        again = _run(capsys, "check_link", suggestion)[1]
        assert again["verdict"] != "malformed", again
        assert again["class"] != "wrong", again


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_that_only_begin_to_unpack_show_nothing(seed, outside, capsys, monkeypatch):
    """A6 sends other bytes each time; some brotli streams break only after a few stray ones."""
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda n: random.Random(seed).randbytes(n) if n == 5000 else real(n))
    assert _run(capsys, "check_link", "https://brmp4.example.com/reel.mp4")[1]["class"] == "unsure"


@pytest.fixture
def one_video(connected, tokportal):
    """An open issue of a video, at position 1."""
    cases.flag_for(cases.TableCase("one", ((S1.url,),)), tokportal)
    sweep_workspace(connected, actor=Actor.system(Origin.SYNC))
    return Issue.objects.select_related("video__bundle").get()


@pytest.mark.parametrize("case", [case for case in LINKS if cases.meant_by(case)], ids=lambda case: case.id)
def test_a_paste_on_the_page_offers_and_sends_the_link_in_it(case, one_video, tokportal, page, team):
    meant = cases.meant_by(case)
    args = [team.slug, one_video.pk]

    def post(name: str, text: str) -> str:
        answer = page.client.post(reverse(name, args=args), {"links": text})
        assert answer.status_code in {200, 302, 422}
        for fix in Fix.objects.all():
            drive(fix)
        return answer.content.decode()

    shown = post("check_link", case.url) + post("link_look", case.url)
    post("submit_fix", case.url)
    if not tokportal.control.ledger("fix"):
        assert f'data-fill="{escape(meant)}"' in shown
        post("submit_fix", meant)

    assert _sent(tokportal) == {one_video.video.bundle.tokportal_id: {"video_url": meant}}


@pytest.mark.parametrize(
    "case", [case for case in LINKS if case.id in cases.SENT_AS_THEY_ARE], ids=lambda case: case.id
)
def test_a_good_link_reaches_tokportal_as_it_is(case, one_video, tokportal, bob, capsys):
    bundle_id = one_video.video.bundle.tokportal_id

    # One of them is a picture: TokDash asks before it sends that for a video.
    insist = case.url.endswith(".jpg")
    status, answer, complaint = _run(capsys, "fix", bundle_id, "1", url=case.url, email=bob.email, unchecked=insist)

    assert status == 0, (answer, complaint)
    assert _sent(tokportal) == {bundle_id: {"video_url": case.url.replace("|", "%7C")}}


def test_the_secret_in_the_path_of_a_link_is_sent_and_stands_nowhere(one_video, tokportal, bob, as_user, team, capsys):
    bundle_id = one_video.video.bundle.tokportal_id

    status, answer, complaint = _run(capsys, "fix", bundle_id, "1", url=S1.url, email=bob.email)
    assert status == 0, (answer, complaint)
    [entry] = tokportal.control.ledger("fix")
    assert entry["body"] == {"video_url": S1.url}

    slug = team.slug
    client = as_user(bob)
    seen = {
        "the database": json.dumps(list(AuditEvent.objects.values()), default=str),
        "the history": client.get(reverse("history", args=[slug])).content.decode(),
        "the issue": client.get(reverse("issue", args=[slug, one_video.pk])).content.decode(),
    }
    for event in AuditEvent.objects.all():
        seen[f"event {event.seq}"] = client.get(reverse("history_event", args=[slug, event.seq])).content.decode()
    for kind in ("csv", "jsonl", "zip"):
        seen[kind] = _exported(capsys, slug, kind)
    assert [place for place, text in seen.items() if SECRET in text] == []
    assert "api.telegram.org" in seen["jsonl"]


def _exported(capsys: Any, slug: str, kind: str) -> str:
    class Out(io.StringIO):
        buffer = io.BytesIO()

    out = Out()
    out.buffer.seek(0)
    out.buffer.truncate()
    call_command("export_audit", slug, format=kind, output="-", stdout=out)
    content = out.buffer.getvalue()
    if kind != "zip":
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return "\n".join(package.read(name).decode("utf-8", "replace") for name in package.namelist())


# --- Tables ------------------------------------------------------------------------------------------------


class _Inline:
    """An executor without threads: the test's database connection is this thread's."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> "_Inline":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Any, *arguments: Any) -> Any:
        class Done:
            value = function(*arguments)

            def result(self) -> Any:
                return self.value

        return Done()


def _sent(tokportal: Sandbox) -> dict[str, Any]:
    entries = tokportal.control.ledger("fix")
    assert {entry["position"] for entry in entries} <= {1}
    assert len({entry["bundle_id"] for entry in entries}) == len(entries)
    return {entry["bundle_id"]: entry["body"] for entry in entries}


@pytest.fixture
def flagged(request, connected, tokportal):
    ids = cases.flag_for(request.param, tokportal)
    sweep_workspace(connected, actor=Actor.system(Origin.SYNC))
    return request.param, ids


by_table = pytest.mark.parametrize("flagged", cases.TABLE_CASES, ids=lambda case: case.name, indirect=True)


@by_table
def test_a_table_is_done_by_the_command(flagged, tokportal, bob, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(foreground, "ThreadPoolExecutor", _Inline)
    monkeypatch.setattr(foreground, "_wait_in_thread", foreground.wait_for_end)
    case, ids = flagged
    path = tmp_path / case.name
    path.write_bytes(case.content(ids))

    status, results, complaint = _run(capsys, "fix", csv=str(path), email=bob.email)

    assert status in {0, 1, 2}
    reason = " ".join([complaint, *(f"line {row['line']}: {row['message']}" for row in results or [])])
    outcome = cases.Outcome(_sent(tokportal), status == 0, len(results or []), reason)
    assert list(cases.faults_of(case, ids, outcome)) == []


@by_table
def test_a_table_is_done_by_the_page(flagged, tokportal, page, team):
    case, ids = flagged
    content = case.content(ids)
    fields: dict[str, Any] = {"how": "table", "file": SimpleUploadedFile(case.name, content, "text/csv")}
    if case.is_pasted:
        fields = {"how": "table", "table": content.decode()}

    answer = page.client.post(reverse("bulk_plan", args=[team.slug]), fields)

    assert answer.status_code in {302, 422}
    if answer.status_code == 422:
        outcome = cases.Outcome(_sent(tokportal), is_done=False, lines=0, reason=answer.content.decode())
    else:
        outcome = _outcome_of_plan(page, team, tokportal)
    assert list(cases.faults_of(case, ids, outcome)) == []


def _outcome_of_plan(page: Any, team: Any, tokportal: Sandbox) -> cases.Outcome:
    """Let the links be looked at, send what is ticked, and be the workers."""
    while bulk.check_rows():
        pass
    plan = team.bulk_fixes.get()
    shown = page("bulk", plan.pk).content.decode()
    inputs = re.findall(r'<input[^>]*name="row"[^>]*>', shown)
    ticked = [found[1] for text in inputs if " checked" in text and (found := re.search(r'value="(\d+)"', text))]
    page.client.post(reverse("bulk_start", args=[team.slug, plan.pk]), {"row": ticked})
    bulk.send_chosen()
    plan.fixes.update(next_try_at=timezone.now())
    type(plan).objects.update(starts_at=timezone.now())
    for fix in plan.fixes.all():
        drive(fix)
    rows = list(plan.rows.select_related("fix"))
    done = [row for row in rows if row.fix and row.fix.state == "succeeded"]
    reason = " ".join(f"line {row.label}: {row.message or row.verdict}" for row in rows)
    return cases.Outcome(_sent(tokportal), len(done) == len(rows), len(rows), reason)


# --- Files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases.FILE_CASES, ids=lambda case: f"{case.slot}-{case.name}")
def test_a_chosen_file_is_taken_held_or_refused(case, connected, tokportal, page, team):
    links = ("https://c.example.com/1.jpg",) * (2 if case.slot == "carousel" else 1)
    cases.flag_for(cases.TableCase(case.name, (links,)), tokportal)
    sweep_workspace(connected, actor=Actor.system(Origin.SYNC))
    issue = Issue.objects.get()

    def announce(**fields: object) -> tuple[int, Any]:
        path = cases.FILES / case.name
        with path.open("rb") as file:
            pieces = [{"at": at, "bytes": b64encode(part).decode()} for at, part in pieces_of(file)]
        entry = {"name": case.name, "size": path.stat().st_size, "pieces": pieces}
        kept = [{"link": link} for link in links[1:]]  # the carousel keeps its number of images
        said = {"files": [entry, *kept], **fields}
        url = reverse("upload_begin", args=[team.slug, issue.pk])
        answer = page.client.post(url, json.dumps(said), content_type="application/json")
        return answer.status_code, answer.json()

    status, said = announce()

    if status == 201:
        result = cases.TAKEN
    else:
        assert status == 422
        result = cases.WARNED if said["code"] == "FILE_DOUBTFUL" else cases.REFUSED
        assert case.name in said["message"]
        assert not re.search(cases.CODES, said["message"])
    assert result in case.right, said
    if result == cases.WARNED:
        assert announce(insist=True)[0] == 201


@pytest.mark.parametrize(("slot", "name", "is_sent"), cases.GIVEN_AS_LINKS)
def test_a_file_at_a_link_is_sent_where_it_fits(slot, name, is_sent, connected, tokportal, bob, capsys):
    links = [f"https://files.example.com/{name}"] * (2 if slot == "carousel" else 1)
    case = cases.TableCase(name, (tuple(links),))
    [bundle_id] = cases.flag_for(case, tokportal)
    sweep_workspace(connected, actor=Actor.system(Origin.SYNC))
    source = {"image": links} if slot == "carousel" else {"url": links[0]}

    status, answer, _ = _run(capsys, "fix", bundle_id, "1", email=bob.email, **source)

    assert (status == 0) is is_sent, answer
    assert _sent(tokportal) == ({bundle_id: case.bodies[0]} if is_sent else {})
    assert is_sent or answer["message"]


def test_each_file_of_the_trials_has_a_judgement():
    named = {case.name for case in cases.FILE_CASES}
    assert {path.name for path in cases.FILES.iterdir()} == named
    assert {path.name for path in cases.TABLES.iterdir()} == {case.name for case in cases.TABLE_CASES}
