"""The mirror of TokPortal's bundles and videos."""

from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import Q

from issues.models.workspaces import Workspace
from issues.tokportal import constants as c
from issues.tokportal.days import PublishWindow

# "Never" as a moment, so that what was never asked is simply the oldest.
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
# Links of videos that are not flagged are looked at from so long before their posting: earlier they may change often.
LINKS_AHEAD = timedelta(days=14)


def bundle_name(title: str, tokportal_id: str) -> str:
    """What a bundle is called on pages and in the history."""
    return title or tokportal_id


def video_name(name: str, position: int) -> str:
    """Likewise a video."""
    return name or f"Video {position}"


class Bundle(models.Model):
    """An order for one account with numbered video slots."""

    # No index of its own: the others begin with it. With one, PostgreSQL reads a whole workspace for each heat of the
    # planner's query while it does not know yet how large a new workspace is.
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="bundles", db_index=False)
    tokportal_id = models.CharField(max_length=128)
    title = models.CharField(max_length=500, blank=True)
    external_ref = models.CharField(max_length=255, blank=True)
    bundle_type = models.CharField(max_length=64, blank=True)
    platform = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=64, blank=True)
    videos_quantity = models.IntegerField(null=True, blank=True)
    saved_account_id = models.CharField(max_length=128, blank=True, default="", db_default="")  # once delivered
    extra = models.JSONField(default=dict, blank=True)  # fields of TokPortal's that we do not know

    last_listed_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)  # its videos are known as of then
    missed_listings = models.PositiveSmallIntegerField(default=0)
    gone_at = models.DateTimeField(null=True, blank=True)

    # What the planner goes by (see sync/planner.py).
    heat = models.SmallIntegerField(null=True, blank=True)  # how likely a flag appears; null: it cannot be flagged
    asked_at = models.DateTimeField(default=NEVER)  # the last attempt, answered or not
    hurry_at = models.DateTimeField(null=True, blank=True)  # someone wants it looked at before its turn
    hurry_whole = models.BooleanField(default=False)  # and the bundle itself, not just its videos
    unanswered_since = models.DateTimeField(null=True, blank=True)  # as of when it is known, while it does not answer
    # The last answer that changed or confirmed rows: an answer with the same digest has nothing to say.
    answer_digest = models.CharField(max_length=64, blank=True)
    mirrored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "tokportal_id"], name="bundle_once_in_a_workspace"),
        ]
        indexes = [
            # sync.planner.next_bundles: for each heat those that were asked longest ago
            models.Index(fields=["workspace", "heat", "asked_at"], name="bundle_next", condition=Q(heat__isnull=False)),
            # sync.planner.standing_of
            models.Index(fields=["workspace"], name="bundle_silent", condition=Q(unanswered_since__isnull=False)),
            # sync.planner.hurried_bundles
            models.Index(fields=["workspace", "hurry_at"], name="bundle_hurried", condition=Q(hurry_at__isnull=False)),
            # sync.webhooks: the bundles of an account
            models.Index(
                fields=["workspace", "saved_account_id"], name="bundle_of_account", condition=~Q(saved_account_id="")
            ),
            # queries.bundles: the list of bundles by title
            models.Index(fields=["workspace", "title", "id"], name="bundle_by_title"),
            # queries.queue.choices_of reads it alone
            models.Index(fields=["workspace", "platform", "country"], name="bundle_by_place"),
            # queries.filters.text_condition: ids that begin with what was typed
            models.Index(fields=["tokportal_id"], name="bundle_by_id", opclasses=["varchar_pattern_ops"]),
        ]

    def __str__(self) -> str:
        return bundle_name(self.title, self.tokportal_id)

    @property
    def can_be_flagged(self) -> bool:
        """Whether a manager may have it: unknown statuses count as yes."""
        return self.gone_at is None and self.status not in c.NOT_FLAGGABLE_STATUSES

    @property
    def has_ended(self) -> bool:
        return self.gone_at is not None or self.status in c.ENDED_STATUSES


# What a video knows of links that nobody has looked at yet.
UNLOOKED: dict[str, str | None] = {"link_verdict": "", "link_class": "", "link_checked_at": None}


class Video(models.Model):
    """A slot at a position. `bundle` and `position` identify it for good."""

    bundle = models.ForeignKey(Bundle, models.CASCADE, related_name="videos")
    position = models.PositiveIntegerField()
    tokportal_id = models.CharField(max_length=128, blank=True)
    status = models.CharField(max_length=64, blank=True)
    video_type = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    external_ref = models.CharField(max_length=255, blank=True)
    video_url = models.TextField(blank=True)
    carousel_images = models.JSONField(default=list, blank=True)
    story_image_url = models.TextField(blank=True)
    platform_url = models.TextField(blank=True)
    # As TokPortal writes them; `window` reads them, and `deadline` is the end of its last day.
    target_publish_date = models.CharField(max_length=64, blank=True)
    target_publish_end_date = models.CharField(max_length=64, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    download_issue = models.BooleanField(default=False)
    download_issue_comment = models.TextField(null=True, blank=True)  # noqa: DJ001 - TokPortal tells null from empty
    extra = models.JSONField(default=dict, blank=True)

    # What is known of the links themselves (see checks/); `link_due_at`: when to look at them again, null for never.
    link_verdict = models.CharField(max_length=40, blank=True)
    link_class = models.CharField(max_length=10, blank=True)
    link_checked_at = models.DateTimeField(null=True, blank=True)
    link_due_at = models.DateTimeField(null=True, blank=True)

    last_checked_at = models.DateTimeField(null=True, blank=True)  # by a look at it alone, or before it went missing
    missed_answers = models.PositiveSmallIntegerField(default=0)  # answers for the bundle without this position
    # An answer to a request sent before this moment tells an older state and must not undo ours.
    changed_here_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["bundle", "position"], name="video_once_at_a_position"),
            models.CheckConstraint(condition=Q(position__gte=1), name="video_position_from_one"),
        ]
        indexes = [
            # checks.background.due_videos
            models.Index(fields=["link_due_at"], name="video_link_due", condition=Q(link_due_at__isnull=False)),
            # queries.at_risk
            models.Index(
                fields=["deadline", "id"],
                name="video_at_risk",
                condition=Q(link_class__in=["dead", "blocked", "wrong", "expiring"], download_issue=False),
            ),
        ]

    def __str__(self) -> str:
        return video_name(self.name, self.position)

    @property
    def checked_at(self) -> datetime | None:
        """As of when the slot is known: the bundle's last answer speaks for every slot that was in it."""
        looks = [self.last_checked_at, None if self.missed_answers else self.bundle.last_checked_at]
        return max((look for look in looks if look), default=None)

    @property
    def window(self) -> PublishWindow:
        """The days on which the manager may post it."""
        return PublishWindow.parse(self.target_publish_date, self.target_publish_end_date)

    def forget_link_look(self) -> list[str]:
        """Its links are other ones than those that were looked at; returns the fields that were set."""
        for name, value in UNLOOKED.items():
            setattr(self, name, value)
        return list(UNLOOKED)

    def first_link_look(self, now: datetime) -> datetime | None:
        """When its new or changed links are to be looked at; `None` for never."""
        if not self.links or self.media_type == "story":
            return None
        if self.download_issue:
            return now
        if self.deadline is None or self.deadline < now:
            return None
        return max(now, self.deadline - LINKS_AHEAD)

    @property
    def media_type(self) -> str:
        """What can be done with the slot: a story that is made of a video is checked and repaired like a video."""
        return "video" if self.video_type == "story" and self.video_url else self.video_type

    @property
    def links(self) -> list[str]:
        """The media links of the slot, in order; for a type that we do not know, those that it has.

        URLs, and for a carousel storage paths too (tokportal/storage_paths.py).
        """
        by_type = {
            "video": [self.video_url],
            "carousel": [str(link) for link in self.carousel_images],
            "story": [self.video_url or self.story_image_url],
        }
        found = by_type.get(self.video_type) or next(filter(any, by_type.values()), [])
        return [link for link in found if link]
