"""What is wrong with an installation, and what to do: each part by itself, whatever state the others are in."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

import requests
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.utils import timezone

from issues import pulse
from issues.enums import WorkspaceState
from issues.models import AuditWatch, Heartbeat, SyncGauge, Workspace
from issues.sealed import SealError, first_key
from issues.tokportal import constants as c
from issues.tokportal.api_version import is_newer_version, told_version

# TokPortal refuses webhooks whose time is off by more; presigned uploads and signatures have such bounds, too.
CLOCK_OFF = timedelta(seconds=30)
SECONDS = 5


class Standing(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it works, and something should be done
    BAD = "bad"  # it does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: how it stands, what was seen, and what to do where it is not well."""

    part: str
    standing: Standing
    seen: str
    advice: str = ""


def examine(*, ask_tokportal: bool = True) -> list[Finding]:
    """Look at every part, none longer than some seconds. Sends no e-mail and changes nothing at TokPortal."""
    parts: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("database", _database), ("broker", _broker), ("cache", _cache), ("keys", _keys), ("workers", _workers),
        ("history", _history), ("sync", _sync), ("API version", _api_versions), ("e-mail", _mail),
    ]  # fmt: skip
    if ask_tokportal:
        parts.append(("TokPortal", _tokportal))
    found: list[Finding] = []
    for part, look in parts:
        try:
            found += look()
        except DatabaseError as error:
            found.append(
                Finding(part, Standing.BAD, f"Not looked at: the database says {_name(error)}.", "See database.")
            )
    return found


def _name(error: BaseException) -> str:
    return type(error).__name__


def _database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        yield Finding(
            "database",
            Standing.BAD,
            f"It cannot be reached: {_name(error)}.",
            "Check DATABASE_URL, and that the server runs.",
        )
        return
    kind = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}.get(connection.vendor, connection.vendor)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT version(), clock_timestamp()")
            version, now = cursor.fetchone()
        yield Finding("database", Standing.OK, version.split(" on ")[0])
        yield _clock("the database", now)
    else:
        yield Finding(
            "database",
            Standing.WARNING,
            f"{kind}: one machine and few writers.",
            "Use PostgreSQL for more than a trial.",
        )
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        yield Finding("migrations", Standing.BAD, f"{len(waiting)} are waiting.", "Run `manage.py migrate`.")
    else:
        yield Finding("migrations", Standing.OK, "All are applied.")


def _clock(whose: str, theirs: datetime) -> Finding:
    off = abs(timezone.now() - theirs)
    if off <= CLOCK_OFF:
        return Finding(
            "clock", Standing.OK, f"It agrees with that of {whose} within {max(off.total_seconds(), 0.1):.1f} s."
        )
    return Finding(
        "clock", Standing.BAD, f"It is {off.total_seconds():.0f} s off that of {whose}.",
        "Let both machines follow a time server (NTP): webhooks and signatures are refused by their time.",
    )  # fmt: skip


def _broker() -> Iterator[Finding]:
    url = settings.CELERY_BROKER_URL
    kind = url.partition("://")[0]
    try:
        with current_app.connection_for_write(connect_timeout=SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=SECONDS)
    except Exception as error:  # noqa: BLE001 - each transport has exceptions of its own
        yield Finding(
            "broker",
            Standing.BAD,
            f"{kind}: it cannot be reached ({_name(error)}).",
            "Check CELERY_BROKER_URL, and that it runs. Nothing is lost: the database keeps the work.",
        )
        return
    if kind == "embedded":
        yield Finding("broker", Standing.WARNING, "Embedded: for one machine.", "Use Redis for more than a trial.")
    else:
        yield Finding("broker", Standing.OK, f"{kind} answers.")


def _cache() -> Iterator[Finding]:
    kind = settings.CACHES["default"]["BACKEND"].rsplit(".", 1)[-1]
    key, value = f"tokdash:doctor:{uuid.uuid4().hex}", uuid.uuid4().hex
    try:
        cache.set(key, value, 30)
        kept = cache.get(key) == value
        cache.delete(key)
    except Exception as error:  # noqa: BLE001 - each backend has exceptions of its own
        yield Finding("cache", Standing.BAD, f"{kind}: {_name(error)}.", "Check CACHE_URL.")
        return
    if not kept:
        yield Finding(
            "cache",
            Standing.BAD,
            f"{kind}: it forgets at once.",
            "Check CACHE_URL, and that it runs. Limits of log-ins count by it.",
        )
    elif "locmem" in kind.lower() and not settings.DEBUG:
        yield Finding(
            "cache",
            Standing.WARNING,
            "In the memory of each process: limits of log-ins count for each alone.",
            "Set CACHE_URL to Redis.",
        )
    else:
        yield Finding("cache", Standing.OK, f"{kind} keeps what it is given.")


def _keys() -> Iterator[Finding]:
    try:
        first = first_key()
    except ImproperlyConfigured as error:
        yield Finding(
            "keys",
            Standing.BAD,
            str(error),
            "`python -m tokdash.secrets` prints a pair; never change one that has sealed something.",
        )
        return
    sealed = closed = 0
    keys = list(Workspace.objects.values_list("pk", flat=True))
    for pk in keys:
        try:
            workspace = Workspace.objects.get(pk=pk)
            sealed += bool(workspace.read_key or workspace.write_key)
        except SealError:
            closed += 1
    if closed:
        yield Finding(
            "keys",
            Standing.BAD,
            f"The keys of {closed} of {len(keys)} workspaces do not open.",
            "TOKDASH_FIELD_KEYS lacks the key that sealed them: put it back, behind the new one.",
        )
    else:
        yield Finding("keys", Standing.OK, f"“{first}” seals; the keys of {sealed} workspaces open.")
    refused = list(Workspace.objects.filter(state=WorkspaceState.KEY_REFUSED).values_list("name", flat=True)[:5])
    if refused:
        yield Finding(
            "keys",
            Standing.BAD,
            f"TokPortal refuses the key of {', '.join(refused)}.",
            "Give a new key on the workspace's settings page.",
        )


def _workers() -> Iterator[Finding]:
    now = timezone.now()
    beats = dict(Heartbeat.objects.values_list("queue", "beat_at"))
    quiet = [queue for queue in pulse.QUEUES if queue not in beats or now - beats[queue] > pulse.QUIET]
    if not quiet:
        yield Finding("workers", Standing.OK, f"All {len(pulse.QUEUES)} queues have one; beat ticks.")
        return
    alive = _answering()
    if alive and len(quiet) == len(pulse.QUEUES):
        yield Finding(
            "beat",
            Standing.BAD,
            f"{alive} workers answer, and nobody gives them work.",
            "Start `celery -A tokdash beat`: one is enough, two do no harm.",
        )
    else:
        yield Finding(
            "workers",
            Standing.BAD,
            f"Nobody takes from {', '.join(quiet)}.",
            "Start `celery -A tokdash worker -Q interactive,sync,links,maintenance`, and `celery -A tokdash beat`.",
        )


def _answering() -> int:
    """How many workers answer a ping through the broker."""
    try:
        return len(current_app.control.ping(timeout=2.0) or [])
    except Exception:  # noqa: BLE001 - no broker, or one without broadcasts
        return 0


def _history() -> Iterator[Finding]:
    broken = list(AuditWatch.objects.exclude(reason="").select_related("team")[:5])
    if not broken:
        yield Finding("history", Standing.OK, "Every chain holds as far as it was verified.")
    for watch in broken:
        yield Finding(
            "history", Standing.BAD, f"{watch.team}: it does not hold from event {watch.bad_seq} on. {watch.reason}",
            "Keep the database as it is and take an evidence package: somebody has changed the record past TokDash.",
        )  # fmt: skip


def _sync() -> Iterator[Finding]:
    active = Workspace.objects.filter(state=WorkspaceState.ACTIVE)
    gauges = {gauge.workspace_id: gauge for gauge in SyncGauge.objects.filter(workspace__in=active)}
    troubles = [
        f"{workspace.name} ({gauge.trouble_code})"
        for workspace in active.defer("read_key", "write_key")
        if (gauge := gauges.get(workspace.pk)) and gauge.trouble_code
    ]
    if troubles:
        yield Finding(
            "sync",
            Standing.BAD,
            f"Cannot ask for {', '.join(troubles[:5])}.",
            "The workspace's sync page says why in words.",
        )
    else:
        yield Finding(
            "sync", Standing.OK, f"{len(gauges)} of {active.count()} active workspaces are measured, none in trouble."
        )


def _api_versions() -> Iterator[Finding]:
    """Which versions of TokPortal's API the workspaces met last."""
    active = Workspace.objects.exclude(state=WorkspaceState.PAUSED).exclude(api_version="")
    told = dict(active.values_list("api_version").annotate(n=Count("pk")).order_by("api_version"))
    newer = [version for version in told if is_newer_version(version)]
    if newer:
        yield Finding(
            "API version", Standing.WARNING,
            f"TokPortal speaks version {', '.join(newer)}; this TokDash was built for {c.API_VERSION}.",
            "Look for a newer TokDash, and read TokPortal's change log.",
        )  # fmt: skip
    elif told:
        yield Finding("API version", Standing.OK, f"TokPortal speaks {', '.join(told)}, which this TokDash knows.")


def _mail() -> Iterator[Finding]:
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    if backend != "smtp":
        standing = Standing.OK if settings.DEBUG else Standing.WARNING
        yield Finding(
            "e-mail",
            standing,
            f"Goes to the {backend} only.",
            "" if settings.DEBUG else "Set EMAIL_URL: invitations, password links and notices are mailed.",
        )
        return
    mail = get_connection(fail_silently=False)
    try:
        mail.open()
        mail.close()
    except OSError as error:
        yield Finding(
            "e-mail",
            Standing.BAD,
            f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} cannot be used: {_name(error)}.",
            "Check EMAIL_URL: host, port, user, password.",
        )
        return
    yield Finding("e-mail", Standing.OK, f"{settings.EMAIL_HOST} takes mail from us (none was sent).")


def _tokportal() -> Iterator[Finding]:
    """The addresses themselves, without a key: any answer says that the way is free, and what time it is there."""
    addresses = set(Workspace.objects.exclude(state=WorkspaceState.PAUSED).values_list("base_url", flat=True))
    for address in sorted(addresses or {settings.TOKPORTAL_BASE_URL}):
        began = time.monotonic()
        try:
            answer = requests.get(f"{address.rstrip('/')}/me", timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            yield Finding(
                "TokPortal",
                Standing.BAD,
                f"{address} cannot be reached: {_name(error)}.",
                "Check the network, the proxy and the address.",
            )
            continue
        took = (time.monotonic() - began) * 1000
        if answer.status_code >= 500:
            yield Finding(
                "TokPortal",
                Standing.WARNING,
                f"{address} answers {answer.status_code}.",
                "It has a problem of its own; TokDash goes on by itself.",
            )
        else:
            yield Finding("TokPortal", Standing.OK, f"{address} answers after {took:.0f} ms.")
        told = told_version(answer.headers)
        if told and told.is_newer:
            yield Finding(
                "API version", Standing.WARNING,
                f"{address} speaks version {told.version}; this TokDash was built for {c.API_VERSION}.",
                "Look for a newer TokDash, and read TokPortal's change log.",
            )  # fmt: skip
        if date := answer.headers.get("Date"):
            try:
                theirs = parsedate_to_datetime(date)
            except ValueError:
                continue
            yield _clock("TokPortal", theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
