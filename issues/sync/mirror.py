"""Answers → rows: bundles and videos upserted; `reconcile` opens, updates and closes their issues.

One transaction a bundle. Running it twice with the same answer changes nothing the second time. An answer to a request
that was sent before our last change of a video tells an older state and is ignored for it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from issues.audit import Actor, record
from issues.enums import UNRESOLVED
from issues.models import Bundle, Issue, Video, Workspace
from issues.models.bulk import insert_rows
from issues.models.bundles import UNLOOKED
from issues.sync.described import describe
from issues.sync.hazard import Hazards
from issues.sync.reconcile import (
    MISSES_UNTIL_GONE,
    Tally,
    end_as_moot,
    miss_slots,
    open_issues_of,
    reconcile,
)
from issues.tokportal import constants as c
from issues.tokportal.payloads import BundlePayload, VideoList, VideoPayload

_BUNDLE_FIELDS = (
    "title", "external_ref", "bundle_type", "platform", "country", "status", "videos_quantity", "saved_account_id",
    "extra",
)  # fmt: skip
_VIDEO_FIELDS = (
    "status", "video_type", "name", "description", "external_ref", "video_url", "carousel_images", "story_image_url",
    "platform_url", "target_publish_date", "target_publish_end_date", "download_issue", "download_issue_comment",
    "extra",
)  # fmt: skip

_DATE_FIELDS = frozenset({"target_publish_date", "target_publish_end_date"})

# More bundles than that do not leave their statuses between two listings.
MOST_MISSING = 50
# What issues repeat of their bundle, and of their video.
_REPEATED = frozenset({"title", "external_ref", "platform", "country"})
_NAMES = frozenset({"name", "external_ref"})
# What decides when a slot's links are looked at.
_LINK_FIELDS = frozenset(
    {"video_url", "carousel_images", "story_image_url", "video_type", "deadline", "download_issue"}
)


# --- The listing -------------------------------------------------------------------------------------------


def mirror_listing(
    workspace: Workspace, payloads: Sequence[BundlePayload], *, seen_at: datetime, actor: Actor, hazards: Hazards
) -> Tally:
    """Upsert the bundles of one page; issues of bundles that have ended become moot."""
    with transaction.atomic():
        known = {
            bundle.tokportal_id: bundle
            for bundle in Bundle.objects.select_for_update().filter(
                workspace=workspace, tokportal_id__in=[payload.id for payload in payloads]
            )
        }
        new: list[Bundle] = []
        changed: list[Bundle] = []
        renamed: list[Bundle] = []
        for payload in payloads:
            bundle = known.get(payload.id)
            if bundle is None:
                bundle = Bundle(workspace=workspace, tokportal_id=payload.id, last_listed_at=seen_at)
                new.append(bundle)
                _copy(payload, bundle, _BUNDLE_FIELDS)
            elif names := _copy(payload, bundle, _BUNDLE_FIELDS):
                changed.append(bundle)
                renamed += [bundle] if not _REPEATED.isdisjoint(names) else []
            bundle.gone_at = None
            if not bundle.can_be_flagged:
                bundle.heat = None
            elif bundle.heat is None:
                bundle.heat = hazards.unknown_heat(bundle.status, bundle.videos_quantity)
                changed += [bundle] if bundle.pk and bundle not in changed else []
        Bundle.objects.bulk_create(new)
        Bundle.objects.bulk_update(changed, [*_BUNDLE_FIELDS, "heat"], batch_size=200)
        if renamed:
            describe(Q(video__bundle__in=renamed))
        Bundle.objects.filter(pk__in=[bundle.pk for bundle in known.values()]).update(
            last_listed_at=seen_at, missed_listings=0, gone_at=None
        )
        ended = [bundle for bundle in known.values() if bundle.status in c.ENDED_STATUSES]
        return _close_as_moot(workspace, ended, "status", actor)


def note_missing(workspace: Workspace, *, listed_since: datetime, actor: Actor) -> Tally:
    """After a complete listing: count a miss for each bundle that was not in it.

    One that was missed twice is let go, if it has nothing to lose. Where issues could be closed by that, it is asked
    itself first (it jumps the queue): only a 404 closes them (`note_gone`).
    """
    with transaction.atomic():
        missing = Bundle.objects.filter(workspace=workspace, gone_at=None, last_listed_at__lt=listed_since)
        missing.update(missed_listings=F("missed_listings") + 1)
        twice = list(missing.select_for_update().filter(missed_listings__gte=MISSES_UNTIL_GONE))
        doubtful = {
            *(bundle.pk for bundle in twice if bundle.can_be_flagged),
            *Issue.objects.filter(video__bundle__in=twice, state__in=UNRESOLVED).values_list(
                "video__bundle", flat=True
            ),
        }
        Bundle.objects.filter(pk__in=doubtful).update(hurry_at=timezone.now())
        return _mark_gone(workspace, [bundle for bundle in twice if bundle.pk not in doubtful], actor)


def ask_missing(workspace: Workspace, *, listed_since: datetime) -> bool:
    """After a listing by status: ask each bundle itself that can be flagged, as far as we know, and was not in it.

    It moved to another status, or it is gone; its own answer tells. If very many are missing, the listing is not to be
    trusted: False, and nobody is asked.
    """
    missing = Bundle.objects.filter(workspace=workspace, heat__isnull=False, last_listed_at__lt=listed_since)
    keys = list(missing.values_list("pk", flat=True)[: MOST_MISSING + 1])
    if len(keys) > MOST_MISSING:
        return False
    Bundle.objects.filter(pk__in=keys).update(hurry_at=timezone.now(), hurry_whole=True)
    return True


def note_gone(bundle: Bundle, *, actor: Actor) -> Tally:
    """TokPortal answered for the bundle itself that there is none, or that it is another's."""
    with transaction.atomic():
        current = Bundle.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=bundle.pk)
        # Also where it was let go of before: nobody needs to ask again.
        Bundle.objects.filter(pk=bundle.pk).update(hurry_at=None, hurry_whole=False)
        return _mark_gone(current.workspace, [current] if current.gone_at is None else [], actor)


def _mark_gone(workspace: Workspace, bundles: Sequence[Bundle], actor: Actor) -> Tally:
    now = timezone.now()
    Bundle.objects.filter(pk__in=[bundle.pk for bundle in bundles]).update(
        gone_at=now, heat=None, hurry_at=None, unanswered_since=None, asked_at=now
    )
    return _close_as_moot(workspace, bundles, "gone", actor)


def _close_as_moot(workspace: Workspace, bundles: Sequence[Bundle], why: str, actor: Actor) -> Tally:
    """Close the open issues of bundles that have ended. One that is being fixed is left to its fix."""
    if not bundles:
        return Tally()
    issues = open_issues_of(Q(video__bundle__in=bundles))
    status = {bundle.pk: "gone" if why == "gone" else bundle.status for bundle in bundles}
    record(
        workspace.team_id,
        actor,
        end_as_moot(issues, lambda issue: {"bundle": [None, status[issue.video.bundle_id]]}),
    )
    return Tally(closed=len(issues))


# --- The videos of a bundle --------------------------------------------------------------------------------


def mirror_videos(bundle: Bundle, answer: VideoList, *, asked_at: datetime, actor: Actor, hazards: Hazards) -> Tally:
    """Bring the bundle's slots and issues to what the answer says. `asked_at`: when the request was sent."""
    with transaction.atomic():
        workspace = bundle.workspace
        bundle = Bundle.objects.select_for_update().get(pk=bundle.pk)
        bundle.workspace = workspace
        if bundle.last_checked_at and asked_at < bundle.last_checked_at:
            return Tally()  # a later look was faster: this answer is older than what is known
        # What was never looked at has neither videos nor issues here.
        is_first = bundle.last_checked_at is None
        videos = {} if is_first else {video.position: video for video in Video.objects.filter(bundle=bundle)}
        flagged_before = {video.position for video in videos.values() if video.download_issue}
        former_look, known_before = bundle.mirrored_at, set(videos)
        new, changed, relinked, current = _upsert(bundle, videos, answer.videos, asked_at)
        insert_rows(new, by="position")
        if changed:
            fields = sorted({name for _, names in changed for name in names})
            Video.objects.bulk_update([video for video, _ in changed], fields, batch_size=500)
        if relinked:
            # In a statement of its own: the links of the others may have been looked at since their rows were read.
            Video.objects.filter(pk__in=[video.pk for video in relinked]).update(**UNLOOKED)
        back = [video.pk for video in current if video.missed_answers]
        if back:
            Video.objects.filter(pk__in=back).update(missed_answers=0)
        events, tally = reconcile(bundle, current, asked_at, is_first=is_first)
        renamed = [video.pk for video, names in changed if not _NAMES.isdisjoint(names)]
        if renamed:
            describe(Q(video__in=renamed))
        missing = []
        if not answer.unreadable:
            answered = {payload.position for payload in answer.videos}
            missing = [video for video in videos.values() if video.position not in answered]
            events += miss_slots(missing, tally, known_at=bundle.last_checked_at)
        tally.videos = len(answer.videos)
        open_here = tally.unresolved > 0
        situations = hazards.situations(bundle, current, asked_at, open_here=open_here)
        if former_look and asked_at > former_look:
            flagged = [
                hazards.situation(bundle, video, asked_at, open_here=bool(flagged_before))
                for video in current
                if video.download_issue and video.position in known_before - flagged_before
            ]
            hazards.learn(situations, (asked_at - former_look).total_seconds(), flagged)
            tally.gaps = tally.opened
            tally.gap_seconds = tally.opened * (asked_at - (bundle.last_checked_at or asked_at)).total_seconds()
        bundle.heat = hazards.heat(situations) if bundle.can_be_flagged else None
        _looked_at(
            bundle,
            asked_at,
            # What is unread or missing is not settled, nor is a slot whose state is newer here: such an answer is read
            # again when it comes again.
            answer_digest="" if answer.unreadable or missing or len(current) < len(answer.videos) else answer.digest,
            mirrored_at=asked_at,
        )
        record(bundle.workspace.team_id, actor, events)
        return tally


def note_unchanged(looks: Sequence[tuple[Bundle, str, datetime]]) -> set[int]:
    """These answers (bundle, digest, when it was asked) are the ones that were mirrored last: one statement for all.

    Returns the keys of those that it was true of; the rows of the others have changed meanwhile.
    """
    if not looks:
        return set()
    asked_at = min(moment for _, _, moment in looks)
    pairs = ", ".join(["(%s, %s)"] * len(looks))
    greatest = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    moment = connection.ops.adapt_datetimefield_value(asked_at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE issues_bundle SET last_checked_at = {greatest}(last_checked_at, %s), "  # noqa: S608
            f"asked_at = {greatest}(asked_at, %s), unanswered_since = NULL, missed_listings = 0, "
            "hurry_at = CASE WHEN hurry_at <= %s THEN NULL ELSE hurry_at END "
            f"WHERE (id, answer_digest) IN (VALUES {pairs}) RETURNING id",
            [moment, moment, moment, *(value for bundle, digest, _ in looks for value in (bundle.pk, digest))],
        )
        return {row[0] for row in cursor.fetchall()}


def note_unanswered(bundle: Bundle, *, asked_at: datetime) -> None:
    """The bundle was asked and gave no answer: its turn has passed, what is known stays."""
    Bundle.objects.filter(pk=bundle.pk, asked_at__lt=asked_at).update(
        asked_at=asked_at,
        hurry_at=Case(When(hurry_at__lte=asked_at, then=None), default=F("hurry_at")),
        unanswered_since=Coalesce("unanswered_since", "last_checked_at", Value(asked_at)),
    )


def _looked_at(bundle: Bundle, asked_at: datetime, **changes: object) -> None:
    """Write down that the bundle answered. A wish to look that is younger than the request stays."""
    Bundle.objects.filter(pk=bundle.pk).update(
        last_checked_at=asked_at,
        asked_at=max(bundle.asked_at, asked_at),
        hurry_at=None if bundle.hurry_at is None or bundle.hurry_at <= asked_at else bundle.hurry_at,
        unanswered_since=None,
        # It answers, so it is not gone, whatever the listings say.
        missed_listings=0,
        heat=bundle.heat,
        **changes,
    )


def lock_video(pk: int) -> Video:
    """A slot, locked in the order in which the mirror locks: its bundle first. The other way round, a look and a fix
    that end at the same moment would wait for each other."""
    Bundle.objects.select_for_update(of=("self",)).get(videos=pk)
    return Video.objects.select_for_update().get(pk=pk)


def mirror_video(video: Video, payload: VideoPayload, *, asked_at: datetime) -> list[str]:
    """Copy one video's answer into its row (a read-back after a fix); returns the fields that changed.

    Issues are not touched: whoever fixes decides about his. Part of the caller's transaction; `video` is locked
    (`lock_video`).
    """
    former_links = video.links
    changed = _copy_video(payload, video)
    video.last_checked_at = asked_at
    if not _LINK_FIELDS.isdisjoint(changed):
        video.link_due_at = video.first_link_look(asked_at)
    fields = [*changed, "last_checked_at", "link_due_at"]
    if video.links != former_links:
        fields += video.forget_link_look()
    video.save(update_fields=fields)
    # What the bundle's last answer said is not the last word any more; the next look is worth having soon.
    Bundle.objects.filter(pk=video.bundle_id).update(answer_digest="", hurry_at=timezone.now())
    return changed


def _copy_video(payload: VideoPayload, video: Video) -> list[str]:
    """The same for a slot. Its deadline follows from the whole window, also if an answer tells only one of its days."""
    changed = _copy(payload, video, _VIDEO_FIELDS)
    deadline = video.window.deadline
    if video.deadline != deadline and not _DATE_FIELDS.isdisjoint(changed):
        video.deadline = deadline
        changed.append("deadline")
    return changed


def _copy(payload: BundlePayload | VideoPayload, row: Bundle | Video, fields: Iterable[str]) -> list[str]:
    """Set what the answer tells and what differs on the row; returns the names."""
    changed = []
    for name in fields:
        if name not in payload.told:
            continue
        value = getattr(payload, name)
        value = list(value) if isinstance(value, tuple) else value
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    return changed


def look_again(video: Video) -> None:
    """The bundle's last answer may have said what could not be acted on then: it is read once more, and soon."""
    Bundle.objects.filter(pk=video.bundle_id).update(answer_digest="", hurry_at=timezone.now())


def mirror_dates(video: Video, payload: VideoPayload) -> None:
    """Copy the publish dates alone: for a slot whose flag was raised again, which is the next look's business."""
    changed = _copy(payload, video, _DATE_FIELDS)
    video.deadline = video.window.deadline
    video.save(update_fields=[*changed, "deadline"])
    look_again(video)


def _upsert(
    bundle: Bundle, known: dict[int, Video], payloads: Sequence[VideoPayload], asked_at: datetime
) -> tuple[list[Video], list[tuple[Video, list[str]]], list[Video], list[Video]]:
    """(new, changed with the names of the fields, those of them with other links, all that the answer speaks for)"""
    new: list[Video] = []
    changed: list[tuple[Video, list[str]]] = []
    relinked: list[Video] = []
    current: list[Video] = []
    for payload in payloads:
        video = known.get(payload.position)
        former_links = video.links if video else []
        if video is None:
            video = Video(bundle=bundle, position=payload.position)
            _copy_video(payload, video)
            video.tokportal_id = payload.id
            video.link_due_at = video.first_link_look(asked_at) if bundle.can_be_flagged else None
            new.append(video)
        elif video.changed_here_at and asked_at <= video.changed_here_at:
            continue
        elif names := _copy_video(payload, video):
            if bundle.can_be_flagged and not _LINK_FIELDS.isdisjoint(names):
                video.link_due_at = video.first_link_look(asked_at)
                names = [*names, "link_due_at"]
            if video.links != former_links:
                video.forget_link_look()
                relinked.append(video)
            changed.append((video, names))
        video.bundle = bundle
        current.append(video)
    return new, changed, relinked, current
