"""One look at one bundle because somebody asks: at once, in the interactive lane, without a worker."""

from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor
from issues.enums import WorkspaceState
from issues.models import Bundle, Workspace
from issues.problems import Refusal
from issues.sync import mirror
from issues.sync.connection import open_client
from issues.sync.hazard import Hazards, failing_hosts
from issues.sync.ledger import count_minute
from issues.sync.reconcile import Tally
from issues.sync.troubles import sentence_of
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane
from issues.tokportal.errors import NotFoundError, TokPortalError
from issues.tokportal.payloads import BundlePayload

# A person waits in front of the page: rather a plain sentence soon than an answer late.
PATIENCE_SECONDS = 8.0


def look_at(workspace: Workspace, bundle_id: str, *, actor: Actor) -> tuple[BundlePayload, Tally]:
    """Ask for the bundle and its videos, two requests, and mirror both. Raises TokPortalError, Refusal."""
    asked_at = timezone.now()
    with open_client(workspace, Lane.INTERACTIVE, total=PATIENCE_SECONDS) as client:
        try:
            payload = client.get_bundle(bundle_id)
            answer = client.list_videos(bundle_id)
        finally:
            usage = {"requests": client.usage.requests, "throttled": client.usage.throttled}
            count_minute(workspace, usage)
    hazards = Hazards.load(workspace, failing_hosts(workspace))
    mirror.mirror_listing(workspace, [payload], seen_at=asked_at, actor=actor, hazards=hazards)
    bundle = Bundle.objects.get(workspace=workspace, tokportal_id=payload.id)
    tally = mirror.mirror_videos(bundle, answer, asked_at=asked_at, actor=actor, hazards=hazards)
    count_minute(workspace, {"looks": 1, "videos": tally.videos, "opened": tally.opened, "closed": tally.closed})
    return payload, tally


def check_now(bundle: Bundle, *, actor: Actor) -> Tally:
    """The "check now" of a page. A bundle that is gone is let go of. Raises Refusal with a plain sentence."""
    if bundle.workspace.state != WorkspaceState.ACTIVE:
        is_paused = bundle.workspace.state == WorkspaceState.PAUSED
        raise Refusal(
            _("The workspace is paused: nothing is asked of TokPortal.")
            if is_paused
            else _("TokPortal refuses the workspace's key: nothing is asked of TokPortal until it is replaced."),
            code="NOT_ACTIVE",
        )
    try:
        return look_at(bundle.workspace, bundle.tokportal_id, actor=actor)[1]
    except NotFoundError as error:
        mirror.note_gone(bundle, actor=actor)
        raise Refusal(_("TokPortal does not know this bundle any more."), code=error.code) from error
    except TokPortalError as error:
        if error.code == c.BUNDLE_NOT_OWNED:
            mirror.note_gone(bundle, actor=actor)
            raise Refusal(_("This bundle belongs to another TokPortal account now."), code=error.code) from error
        raise Refusal(
            _("It could not be checked now. {why}").format(why=sentence_of(error.code)), code=error.code
        ) from error
