"""Named points at which a trial can let a process die (`TOKDASH_CRASH_AT=<point>,<marker file>[,group]`).

The first process that reaches the point creates the marker file and is killed with SIGKILL, alone or with its whole
group; later ones pass. Settings refuse the variable on a site that others reach.
"""

import os
import signal

from django.conf import settings

POINTS = (
    "submit.saved", "submit.committed",
    "fix.claimed", "fix.checked", "fix.sending", "fix.sent", "fix.accepted", "fix.read_back", "fix.succeeding",
    "fix.finished",
    "upload.begun", "upload.presigned", "upload.stored", "upload.noted",
    "copy.fetched", "copy.stored",
)  # fmt: skip


def crash_point(name: str) -> None:
    """Die here if a trial says so."""
    if settings.TOKDASH_CRASH_AT:
        _die_at(name, settings.TOKDASH_CRASH_AT)


def _die_at(name: str, wanted: str) -> None:
    point, marker, *how = wanted.split(",")
    if point not in POINTS or name not in POINTS:
        raise ValueError(f"no such crash point: {point} or {name}")
    if name != point:
        return
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if how == ["group"]:
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
