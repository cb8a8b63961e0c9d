"""Named points at which a trial can let processes die: `TOKDASH_CRASH_AT=<point>,<folder>[,group][,<count>]`.

The first `count` (one, unless told otherwise) passages each leave a numbered file in the folder, with what was worked
on in it, and are killed with SIGKILL, alone or with their whole group; later ones pass. Settings refuse the variable on
a site that others reach.
"""

import os
import signal
from pathlib import Path

from django.conf import settings

POINTS = (
    "submit.saved", "submit.committed",
    "fix.claimed", "fix.checked", "fix.sending", "fix.sent", "fix.accepted", "fix.read_back", "fix.succeeding",
    "fix.finished", "fix.dates_wanted", "fix.dates_sending", "fix.dates_sent", "fix.dates_read",
    "upload.begun", "upload.presigned", "upload.stored", "upload.noted",
    "copy.fetched", "copy.stored",
)  # fmt: skip


def crash_point(name: str, about: object = "") -> None:
    """Die here if a trial says so. `about`: what is worked on."""
    if settings.TOKDASH_CRASH_AT:
        _die_at(name, settings.TOKDASH_CRASH_AT, str(about))


def _die_at(name: str, wanted: str, about: str) -> None:
    point, folder, *how = wanted.split(",")
    if point not in POINTS or name not in POINTS:
        raise ValueError(f"no such crash point: {point} or {name}")
    if name != point:
        return
    count = next((int(word) for word in how if word.isdigit()), 1)
    for number in range(count):
        try:
            marker = os.open(Path(folder) / f"{point}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            continue
        os.write(marker, about.encode())
        os.close(marker)
        if "group" in how:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
