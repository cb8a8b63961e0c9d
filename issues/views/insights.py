"""Insights: the page, its tables as files, and a report of one page for a client."""

import csv
import io
from datetime import date, datetime, time

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from issues.access import load_membership
from issues.models import AuditHead
from issues.queries.freshness import freshness_of
from issues.queries.insights import PERIODS, TABLES, InsightFilters, Insights, read_insights, table_of, workspaces_of
from issues.views.chrome import MemberRequest, render_page


def _context(request: MemberRequest, filters: InsightFilters) -> dict[str, object]:
    found = read_insights(request.membership.team, filters)
    return {
        "insights": found,
        "filters": filters,
        "periods": [(days, _(label)) for days, label in PERIODS.items()],
        "charts": _charts(found),
    }


def _charts(found: Insights) -> dict[str, object]:
    """What the script draws: x as Unix seconds of each day's noon, and a list of numbers for each line.

    Days that nobody watched have none.
    """
    noon = 12 * 3600
    start = [int(timezone.make_aware(_midnight(day.day)).timestamp()) + noon for day in found.days]
    return {
        "open": {"x": start, "lines": [[_("Open"), [day.open if day.is_watched else None for day in found.days]]]},
        "flow": {
            "x": start,
            "lines": [
                [_("Seen"), [day.seen if day.is_watched else None for day in found.days]],
                [_("Fixed"), [day.fixed if day.is_watched else None for day in found.days]],
            ],
        },
        "durations": {"labels": [label for label, _ in found.classes], "bars": [count for _, count in found.classes]},
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


@require_GET
@login_required
def insights(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Are we getting better: figures, charts and their tables."""
    request.membership = load_membership(request.user, team_slug)
    context = _context(request, InsightFilters.parse(request.GET))
    context["workspaces"] = workspaces_of(request.membership.team)
    context["watching"] = freshness_of(request.membership.team).status
    return render_page(request, "insights/page.html", context)


@require_GET
@login_required
def insights_report(request: MemberRequest, team_slug: str) -> HttpResponse:
    """The same on one page to be printed for a client, with the place in the record that it was made at."""
    request.membership = load_membership(request.user, team_slug)
    context = _context(request, InsightFilters.parse(request.GET))
    context["made"] = timezone.now()
    context["watching"] = freshness_of(request.membership.team).status
    context["head"] = AuditHead.objects.get(team=request.membership.team)
    return render_page(request, "insights/report.html", context)


@require_GET
@login_required
def insights_table(request: MemberRequest, team_slug: str, table: str) -> HttpResponse:
    """One of the tables as CSV."""
    request.membership = load_membership(request.user, team_slug)
    if table not in TABLES:
        raise Http404
    filters = InsightFilters.parse(request.GET)
    text = io.StringIO()
    csv.writer(text).writerows(table_of(read_insights(request.membership.team, filters), table))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"tokdash-{table}-{request.membership.team.slug}-{filters.days}d-{timezone.localdate():%Y%m%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
