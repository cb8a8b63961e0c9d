"""The official client's request map against the sandbox and against our own client."""

import inspect
import io
import json
import re
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any, get_args, get_type_hints

import pytest
from tokportal import VALID_BUNDLE_TYPES, VALID_PLATFORMS
from tokportal._generated import (
    OPERATION_DEFINITIONS,
    OPERATION_IDS,
    CreateWebhookEndpointRequest,
    FixVideoDownloadRequest,
    UploadImageRequest,
    UploadVideoRequest,
)

from issues.sandbox.routes import ROUTES
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.caller import Caller
from issues.tokportal.client import TokPortalClient
from tests import factories

EVENTS = get_args(get_args(get_type_hints(CreateWebhookEndpointRequest)["events"])[0])

# What TokDash uses or could meet: all that is about flagged videos, their media and dates, their accounts' Coverage.
IN_SCOPE = frozenset({
    "getCurrentUser", "listBundles", "getBundle", "listBundleVideos", "getBundleVideo", "configureBundleVideo",
    "patchBundleVideo", "fixBundleVideoDownload", "getAccountManagedSubscription", "listAccountBans",
    "listWebhookEvents", "listWebhookEndpoints", "createWebhookEndpoint", "getWebhookEndpoint", "updateWebhookEndpoint",
    "deleteWebhookEndpoint", "listWebhookDeliveries", "retryWebhookDelivery", "testWebhookEndpoint",
    "uploadVideo", "uploadVideoDirect", "uploadImage", "uploadImageDirect", "uploadImageFromUrl",
    "publishBundle",  # the only call with a 429 that says nothing about the rate limit
})  # fmt: skip
OUT_OF_SCOPE = {
    "it spends credits or ends a contract, which TokDash never does": (
        "createBundle", "createBundlesBulk", "addVideoSlots", "addEditSlots", "reactivateAccountManagedSubscription",
        "cancelAccountManagedSubscription", "rewarmAccount", "createVideoAdCodeRequest", "getVideoAdCodeRequest",
    ),
    "it leads a bundle through its life, which the agency does elsewhere": (
        "updateBundle", "getBundlePublishReadiness", "unpublishBundle", "batchConfigureBundleVideos",
        "publishAllBundleVideos", "importBundleVideosCsv", "publishBundleVideo", "resetBundleVideo",
        "unscheduleBundleVideo", "finalizeBundleVideo", "requestBundleVideoCorrections",
    ),
    "it is about the account's profile or its secrets": (
        "getBundleAccount", "configureBundleAccount", "requestBundleAccountCorrections", "finalizeBundleAccount",
        "listAccounts", "getAccount", "updateAccountCommentingProfile", "listAccountBundles",
        "retrieveAccountVerificationCode", "revealAccountCredentials", "getAccountEditRequest",
        "createAccountEditRequest", "updateCurrentUserSettings",
    ),
    "`GET /me` and the dry run tell what TokDash needs of credits": (
        "getCreditCosts", "getCreditBalance", "listCreditTransactions",
    ),
    "the bundles themselves tell their country and platform": ("listCountries", "listPlatforms"),
    "warming is about an account before it posts": (
        "configureBundleWarmingTerms", "listAccountWarmingSessions", "getWarmingSession", "generateWarmingTerms",
    ),
    "analytics are about what was posted": (
        "canRefreshAccountAnalytics", "refreshAccountAnalytics", "getAnalyticsDashboard", "getAnalyticsContract",
        "exportAnalyticsVideos", "createAnalyticsReport", "exportAnalyticsReportHtml", "getAnalyticsSeries",
        "getAnalyticsAccount", "refreshAnalyticsAccount", "listAnalyticsAccountRawSnapshots", "getAccountAnalytics",
        "listAccountVideoAnalytics", "getVideoAnalytics", "getCommentPulse", "listAnalyticsAccountComments",
        "listAnalyticsPostRawSnapshots",
    ),
    "comments are about what was posted": (
        "listCommentTasks", "createCommentTasks", "getCommentTask", "deleteCommentTask", "approveCommentTask",
        "disputeCommentTask", "listCommentTaskVerifications",
    ),
}  # fmt: skip


def test_each_operation_is_in_scope_or_left_out_for_a_reason():
    left_out = [name for names in OUT_OF_SCOPE.values() for name in names]

    assert sorted([*IN_SCOPE, *left_out]) == sorted(OPERATION_IDS)


# --- The sandbox -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running():
    with Sandbox(rate=60_000, bundles=12, videos=60, flagged=8) as sandbox:
        yield sandbox


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        sandbox.base_url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-API-Key": FULL_KEY, "Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def path_of(sandbox: Sandbox, operation: str) -> str:
    """The operation's path with things that exist."""
    path = str(OPERATION_DEFINITIONS[operation]["path"])
    bundle, video = factories.slot(sandbox, "video")
    what = "wh_x"
    if path.startswith("/bundles/"):
        what = bundle["id"]
    elif path.startswith("/accounts/"):
        what = next(b["saved_account_id"] for b in sandbox.control.state()["bundles"] if b["saved_account_id"])
    elif "/webhooks/{id}" in path:
        made = {"url": f"{sandbox.origin}/hook", "events": list(EVENTS), "enabled": False}
        what = ask(sandbox, "POST", "/webhooks", made)[1]["data"]["id"]
    return path.replace("{id}", what).replace("{position}", str(video["position"])).replace("{delivery_id}", "dlv_x")


@pytest.mark.parametrize("operation", sorted(IN_SCOPE))
def test_the_sandbox_answers_what_tokdash_could_meet(running, operation):
    about = OPERATION_DEFINITIONS[operation]

    status, answer = ask(running, about["method"], path_of(running, operation), {} if about["has_json_body"] else None)

    assert status != 405
    assert status < 500
    code = (answer or {}).get("error", {}).get("code", "")
    assert code not in {"NOT_FOUND", "METHOD_NOT_ALLOWED"}
    assert status < 300 or code  # a refusal in TokPortal's form
    if about["method"] == "GET":
        assert status == 200
        assert "data" in answer


WRITES = [name for name in sorted(IN_SCOPE) if OPERATION_DEFINITIONS[name]["method"] != "GET"]


@pytest.mark.parametrize("operation", WRITES)
def test_idempotency_keys_are_refused_where_the_answer_is_a_secret_and_nowhere_else(running, operation):
    about = OPERATION_DEFINITIONS[operation]

    answer = ask(running, about["method"], path_of(running, operation), {}, **{"Idempotency-Key": operation})[1]

    refused = (answer or {}).get("error", {}).get("code") == c.IDEMPOTENCY_NOT_ALLOWED
    assert refused is (about["idempotency_policy"] == "reject-sensitive-response")


def matching(method: str, path: str) -> list[str]:
    """The operations of the official client that send this."""
    return [
        name
        for name, about in OPERATION_DEFINITIONS.items()
        if about["method"] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", about["path"]), path)
    ]


def test_the_sandbox_has_no_calls_of_its_own():
    for method, pattern, _ in ROUTES:
        path = re.sub(r"\((?:[^()]|\([^()]*\))*\)", "7", pattern.pattern.strip("^$"))
        assert matching(method, path), f"{method} {path}"


# --- Our client --------------------------------------------------------------------------------------------


class _RecordedError(Exception):
    """The call was recorded; it goes no further."""


class Recorder(TokPortalClient):
    """Our client, which tells its calls instead of sending them."""

    def __init__(self) -> None:
        super().__init__(base_url="http://127.0.0.1:9", api_key="sk_x", budget=LocalBudget(600), lane=Lane.FIX)
        self.calls: list[tuple[str, str, bool, set[str]]] = []

    def _call(self, method: str, path: str, **options: Any) -> Any:
        headers = options.get("headers") or {}
        fields = set(options.get("json_body") or {}) | set(options.get("params") or {})
        self.calls.append((method, path, c.IDEMPOTENCY_HEADER in headers, fields))
        raise _RecordedError


VALUES: dict[str, Any] = {
    "bundle_id": "b 1", "position": 2, "body": b'{"video_url": "https://cdn.example.com/a.mp4"}',
    "idempotency_key": "k", "filename": "a.mp4", "content_type": "video/mp4", "url": "https://tokdash.example/hook",
    "events": list(EVENTS), "description": "TokDash", "webhook_id": "wh_1", "delivery_id": "dlv_1", "account_id": "acc_1", "since": "2026-11-01T00:00:00Z",
    "file": io.BytesIO(factories.MP4),
}  # fmt: skip


def calls_of(name: str) -> list[tuple[str, str, bool, set[str]]]:
    """What a method of our client sends, when it is given all that it needs."""
    client = Recorder()
    method = getattr(client, name)
    needed = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is inspect.Parameter.empty and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    with suppress(_RecordedError):
        list(method(**{name: VALUES[name] for name in needed}))
    client.close()
    return client.calls


METHODS = [name for name in dir(TokPortalClient) if name not in dir(Caller) and not name.startswith("_")]


@pytest.mark.parametrize("name", [name for name in METHODS if name != "put_presigned"])
def test_our_client_sends_what_the_official_one_sends(name):
    [(method, sent, has_key, fields)] = calls_of(name)

    operation = next(entry for entry in matching(method, sent) if entry in IN_SCOPE)
    about = OPERATION_DEFINITIONS[operation]
    assert not has_key or about["idempotency_policy"] == "standard"
    if method == "GET":
        assert fields <= set(about["query_params"])
    if operation == "uploadVideo":
        assert fields <= UploadVideoRequest.__annotations__.keys()
    if operation == "uploadImage":
        assert fields <= UploadImageRequest.__annotations__.keys()
    if operation == "createWebhookEndpoint":
        assert fields <= CreateWebhookEndpointRequest.__annotations__.keys()


def test_words_of_the_official_client_are_ours():
    assert set(VALID_PLATFORMS) < set(c.PLATFORMS)
    assert VALID_BUNDLE_TYPES == c.BUNDLE_TYPES
    assert FixVideoDownloadRequest.__annotations__.keys() == {"video_url", "carousel_images"}
    assert set(EVENTS) <= set(c.WEBHOOK_EVENTS)
