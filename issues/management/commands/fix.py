"""`manage.py fix BUNDLE_ID POSITION (--url URL | --file PATH | --image URL_OR_PATH ...) --as EMAIL`, or --csv FILE"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from issues.audit import Actor
from issues.enums import CAN_EDIT, FixState, MediaKind, Origin
from issues.fixes.carousels import warnings_of
from issues.fixes.date_outcomes import dates_problem_of
from issues.fixes.dates import days_earlier
from issues.fixes.foreground import find_issue, fix_table, fix_with_files, fix_with_links, wait_for_end
from issues.fixes.outcomes import outcome_of_fix
from issues.fixes.tables import MAX_BYTES, read_table
from issues.link_checks.masking import mask_secrets
from issues.management.base import FAILED, TokDashCommand
from issues.media.file_check import doubt_of_file
from issues.models import Fix, Issue, Membership, Team, User
from issues.problems import Refusal
from issues.tokportal.storage_paths import is_given_path, is_storage_path
from issues.wording import earlier_text


class Command(TokDashCommand):
    help = (
        "Fix one video and wait for the end: does not need a running worker. Exit code 0 only once the fix was "
        "verified by reading the video back from TokPortal."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bundle_id", metavar="BUNDLE_ID", nargs="?", help="TokPortal's id of the bundle")
        parser.add_argument("position", metavar="POSITION", nargs="?", type=int)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--url", help="a link that downloads the video")
        source.add_argument(
            "--csv",
            metavar="FILE",
            help="a table (CSV or .xlsx) of bundle_id, position, url or external_ref, url; - for standard input",
        )
        source.add_argument("--file", metavar="PATH", help="a video file to upload")
        source.add_argument(
            "--image",
            metavar="URL_OR_PATH",
            action="extend",
            nargs="+",
            help="the carousel's images in order: links, files to upload, or TokPortal's storage paths",
        )
        parser.add_argument(
            "--fewer-images",
            action="store_true",
            help="with --csv: send lines that leave a carousel fewer images; without it they are refused",
        )
        parser.add_argument("--unchecked", action="store_true", help="send links even if they certainly fail")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="ask TokPortal to simulate; if it does not confirm that, it was a real fix",
        )
        parser.add_argument(
            "--keep-dates",
            action=argparse.BooleanOptionalAction,
            help="restore the planned publish dates after the fix; --no-keep-dates (the default) only ends the warning",
        )
        parser.add_argument("--as", dest="email", required=True, metavar="EMAIL", help="the member who fixes")
        parser.add_argument("--team", metavar="TEAM", help="if the member is in several teams")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.user(options["email"])
        teams = [self.team(options["team"])] if options["team"] else list(user.teams.order_by("pk"))
        if not teams:
            self.wrong_use(f"{user.email} is in no team.")
        for team in teams:
            self.membership(team, user)
        actor = Actor.person(user, Origin.COMMAND)
        if options["csv"] is not None:
            if options["bundle_id"] or options["dry_run"]:
                self.wrong_use("--csv takes neither a bundle nor --dry-run.")
            self._fix_table(teams, user, actor, options)
            return
        if options["bundle_id"] is None or options["position"] is None:
            self.wrong_use("Give BUNDLE_ID and POSITION, or --csv FILE.")
        if options["position"] < 1:
            self.wrong_use("Positions count from 1.")
        self._fix_one(teams, user, actor, options)

    def _fix_one(self, teams: list[Team], user: User, actor: Actor, options: dict[str, Any]) -> None:
        """One video; exit code 0 once it is fixed and verified."""
        sources = self._sources(options)
        kind = MediaKind.IMAGE if options["image"] else MediaKind.VIDEO
        about_files = [
            text for text in (doubt_of_file(path, kind) for path in sources if isinstance(path, Path)) if text
        ]
        try:
            issue = find_issue(teams, user, options["bundle_id"], options["position"], actor)
            self._refuse_unknown(sources, issue)
            if options["keep_dates"] is None:
                self._warn_of_dates("", days_earlier(issue.video))
            keep_dates = options["keep_dates"] is True
            if any(isinstance(entry, Path) for entry in sources):
                fix = fix_with_files(
                    issue=issue,
                    files=sources,
                    actor=actor,
                    unchecked=options["unchecked"],
                    dry_run=options["dry_run"],
                    keep_dates=keep_dates,
                )
            else:
                fix = fix_with_links(
                    issue=issue,
                    links=[str(entry) for entry in sources],
                    is_carousel=bool(options["image"]),
                    actor=actor,
                    unchecked=options["unchecked"],
                    dry_run=options["dry_run"],
                    keep_dates=keep_dates,
                )
            fix = wait_for_end(fix)
        except KeyboardInterrupt:
            self.fail("Interrupted. A fix that was begun goes on in the background if a worker runs.")
        except Refusal as refusal:
            self._report(None, refusal.code, refusal.sentence, options, about_files)
            raise SystemExit(FAILED) from refusal
        self._report(fix, fix.code, _sentence(fix), options, about_files)
        if not _went_well(fix):
            raise SystemExit(FAILED)

    def _fix_table(self, teams: list[Team], user: User, actor: Actor, options: dict[str, Any]) -> None:
        """Each line of the table; exit code 0 once all of them are fixed and verified."""
        try:
            source = self._table_bytes(options["csv"])
        except OSError:
            self.wrong_use(f"{options['csv']} cannot be read.")
        if not teams or not Membership.objects.filter(user=user, team__in=teams, role__in=CAN_EDIT).exists():
            self.fail("This member is a viewer and changes nothing.")
        mine = [entry for entry in teams if self.membership(entry, user).can_edit]
        results = []
        is_well = True
        try:
            table = read_table(source)
            for note in table.notes:
                self.stderr.write(note)
            for result in fix_table(
                teams=mine,
                user=user,
                table=table,
                actor=actor,
                unchecked=options["unchecked"],
                fewer_images=options["fewer_images"],
                keep_dates=options["keep_dates"] is True,
                on_earlier=self._warn_of_dates if options["keep_dates"] is None else None,
            ):
                fix, line = result.fix, result.line
                is_well = is_well and fix is not None and _went_well(fix)
                code, message = (fix.code, _sentence(fix)) if fix else (result.code, result.message)
                about: dict[str, Any] = {
                    "line": line.number,
                    "bundle_id": line.bundle_id or None,
                    "position": line.position or None,
                }
                about |= {"lines": list(line.numbers), "notes": list(line.notes)}
                results.append({**about, "external_ref": line.external_ref or None, **_facts(fix, code, message)})
                self._warn(fix, f"{line.label}: ")
                if not options["json"]:
                    self.stdout.write(f"{mask_secrets(line.label)}: {message}{f' [{code}]' if code else ''}")
        except KeyboardInterrupt:
            self.fail("Interrupted. Fixes that were begun go on in the background if a worker runs.")
        except Refusal as refusal:
            self.wrong_use(refusal.sentence)
        if options["json"]:
            self.print_json(results)
        if not is_well:
            raise SystemExit(FAILED)

    @staticmethod
    def _table_bytes(name: str) -> bytes:
        """The table's bytes, and one more than a table may have, so that the reader refuses a larger one."""
        if name != "-":
            with Path(name).open("rb") as file:
                return file.read(MAX_BYTES + 1)
        buffer = getattr(sys.stdin, "buffer", None)
        return bytes(buffer.read(MAX_BYTES + 1)) if buffer else sys.stdin.read().encode("utf-8", "surrogateescape")

    def _sources(self, options: dict[str, Any]) -> list[Path | str]:
        """What to send: links and storage paths as they are, files as paths. Refuses anything else."""
        if options["url"] is not None:
            return [options["url"]]
        if options["file"] is not None:
            if not _is_file(options["file"]):
                self.wrong_use(f"There is no file {options['file']}.")
            return [Path(options["file"])]
        return [self._image(text) for text in options["image"]]

    def _image(self, text: str) -> Path | str:
        """An image: a link, an existing file, or a storage path, in this order."""
        if "://" in text:
            return text
        if _is_file(text):
            return Path(text)
        if not is_storage_path(text):
            self.wrong_use(_no_image(text))
        return text

    def _refuse_unknown(self, sources: Sequence[Path | str], issue: Issue) -> None:
        """Refuse texts that look like storage paths but are not known ones: more likely they are names of files."""
        for entry in sources:
            if isinstance(entry, str) and is_storage_path(entry) and not is_given_path(entry, issue.video.links):
                self.wrong_use(_no_image(entry))

    def _warn_of_dates(self, label: str, days: int) -> None:
        """Say before it is sent that the fix posts the video earlier."""
        if days:
            self.stderr.write(
                f"{mask_secrets(label)}{': ' if label else ''}The fix would post the video {earlier_text(days)}. "
                "Give --keep-dates to restore the planned dates, or --no-keep-dates to accept this."
            )

    def _warn(self, fix: Fix | None, label: str = "") -> None:
        for warning in warnings_of(fix) if fix else []:
            self.stderr.write(f"{label}{warning}")

    def _report(
        self, fix: Fix | None, code: str, sentence: str, options: dict[str, Any], about_files: list[str]
    ) -> None:
        self._warn(fix)
        for warning in about_files:
            self.stderr.write(warning)
        if options["json"]:
            facts = _facts(fix, code, sentence)
            self.print_json(facts | {"warnings": [*about_files, *facts["warnings"]]})
        elif fix and fix.state == FixState.SUCCEEDED:
            days = " to ".join(entry.text for entry in fix.window.times) or "not known"
            problem = dates_problem_of(fix)
            self.stdout.write(f"{sentence} Publish dates: {days}.{f' {problem}.' if problem else ''}")
        else:
            self.stderr.write(f"{sentence} [{code}]")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _no_image(text: str) -> str:
    return (
        f"{text[:200]} is no web link (https://…), there is no such file, and it is no storage path of TokPortal's "
        "(carousel-images/…, or one that the slot holds)."
    )


def _went_well(fix: Fix) -> bool:
    return fix.state == FixState.SUCCEEDED or fix.code == "DRY_RUN_OK"


def _sentence(fix: Fix) -> str:
    said = outcome_of_fix(fix.code, fix.code_details) if fix.code else None
    return f"{said.say} {said.next_step}" if said else "Fixed and verified."


def _facts(fix: Fix | None, code: str, sentence: str) -> dict[str, Any]:
    return {
        "id": str(fix.pk) if fix else None,
        "state": fix.state if fix else FixState.REJECTED.value,
        "code": code or None,
        "credits_would_charge": fix.code_details.get("credits_would_charge") if fix else None,
        "message": sentence,
        "video_url": (fix.video_url or None) if fix else None,
        "target_publish_date": (fix.target_publish_date or None) if fix else None,
        "target_publish_end_date": (fix.target_publish_end_date or None) if fix else None,
        "dates_kept": bool(fix and fix.dates_kept),
        "dates_code": (fix.dates_code or None) if fix else None,
        "warnings": warnings_of(fix) if fix else [],
    }
