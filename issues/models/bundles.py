"""The mirror of TokPortal's bundles and videos."""

from django.db import models
from django.db.models import Q

from issues.models.workspaces import Workspace
from issues.tokportal import constants as c


class Bundle(models.Model):
    """An order for one account with numbered video slots."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="bundles")
    tokportal_id = models.CharField(max_length=128)
    title = models.CharField(max_length=500, blank=True)
    external_ref = models.CharField(max_length=255, blank=True)
    bundle_type = models.CharField(max_length=64, blank=True)
    platform = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=64, blank=True)
    videos_quantity = models.IntegerField(null=True, blank=True)
    extra = models.JSONField(default=dict, blank=True)  # fields of TokPortal's that we do not know

    last_listed_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)  # when its videos were last asked for
    missed_listings = models.PositiveSmallIntegerField(default=0)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "tokportal_id"], name="bundle_once_in_a_workspace"),
        ]
        indexes = [
            # queries.bundles: the list of bundles by title
            models.Index(fields=["workspace", "title", "id"], name="bundle_by_title"),
        ]

    def __str__(self) -> str:
        return self.title or self.tokportal_id

    @property
    def can_be_flagged(self) -> bool:
        """Whether a manager may have it: unknown statuses count as yes."""
        return self.gone_at is None and self.status not in c.NOT_FLAGGABLE_STATUSES

    @property
    def has_ended(self) -> bool:
        return self.gone_at is not None or self.status in c.ENDED_STATUSES


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
    # As TokPortal writes them; `deadline` is what they mean.
    target_publish_date = models.CharField(max_length=64, blank=True)
    target_publish_end_date = models.CharField(max_length=64, blank=True)
    deadline = models.DateTimeField(null=True, blank=True)
    download_issue = models.BooleanField(default=False)
    download_issue_comment = models.TextField(null=True, blank=True)  # noqa: DJ001 - TokPortal tells null from empty
    extra = models.JSONField(default=dict, blank=True)

    last_checked_at = models.DateTimeField(null=True, blank=True)
    missed_answers = models.PositiveSmallIntegerField(default=0)  # answers for the bundle without this position
    # An answer to a request sent before this moment tells an older state and must not undo ours.
    changed_here_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["bundle", "position"], name="video_once_at_a_position"),
            models.CheckConstraint(condition=Q(position__gte=1), name="video_position_from_one"),
        ]

    def __str__(self) -> str:
        return self.name or f"Video {self.position}"

    @property
    def links(self) -> list[str]:
        """The media links of the slot, in order; for a type that we do not know, those that it has."""
        by_type = {
            "video": [self.video_url],
            "carousel": [str(link) for link in self.carousel_images],
            "story": [self.story_image_url],
        }
        found = by_type.get(self.video_type) or next(filter(any, by_type.values()), [])
        return [link for link in found if link]
