"""Which version of its API TokPortal speaks to each workspace."""

import logging

from issues.models import Workspace
from issues.tokportal import constants as c
from issues.tokportal.api_version import ApiVersion

logger = logging.getLogger(__name__)


def note_version(workspace: Workspace, told: ApiVersion) -> None:
    """Store the version. A change to a newer one than ours is logged, once a workspace."""
    known = ApiVersion(workspace.api_version, workspace.api_stability)
    if not told.version or told == known:
        return
    former = Workspace.objects.filter(pk=workspace.pk).exclude(api_version=told.version, api_stability=told.stability)
    changed = former.update(api_version=told.version, api_stability=told.stability)
    workspace.api_version, workspace.api_stability = told.version, told.stability
    if changed and told.is_newer and told.version != known.version:
        logger.warning(
            "TokPortal speaks version %s of its API to workspace %s; this TokDash was built for %s",
            told.version, workspace.pk, c.API_VERSION,
        )  # fmt: skip
