"""What tests of notifications share: channels, and what the worker does."""

from django.utils import timezone

from issues.audit import Actor
from issues.enums import NoticeKind, Origin
from issues.models import Channel
from issues.notify import collect, compose, post
from issues.outgoing.announce import announce_all
from issues.sync.sweeps import sweep_workspace

EVERYTHING = tuple(NoticeKind)
TEAMS = (
    "https://prod-12.westeurope.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJZxFE5A"
)
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
DISCORD = "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"


def tell(*, at_once=True):
    """What the worker does every few seconds, with the gathering over."""
    announce_all()
    collect.collect_due()
    if at_once:
        Channel.objects.exclude(due_at=None).update(due_at=timezone.now())
    compose.compose_due()
    while post.send_due():
        pass


def sweep(workspace):
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
