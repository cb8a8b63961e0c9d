"""Views of the queue that people keep."""

from django.db import models
from django.db.models import Q

from issues.models.teams import Membership, Team

MAX_QUERY = 600


class SavedView(models.Model):
    """A name for what the queue's filters say. Without an owner it is the whole team's."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(Membership, models.CASCADE, null=True, blank=True, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=MAX_QUERY, blank=True)  # as in the page's address
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="view_name_once_of_a_person"),
            models.UniqueConstraint(
                fields=["team", "name"], name="view_name_once_in_a_team", condition=Q(owner__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name
