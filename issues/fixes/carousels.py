"""How many images a carousel has before and after a fix: it loses none unless a person agreed to that."""

import json
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issues.enums import CAROUSEL_KINDS
from issues.models import Fix, Video
from issues.problems import Refusal
from issues.sync import mirror
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import TokPortalError

# Agreed to without a look at the number: what `fix` and `fix --csv --fewer-images` do, and then warn.
ANY_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True)
class ImageCount:
    """The images of a carousel before and after a fix."""

    before: int
    after: int

    @property
    def is_fewer(self) -> bool:
        return self.after < self.before

    @property
    def differs(self) -> bool:
        return self.after != self.before

    @property
    def label(self) -> str:
        """`4 → 3 images`."""
        text = ngettext("{before} → {after} image", "{before} → {after} images", self.after)
        return text.format(before=self.before, after=self.after)


class FewerImagesError(Refusal):
    """The carousel would lose images, and nobody has agreed to that."""

    def __init__(self, count: ImageCount) -> None:
        self.count = count
        sentence = _("The carousel would lose images: {change}. Add the missing ones, or confirm that this is meant.")
        super().__init__(sentence.format(change=count.label), code="FEWER_IMAGES")


def refuse_fewer_images(count: ImageCount, agreed: int | None) -> None:
    """Raise FewerImagesError unless a person agreed to send fewer images than the slot holds.

    `agreed` is how many the slot held when they agreed. If it holds more by now, they have to agree again.
    """
    if count.is_fewer and (agreed is None or count.before > agreed):
        raise FewerImagesError(count)


def warnings_of(fix: Fix) -> list[str]:
    """What a command says of a fix that was sent with fewer images than the slot held."""
    images = fix.code_details.get("images")
    if not images:
        return []
    return [_("The carousel loses images: {change}.").format(change=ImageCount(*images).label)]


def check_count_before_sending(fix: Fix, client: TokPortalClient) -> None:
    """Ask TokPortal how many images the slot holds now, and compare that with what is about to be sent.

    If TokPortal does not answer, what the last sync saw counts. A loss that was agreed to is noted in the fix's
    details. Raises FewerImagesError.
    """
    if fix.kind not in CAROUSEL_KINDS or not fix.request_body:
        return
    after = len(json.loads(fix.request_body).get("carousel_images", []))
    count = ImageCount(len(_current(fix, client).links), after)
    refuse_fewer_images(count, fix.fewer_than)
    if count.is_fewer:
        fix.code_details = {**fix.code_details, "images": [count.before, count.after]}
        Fix.objects.filter(pk=fix.pk, fence=fix.fence).update(code_details=fix.code_details)


def _current(fix: Fix, client: TokPortalClient) -> Video:
    known = Video.objects.select_related("bundle").get(pk=fix.issue.video_id)
    asked_at = timezone.now()
    try:
        payload = client.get_video(known.bundle.tokportal_id, known.position)
    except TokPortalError:
        return known
    if "carousel_images" not in payload.told or list(payload.carousel_images) == known.carousel_images:
        return known
    # The person is asked about this number: the pages have to know it too.
    with transaction.atomic():
        video = mirror.lock_video(known.pk)
        mirror.mirror_video(video, payload, asked_at=asked_at)
    return video
