"""Fixtures: a sandbox TokPortal over real HTTP, a team with three roles, and an outsider."""

import importlib
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC

os.environ["TOKDASH_SITE_URL"] = "http://127.0.0.1:8000"

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from issues import pulse
from issues.audit import Actor, Event, Verb, record
from issues.audit.verify import Finding
from issues.audit.watch import seal
from issues.enums import ChannelKind, NoticeKind, Origin, Role
from issues.link_checks import resolver as networks
from issues.models import Channel, Issue, Membership, SyncRun, Team, User, Workspace
from issues.notify import channels
from issues.notify.channels import Wishes
from issues.sandbox.media import jpeg
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.sync.limiter import redis as redis_limiter
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.client import TokPortalClient
from tests import browser, factories
from tests.carousels import PATHS
from tests.evidence import run as run_sql

guards = importlib.import_module("issues.migrations.0006_guarded_evidence")


def pytest_configure() -> None:
    settings.TOKDASH_NUDGES = False  # no broker: tests drive the work themselves
    settings.KEPT_SECONDS = 0  # tests change rows past the history; test_kept.py keeps
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.ACCOUNT_RATE_LIMITS = False


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_guards() -> None:
    """The history's triggers refuse the test runner's flush too: lift them for it alone."""
    original = connection.ops.execute_sql_flush

    def flush(sql_list: list[str]) -> None:
        with connection.schema_editor() as editor:
            guards.unguard(None, editor)
        original(sql_list)
        with connection.schema_editor() as editor:
            guards.guard(None, editor)

    connection.ops.execute_sql_flush = flush


@pytest.fixture(autouse=True)
def _own_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxes use the same ports again and again: what one test spent is nothing to the next."""
    monkeypatch.setattr(redis_limiter, "PREFIX", f"tokdash:test:{uuid.uuid4().hex}:")


@pytest.fixture
def _own_world(settings) -> Iterator[None]:
    """The link checker reaches this test's sandbox alone; one that used the same port before is forgotten."""
    networks.forget()
    settings.TOKDASH_OUTSIDE_WORLD = ""
    yield
    networks.forget()


@pytest.fixture
def sandbox(_own_world: None) -> Iterator[Sandbox]:
    """A sandbox with the full data set and a bucket that never is in the way."""
    with Sandbox(rate=60_000) as running:
        settings.TOKDASH_OUTSIDE_WORLD = running.outside.origin
        yield running


@pytest.fixture
def small_sandbox(_own_world: None) -> Iterator[Sandbox]:
    """Twelve bundles, thirty videos, six flagged."""
    with Sandbox(rate=60_000, bundles=12, videos=60, flagged=8) as running:
        settings.TOKDASH_OUTSIDE_WORLD = running.outside.origin
        yield running


@pytest.fixture
def client_for():
    """Make a TokPortal client for a sandbox; all are closed afterwards."""
    made: list[TokPortalClient] = []

    def make(sandbox: Sandbox, key: str = FULL_KEY, **options: object) -> TokPortalClient:
        options.setdefault("budget", LocalBudget(60_000))
        options.setdefault("lane", Lane.INTERACTIVE)
        made.append(TokPortalClient(base_url=sandbox.base_url, api_key=key, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def alice(db: None) -> User:
    return factories.user("alice@team.example", "Alice Owner")


@pytest.fixture
def bob(db: None) -> User:
    return factories.user("bob@team.example", "Bob Editor")


@pytest.fixture
def vera(db: None) -> User:
    return factories.user("vera@team.example", "Vera Viewer")


@pytest.fixture
def charlie(db: None) -> User:
    """An outsider, with a team of his own."""
    user = factories.user("charlie@other.example", "Charlie Outsider")
    factories.team("Other Agency", user)
    return user


@pytest.fixture
def team(alice: User, bob: User, vera: User) -> Team:
    team = factories.team("Bright Team", alice)
    factories.join(team, bob, Role.EDITOR)
    factories.join(team, vera, Role.VIEWER)
    return team


@pytest.fixture
def actor(bob: User) -> Actor:
    return Actor.person(bob, Origin.PAGE)


@pytest.fixture
def workspace(team: Team, small_sandbox: Sandbox) -> Workspace:
    for queue in pulse.QUEUES:
        pulse.beat(queue)
    return factories.connect(team, small_sandbox)


@pytest.fixture
def swept(workspace: Workspace) -> SyncRun:
    """The workspace after its first sweep."""
    return sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))


@pytest.fixture
def video_issue(swept: SyncRun) -> Issue:
    """An open issue of a plain video."""
    return factories.open_issue("video")


@pytest.fixture
def carousel_issue(workspace: Workspace, small_sandbox: Sandbox) -> Issue:
    """An open issue of a carousel."""
    bundle, video = factories.slot(small_sandbox, "carousel")
    small_sandbox.control.flag(bundle["id"], video["position"], "image 2 does not load")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return factories.open_issue("carousel", bundle["id"], video["position"])


@pytest.fixture
def paths_issue(workspace: Workspace, small_sandbox: Sandbox) -> Issue:
    """An open issue of a carousel of four storage paths, whose files are there."""
    bundle, video = factories.slot(small_sandbox, "carousel")
    small_sandbox.images.add_samples(PATHS, jpeg(5000))
    small_sandbox.control.settings(carousel_form="paths")
    small_sandbox.control.flag(
        bundle["id"], video["position"], "image 2 does not load", carousel_images=PATHS,
        target_publish_date=today(), target_publish_end_date=today(),
    )  # fmt: skip
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return factories.open_issue("carousel", bundle["id"], video["position"])


def today() -> str:
    return timezone.now().astimezone(UTC).date().isoformat()


@pytest.fixture
def storage_prefix(workspace: Workspace, small_sandbox: Sandbox) -> str:
    """The workspace knows where TokPortal's images can be opened."""
    workspace.storage_prefix = f"{small_sandbox.images.origin}/{small_sandbox.images.base}"
    workspace.save()
    return workspace.storage_prefix


@pytest.fixture
def as_user():
    """A Django client that has just logged in as the user."""

    def log_in(user: User, **options: object) -> Client:
        client = Client(**options)
        client.force_login(user)
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session["account_authentication_methods_user"] = str(user.pk)
        session.save()
        return client

    return log_in


@pytest.fixture
def sealed(team, bob):
    """A chain of 23 or so events by Bob, sealed at its end and once in between."""
    actor = Actor.person(bob, Origin.PAGE)
    for start in (0, 10):
        with transaction.atomic():
            record(
                team.pk,
                actor,
                [Event(Verb.ISSUE_OPENED, label=f"Video {start + n}", changes={"n": [None, n]}) for n in range(10)],
            )
        assert not isinstance(seal(team.pk), Finding)
    return team


@pytest.fixture
def open_to_all(sealed):
    """The same without triggers: what somebody with the database's password can do."""
    run_sql(*(guards.SQLITE_OFF if connection.vendor == "sqlite" else guards.POSTGRESQL_OFF))
    return sealed


@pytest.fixture
def owner(as_user, alice, team):
    """Alice, who owns the team, as a Django client."""
    return as_user(alice)


@pytest.fixture
def page(as_user, bob, team):
    """Get a page of the team by its URL name, as Bob the editor; `page.client` is his client."""
    client = as_user(bob)

    def get(name, *args, **query):
        return client.get(reverse(name, args=[team.slug, *args]), query)

    get.client = client
    return get


@pytest.fixture
def bobs(team, bob):
    """Bob's membership."""
    return Membership.objects.get(team=team, user=bob)


@pytest.fixture
def quiet_team(team):
    """Without the channels that members have from the beginning."""
    Channel.objects.all().delete()
    return team


@pytest.fixture
def channel(quiet_team, bobs, actor):
    """Bob is told of everything, by e-mail, soon."""
    wishes = Wishes(ChannelKind.EMAIL, "E-mail", "", tuple(NoticeKind))
    return channels.add_channel(team=quiet_team, owner=bobs, wishes=wishes, actor=actor)


# --- A browser -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A running demo for the tests of a file; a file that wants other data has a fixture of its own by this name."""
    running = browser.Demo(tmp_path_factory.mktemp("demo"), "--rate=600", "--latency=5", "--fix-seconds=0.4")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as running:
        yield running
