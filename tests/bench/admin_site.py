"""The yardstick: the same rows in Django's admin, as a team without TokDash would list them. Only benchmarks use it."""

from django.conf import settings
from django.contrib import admin
from django.urls import path

from issues.models import Issue
from tokdash import urls as ours


class IssueAdmin(admin.ModelAdmin):
    """What the queue shows, with what the admin offers for it: filters, search, pages of fifty."""

    list_display = (
        "video",
        "bundle",
        "workspace",
        "state",
        "comment",
        "deadline",
        "verdict_class",
        "assignee",
        "opened_at",
    )
    list_select_related = ("video__bundle", "workspace", "assignee")
    list_filter = ("team", "state", "verdict_class", "workspace", "video__bundle__platform", "video__bundle__country")
    search_fields = ("video__name", "video__external_ref", "video__bundle__title", "comment")
    ordering = ("deadline", "pk")
    list_per_page = 50

    @admin.display(ordering="video__bundle__title")
    def bundle(self, issue: Issue) -> str:
        return str(issue.video.bundle)

    def has_view_permission(self, request, obj=None) -> bool:  # type: ignore[no-untyped-def]
        return True

    def has_module_permission(self, request) -> bool:  # type: ignore[no-untyped-def]
        return True

    def has_add_permission(self, request, obj=None) -> bool:  # type: ignore[no-untyped-def]
        return False

    has_change_permission = has_delete_permission = has_add_permission


class Site(admin.AdminSite):
    """Open to everybody who is logged in: our users have no flags of the admin's."""

    def has_permission(self, request) -> bool:  # type: ignore[no-untyped-def]
        return bool(request.user.is_authenticated)


site = Site(name="admin")
site.register(Issue, IssueAdmin)
urlpatterns = [path("admin/", site.urls), *ours.urlpatterns]
assert settings.ROOT_URLCONF == "tests.bench.admin_site"
