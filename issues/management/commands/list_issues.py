"""`manage.py list_issues [--team TEAM] [--state STATE] [--json]`"""

from typing import Any

from django.core.management.base import CommandParser

from issues.enums import IssueState
from issues.management.base import TokDashCommand
from issues.models import Issue
from issues.queries.queue import open_issues_for


def issue_json(issue: Issue) -> dict[str, Any]:
    """An issue as scripts see it; times in ISO 8601, UTC."""
    return {
        "id": issue.pk,
        "bundle_id": issue.video.bundle.tokportal_id,
        "position": issue.video.position,
        "video_type": issue.video.video_type,
        "comment": issue.comment,
        "state": issue.state,
        "opened_at": issue.opened_at.isoformat(),
        "deadline": issue.deadline.isoformat() if issue.deadline else None,
    }


class Command(TokDashCommand):
    help = "List issues, the most urgent first: the open ones (and those being fixed) unless --state names others."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--team", metavar="TEAM")
        parser.add_argument("--state", choices=[*IssueState.values, "all"])
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        state = options["state"]
        states = {"all": IssueState.values, None: ["open", "fixing"]}.get(state, [state])
        issues = [
            issue
            for team in self.teams(options["team"])
            for issue in open_issues_for(team).filter(state__in=states).iterator()
        ]
        if options["json"]:
            self.print_json([issue_json(issue) for issue in issues])
            return
        for issue in issues:
            due = " to ".join(entry.text for entry in issue.window.times) or "no date"
            video = issue.video
            self.stdout.write(
                f"{due:24}  {issue.state:7}  {video.bundle.tokportal_id} {video.position:>3}  {issue.comment or '-'}"
            )
        self.stderr.write(f"{len(issues)} issues")
