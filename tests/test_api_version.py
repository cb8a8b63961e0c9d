"""Which version of its API TokPortal speaks: recorded from the responses, and told to operators if it is newer."""

import logging

import pytest

from issues import doctor
from issues.models import Workspace
from issues.sealed import Secret
from issues.sync.limiter import budget_name
from issues.sync.shifts import run_shift
from issues.sync.sweeps import sweep_workspace
from issues.sync.workspaces import clean_base_url
from issues.tokportal import constants as c
from issues.tokportal.addresses import canonical_base_url, host_of_limit
from issues.tokportal.api_version import ApiVersion, is_newer_version, told_version
from tests.reading import text
from tests.test_runner import SYNC


@pytest.mark.parametrize(
    ("version", "newer"),
    [
        ("", False), (c.API_VERSION, False), ("2026-05-24", False), ("2025-12-31", False), ("2026-05-25.1", False),
        ("2026-05-26", True), ("2027-01-01", True), ("2027-01-01-beta", True), ("v3", True),
    ],
)  # fmt: skip
def test_versions_are_days(version, newer):
    assert is_newer_version(version) is newer


@pytest.mark.parametrize("value", ["", " ", "x" * 41, "a b", "<b>", "\x00"])
def test_what_cannot_be_a_version_is_none(value):
    assert told_version({c.API_VERSION_HEADER: value}) is None


def test_connecting_records_the_version(workspace):
    assert (workspace.api_version, workspace.api_stability) == (c.API_VERSION, "stable")


@pytest.mark.parametrize("work", [sweep_workspace, lambda w, actor: run_shift(w, actor=actor, seconds=0.5)])
def test_a_newer_version_is_recorded_and_logged_once(workspace, small_sandbox, caplog, work):
    small_sandbox.control.settings(api_version="2027-02-01", api_stability="beta")

    with caplog.at_level(logging.WARNING):
        work(workspace, actor=SYNC)
        work(Workspace.objects.get(), actor=SYNC)

    assert Workspace.objects.values_list("api_version", "api_stability").get() == ("2027-02-01", "beta")
    assert [record.message for record in caplog.records].count(
        f"TokPortal speaks version 2027-02-01 of its API to workspace {workspace.pk}; "
        f"this TokDash was built for {c.API_VERSION}"
    ) == 1


def test_operators_are_told(workspace, small_sandbox, as_user, bob, settings, client):
    found = {finding.part: finding.standing for finding in doctor.examine(ask_tokportal=False)}
    assert found["API version"] == doctor.Standing.OK
    assert "built for" not in text(as_user(bob).get(f"/t/{workspace.team.slug}/settings/workspaces/"))
    Workspace.objects.update(api_version="2027-02-01")

    found = {finding.part: finding for finding in doctor.examine(ask_tokportal=False)}
    settings.TOKDASH_METRICS_TOKEN = "secret"
    metrics = client.get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode()

    assert found["API version"].standing == doctor.Standing.WARNING
    assert "2027-02-01" in text(as_user(bob).get(f"/t/{workspace.team.slug}/settings/workspaces/"))
    assert 'newer="true"' in metrics


def test_the_client_keeps_what_an_error_told(small_sandbox, client_for):
    small_sandbox.control.settings(api_version="2027-02-01")
    client = client_for(small_sandbox, key="sk_unknown")

    with pytest.raises(Exception, match="AUTH_INVALID_KEY"):
        client.me()

    assert client.api_version == ApiVersion("2027-02-01", "stable")


# --- One host, however it is typed ---------------------------------------------------------------------------

SAME = [
    "https://app.tokportal.com/api/ext", "https://app.tokportal.com/api/ext/", "https://APP.tokportal.com/api/ext",
    "HTTPS://App.TokPortal.com/api/ext", "https://app.tokportal.com:443/api/ext", "https://app.tokportal.com//api/ext",
    "https://app.tokportal.com//api//ext//", "https://app.tokportal.com./api/ext", " https://app.tokportal.com/api/ext ",
]  # fmt: skip


@pytest.mark.parametrize("url", SAME)
def test_one_host_has_one_budget_and_one_form(url):
    key = Secret("sk_1")

    assert budget_name(url, key) == budget_name(SAME[0], key)
    assert canonical_base_url(url) == clean_base_url(url) == SAME[0]


@pytest.mark.parametrize(
    "url",
    ["https://app.tokportal.com:8443/api/ext", "https://eu.tokportal.com/api/ext", "http://127.0.0.1:8100/api/ext",
     "https://[::1]:9/api/ext", "https://xn--tkportal-n4a.com/api/ext"],
)  # fmt: skip
def test_other_hosts_have_budgets_of_their_own(url):
    assert budget_name(url, Secret("sk_1")) != budget_name(SAME[0], Secret("sk_1"))
    assert canonical_base_url(url) == url


@pytest.mark.parametrize("url", ["", "https://", "nonsense", "https://[broken", "https://a:99999/", "\x00"])
def test_what_is_no_address_raises_nothing(url):
    assert isinstance(canonical_base_url(url), str)
    assert isinstance(host_of_limit(url), str)
