"""`manage.py fix BUNDLE_ID POSITION (--url URL | --file PATH | --image URL_OR_PATH ...) --as EMAIL`"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from issues.audit import Actor
from issues.enums import FixState, Origin
from issues.fixes.foreground import find_issue, fix_with_files, fix_with_links, wait_for_end
from issues.fixes.outcomes import outcome_of
from issues.management.base import FAILED, TokDashCommand
from issues.models import Fix
from issues.problems import Refusal


class Command(TokDashCommand):
    help = (
        "Fix one video and wait for the end: does not need a running worker. Exit code 0 only once the fix was "
        "verified by reading the video back from TokPortal."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bundle_id", metavar="BUNDLE_ID", help="TokPortal's id of the bundle")
        parser.add_argument("position", metavar="POSITION", type=int)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--url", help="a link that downloads the video")
        source.add_argument("--file", metavar="PATH", help="a video file to upload")
        source.add_argument(
            "--image",
            metavar="URL_OR_PATH",
            action="extend",
            nargs="+",
            help="the carousel's images in order: links, or files to upload",
        )
        parser.add_argument("--as", dest="email", required=True, metavar="EMAIL", help="the member who fixes")
        parser.add_argument("--team", metavar="TEAM", help="where the member is in several")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.user(options["email"])
        teams = [self.team(options["team"])] if options["team"] else list(user.teams.order_by("pk"))
        if not teams:
            self.wrong_use(f"{user.email} is in no team.")
        for team in teams:
            self.membership(team, user)
        if options["position"] < 1:
            self.wrong_use("Positions count from 1.")
        sources = options["image"] or [options["url"] or options["file"]]
        paths = [None if self._is_link(text, options) else self._path(text) for text in sources]
        actor = Actor.person(user, Origin.COMMAND)
        try:
            issue = find_issue(teams, user, options["bundle_id"], options["position"], actor)
            if any(paths):
                files = [path or text for path, text in zip(paths, sources, strict=True)]
                fix = fix_with_files(issue=issue, files=files, actor=actor)
            else:
                fix = fix_with_links(issue=issue, links=sources, is_carousel=bool(options["image"]), actor=actor)
            fix = wait_for_end(fix)
        except KeyboardInterrupt:
            self.fail("Interrupted. A fix that was begun goes on in the background where a worker runs.")
        except Refusal as refusal:
            self._report(None, refusal.code, refusal.sentence, options)
            raise SystemExit(FAILED) from refusal
        said = outcome_of(fix.code, fix.code_details.get("status", 0)) if fix.code else None
        sentence = f"{said.say} {said.next_step}" if said else "Fixed and verified."
        self._report(fix, fix.code, sentence, options)
        if fix.state != FixState.SUCCEEDED:
            raise SystemExit(FAILED)

    def _is_link(self, text: str, options: dict[str, Any]) -> bool:
        return bool(options["url"]) or (bool(options["image"]) and "://" in text)

    def _path(self, text: str) -> Path:
        path = Path(text)
        if not path.is_file():
            self.wrong_use(f"There is no file {text}.")
        return path

    def _report(self, fix: Fix | None, code: str, sentence: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(
                {
                    "id": str(fix.pk) if fix else None,
                    "state": fix.state if fix else FixState.REJECTED.value,
                    "code": code or None,
                    "message": sentence,
                    "video_url": (fix.video_url or None) if fix else None,
                    "target_publish_date": (fix.target_publish_date or None) if fix else None,
                    "target_publish_end_date": (fix.target_publish_end_date or None) if fix else None,
                }
            )
        elif fix and fix.state == FixState.SUCCEEDED:
            self.stdout.write(f"{sentence} Publish dates: {fix.target_publish_date} to {fix.target_publish_end_date}.")
        else:
            self.stderr.write(f"{sentence} [{code}]")
