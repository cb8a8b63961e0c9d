"""`make bench-history`: verifying, appending, reading and exporting a history of a million events."""

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.ground import own_database, result, say, table

PARTS = ("append", "make", "verify", "pages", "export")
EVENTS = int(os.environ.get("EVENTS", "1000000"))
WRITERS, SECONDS = 8, 12.0
PEOPLE, BUNDLES, WORKSPACES = 40, 3000, 4
DAYS = 730  # over which the events are spread
OLD_WORD, RARE_WORD, COMMON_WORD = "zanzibar", "quixotic", "download"


def make_team() -> Any:
    from issues.models import Team
    from tests import factories

    owner = factories.user("owner@bench.example", "Olga Owner")
    factories.team("Bench Team", owner)
    for number in range(PEOPLE):
        factories.user(f"person{number}@bench.example", f"Person Number{number}")
    return Team.objects.get(slug="bench-team")


def make_events(team: Any, count: int) -> dict[str, Any]:
    """Through `record` itself, 500 a transaction; only the clock is moved."""
    import uuid

    from django.db import transaction
    from django.utils import timezone

    from issues.audit import Actor, Event, Verb, chain, record
    from issues.enums import Origin
    from issues.models import User

    chance = random.Random(7)
    people = list(User.objects.filter(email__startswith="person"))
    workspaces = [uuid.UUID(int=number + 1) for number in range(WORKSPACES)]
    verbs = [Verb.ISSUE_OPENED] * 6 + [Verb.FIX_SUBMITTED, Verb.FIX_SENT, Verb.FIX_ACCEPTED, Verb.FIX_SUCCEEDED] * 4
    verbs += [Verb.ISSUE_FIXED, Verb.ISSUE_CLEARED, Verb.ISSUE_UPDATED]
    comments = [f"cannot {COMMON_WORD} the file from cdn{number}.example.com, error {number}" for number in range(500)]
    start, step = timezone.now() - timedelta(days=DAYS), timedelta(days=DAYS) / count
    began, real_now, made = time.perf_counter(), timezone.now, 0

    class Clock:
        @staticmethod
        def now() -> Any:
            return start + step * made

    chain.timezone = Clock  # type: ignore[attr-defined]
    try:
        while made < count:
            origin = chance.choice([Origin.PAGE, Origin.SYNC, Origin.TASK])
            person = chance.choice(people)
            actor = Actor.person(person, origin) if origin == Origin.PAGE else Actor.system(origin)
            events = []
            for number in range(made, min(made + 500, count)):
                bundle = chance.randrange(BUNDLES)
                comment = chance.choice(comments)
                if number < count // 20 and number % 2:
                    comment += f" {OLD_WORD}"  # common long ago, never since
                if number % (count // 20 or 1) == 3:
                    comment += f" {RARE_WORD}"
                changes = {"comment": [None, comment], "state": ["open", "fixing"]}
                place = {"bundle_id": f"bundle-{bundle}", "position": number % 10 + 1}
                events.append(
                    Event(chance.choice(verbs), f"Video {number % 5000} · Campaign {bundle}", changes,
                          workspace_id=chance.choice(workspaces), issue_id=number % 200_000, **place)
                )  # fmt: skip
            with transaction.atomic():
                record(team.pk, actor, events)
            made += len(events)
    finally:
        from django.utils import timezone as real

        chain.timezone = real  # type: ignore[attr-defined]
    seconds = time.perf_counter() - began
    return {
        "events": count,
        "seconds": seconds,
        "per_s": count / seconds,
        "now": real_now().isoformat(timespec="seconds"),
    }


def verify(team: Any) -> dict[str, Any]:
    from issues.audit.verify import verify_team

    began = time.perf_counter()
    found = verify_team(team)
    seconds = time.perf_counter() - began
    if not found.ok:
        raise RuntimeError(f"{found.first_bad}: {found.reason}")
    return {"events": found.events, "seconds": seconds, "verify_per_s": found.events / seconds}


# --- Appending -----------------------------------------------------------------------------------------------


def write(kind: str, number: int) -> None:
    """One writer, for some seconds: each transaction changes a row of its own and appends one event."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import transaction

    from issues.audit import Actor, Event, Verb, record
    from issues.enums import Origin
    from issues.models import AuditEvent, Team, User

    settings.DEBUG = False
    team, user = Team.objects.get(slug="bench-team"), User.objects.get(email=f"person{number}@bench.example")
    actor, done, begin_at = Actor.person(user, Origin.PAGE), 0, float(sys.stdin.readline())
    seq = 10_000_000 * (number + 1)
    row = AuditEvent.objects.filter(team=team).order_by("seq")[0]
    while time.time() < begin_at:
        time.sleep(0.001)
    while time.time() < begin_at + SECONDS:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(time_zone=str(done)[:60])
            if kind == "chain":
                changes = {"comment": [None, f"note {done}"]}
                event = Event(Verb.ISSUE_UPDATED, "Video · Campaign", changes, bundle_id="bundle-1", position=1)
                record(team.pk, actor, [event])
            else:  # the same row, without order, hash and lock
                row.pk, row.seq = None, seq + done
                row.save(force_insert=True)
        done += 1
    print(done, flush=True)


def append(team: Any) -> dict[str, Any]:
    figures = {}
    for kind in ("plain", "chain"):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", f"from tests.bench.history import write; write({kind!r}, {number})"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for number in range(WRITERS)
        ]  # fmt: skip
        begin_at = time.time() + 6
        for process in processes:
            process.stdin.write(f"{begin_at}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        done = sum(int(process.communicate()[0]) for process in processes)
        figures[kind] = done / SECONDS
        if kind == "plain":
            _remove_plain()
    from issues.audit.verify import verify_team

    if not verify_team(team).ok:
        raise RuntimeError("the chain does not hold")
    return {
        "append_per_s": figures["chain"],
        "without_chain_per_s": figures["plain"],
        "append_ratio": figures["chain"] / figures["plain"],
    }


def _remove_plain() -> None:
    """The rows of the yardstick are not history."""
    import importlib

    from django.db import connection

    from issues.models import AuditEvent

    guards = importlib.import_module("issues.migrations.0006_guarded_evidence")
    with connection.schema_editor() as editor:
        guards.unguard(None, editor)
    AuditEvent.objects.filter(seq__gte=10_000_000)._raw_delete("default")
    with connection.schema_editor() as editor:
        guards.guard(None, editor)


# --- Reading -------------------------------------------------------------------------------------------------


def pages(team: Any) -> dict[str, Any]:
    """Each filter at several depths, through the whole stack of middleware, view and template."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from issues.models import AuditEvent, User, Workspace
    from issues.queries.pages import encode_cursor

    client = Client()
    client.force_login(User.objects.get(email="owner@bench.example"))
    request_id = AuditEvent.objects.filter(team=team, seq=EVENTS // 3).values_list("request_id", flat=True)[0]
    person = str(User.objects.get(email="person3@bench.example").pk)
    other = str(User.objects.get(email="person4@bench.example").pk)
    Workspace.objects.filter(team=team)
    workspace = "00000000-0000-0000-0000-000000000002"
    today = timezone.now().date()
    year_ago, then = str(today - timedelta(days=365)), str(today - timedelta(days=360))
    filters: list[dict[str, str]] = [
        {}, {"verb": "fix.sent"}, {"verb": "history.exported"}, {"person": person}, {"person": "999999"}, {"origin": "page"},
        {"origin": "command"}, {"workspace": workspace}, {"bundle": "bundle-7"}, {"bundle": "bundle-7", "position": "3"},
        {"request": request_id}, {"since": year_ago}, {"until": year_ago}, {"since": year_ago, "until": then},
        {"q": COMMON_WORD}, {"q": RARE_WORD}, {"q": OLD_WORD}, {"q": "nowhere"}, {"q": "campaign 17"}, {"q": "number3"},
        {"q": "cdn7.example.com"}, {"verb": "issue.opened", "person": person}, {"verb": "fix.sent", "origin": "sync"},
        {"verb": "team.created", "origin": "page"}, {"person": other, "bundle": "bundle-9"}, {"q": OLD_WORD, "verb": "fix.sent"},
        {"workspace": workspace, "verb": "issue.fixed"}, {"q": RARE_WORD, "person": person},
        {"q": COMMON_WORD, "until": year_ago}, {"origin": "sync", "person": person},
    ]  # fmt: skip
    url, times, worst, most = f"/t/{team.slug}/history/", [], (0.0, ""), 0
    client.get(url)
    for query in filters:
        for depth in (None, EVENTS // 2, EVENTS // 10, 60):
            address = {**query, **({"after": encode_cursor(depth)} if depth else {})}
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(url, address)
            most = max(most, len(captured))
            for _ in range(3):
                began = time.perf_counter()
                answer = client.get(url, address)
                times.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    raise RuntimeError(answer.status_code)
                worst = max(worst, (times[-1], str(address)))
    ordered = sorted(times)
    return {
        "pages": len(times),
        "page_p50_ms": ordered[len(ordered) // 2],
        "page_p95_ms": ordered[int(len(ordered) * 0.95)],
        "page_max_ms": ordered[-1],
        "slowest": worst[1],
        "page_queries": most,
    }


def export_memory(kind: str) -> None:
    """In a process of its own: the export as the page streams it; prints peak growth in MB, and bytes."""
    import django

    django.setup()
    from django.conf import settings

    settings.DEBUG = False
    from issues.models import Team
    from issues.queries.history import HistoryFilters
    from issues.views.history import _file_of

    team = Team.objects.get(slug="bench-team")
    before = _memory("VmRSS")
    size, began = 0, time.perf_counter()
    for piece in _file_of(team, HistoryFilters(), kind)[1]:
        size += len(piece)
    peak = _memory("VmHWM")
    print(peak - before, peak, size, time.perf_counter() - began)


def _memory(name: str) -> float:
    """MB of this process; not getrusage's, which a child inherits from the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def export() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for kind in ("csv", "jsonl", "zip"):
        code = f"from tests.bench.history import export_memory; export_memory({kind!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        growth, peak, size, seconds = map(float, done.stdout.split())
        figures |= {
            f"{kind}_mb": size / 1e6,
            f"{kind}_seconds": seconds,
            f"{kind}_growth_mb": growth,
            f"{kind}_peak_mb": peak,
        }
    figures["export_memory_mb"] = max(figures[f"{kind}_growth_mb"] for kind in ("csv", "jsonl", "zip"))
    return figures


def main(wanted: list[str]) -> None:
    wanted = wanted or list(PARTS)
    with own_database() as about:
        from django.conf import settings
        from django.db import connection

        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        settings.ALLOWED_HOSTS = ["*"]
        say(f"{about}; {EVENTS:,} events")
        team, figures = make_team(), {}
        for name, title, run in (
            ("append", f"Appending, {WRITERS} writing processes, one team, {SECONDS:.0f} s each", lambda: append(team)),
            (
                "make",
                "Making the history through the chain, 500 events a transaction",
                lambda: make_events(team, EVENTS),
            ),
            ("verify", "Verifying the whole chain, one process", lambda: verify(team)),
            ("pages", "The history page, every filter at four depths", lambda: pages(team)),
            ("export", "Exports of everything, each in a process of its own", export),
        ):
            if name in wanted:
                found = run()
                if name == "make" and connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("VACUUM ANALYZE")
                table(title, list(found.items()))
                figures.update(found)
        names = ("verify_per_s", "append_per_s", "append_ratio", "page_p95_ms", "page_queries", "export_memory_mb")
        result({name: round(figures[name], 3) for name in names if name in figures})


if __name__ == "__main__":
    main(sys.argv[1:])
