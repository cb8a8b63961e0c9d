"""Open a client for a workspace: its base URL, the right key, the shared budget."""

from django.conf import settings

from issues.models import Workspace
from issues.problems import Refusal
from issues.sealed import Secret
from issues.sync.limiter import DatabaseBudget
from issues.tokportal.budget import Lane
from issues.tokportal.client import Timeouts, TokPortalClient
from tokdash import __version__

CLIENT_NAME = f"tokdash/{__version__}"

# Seconds that a call of the lane may wait for its slot before it gives up.
_MAX_WAIT = {Lane.INTERACTIVE: 5.0, Lane.FIX: 20.0, Lane.SYNC: 900.0, Lane.LINKS: 900.0}


def open_client(workspace: Workspace, lane: Lane, *, for_fixing: bool = False) -> TokPortalClient:
    """A client that speaks for the workspace. Raises Refusal where it has no key."""
    key: Secret | None = workspace.fix_key if for_fixing else workspace.read_key
    if key is None:
        raise Refusal(f"The workspace “{workspace.name}” has no key.", code="NO_KEY")
    return client_for_key(workspace.base_url, key, lane)


def client_for_key(base_url: str, key: Secret, lane: Lane) -> TokPortalClient:
    """A client for a key that may not be saved yet."""
    return TokPortalClient(
        base_url=base_url,
        api_key=key.reveal(),
        budget=DatabaseBudget(base_url, key),
        lane=lane,
        client_name=CLIENT_NAME,
        timeouts=Timeouts(
            connect=settings.TOKPORTAL_CONNECT_TIMEOUT,
            read=settings.TOKPORTAL_READ_TIMEOUT,
            total=max(settings.TOKPORTAL_READ_TIMEOUT * 2, 10.0),
            fix=settings.TOKPORTAL_FIX_DEADLINE,
        ),
        max_wait=_MAX_WAIT[lane],
    )
