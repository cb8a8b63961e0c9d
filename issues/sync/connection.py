"""Open a client for a workspace: its base URL, the right key, the shared budget."""

from django.conf import settings

from issues.models import Workspace
from issues.problems import Refusal
from issues.sealed import Secret
from issues.sync.limiter import budget_for_key
from issues.tokportal.budget import Budget, Lane
from issues.tokportal.caller import READ_TRIES, Timeouts
from issues.tokportal.client import TokPortalClient
from tokdash import __version__

CLIENT_NAME = f"tokdash/{__version__}"

# Seconds that a call of the lane may wait for its slot before it gives up.
_MAX_WAIT = {Lane.INTERACTIVE: 5.0, Lane.FIX: 20.0, Lane.SYNC: 900.0, Lane.LINKS: 900.0}


def open_client(
    workspace: Workspace,
    lane: Lane,
    *,
    for_fixing: bool = False,
    total: float | None = None,
    max_wait: float | None = None,
    read_tries: int = READ_TRIES,
) -> TokPortalClient:
    """A client that speaks for the workspace; a call takes at most `total` seconds. Raises Refusal without a key."""
    key: Secret | None = workspace.fix_key if for_fixing else workspace.read_key
    if key is None:
        raise Refusal(f"The workspace “{workspace.name}” has no key.", code="NO_KEY")
    return client_for_key(workspace.base_url, key, lane, total=total, max_wait=max_wait, read_tries=read_tries)


def client_for_key(
    base_url: str,
    key: Secret,
    lane: Lane,
    *,
    budget: Budget | None = None,
    read_tries: int = READ_TRIES,
    total: float | None = None,
    max_wait: float | None = None,
) -> TokPortalClient:
    """A client for a key that may not be saved yet. `budget`: another than the one that all processes share."""
    return TokPortalClient(
        base_url=base_url,
        api_key=key.reveal(),
        budget=budget or budget_for_key(base_url, key),
        lane=lane,
        read_tries=read_tries,
        client_name=CLIENT_NAME,
        timeouts=Timeouts(
            connect=settings.TOKPORTAL_CONNECT_TIMEOUT,
            read=min(settings.TOKPORTAL_READ_TIMEOUT, total or settings.TOKPORTAL_READ_TIMEOUT),
            total=total or max(settings.TOKPORTAL_READ_TIMEOUT * 2, 10.0),
            fix=settings.TOKPORTAL_FIX_DEADLINE,
        ),
        max_wait=_MAX_WAIT[lane] if max_wait is None else max_wait,
    )
