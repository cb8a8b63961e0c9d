"""Make what tests need, through the domain functions wherever there is one."""

from base64 import b64encode
from typing import Any

from django.db.models import Q

from issues import members
from issues.audit import Actor
from issues.enums import Origin, Role
from issues.models import Bundle, Issue, Membership, Team, User, Video, Workspace
from issues.sandbox.media import mp4
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.sync.described import describe
from issues.sync.workspaces import connect_workspace

PASSWORD = "a long password 1"
OPERATOR = Actor(name="Operator", origin=Origin.COMMAND)

MP4 = mp4(2000).part(0, 2000)


def pieces(content: bytes) -> list[dict[str, Any]]:
    """What the browser announces of a file."""
    return [{"at": 0, "bytes": b64encode(content[:64]).decode()}]


PIECES = pieces(MP4)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 200


def user(email: str, name: str = "") -> User:
    return members.get_or_create_user(email=email, name=name, password=PASSWORD)[0]


def team(name: str, owner: User) -> Team:
    return members.create_team(name=name, owner=owner, actor=OPERATOR)


def join(team: Team, user: User, role: Role) -> Membership:
    return members.add_member(team=team, user=user, role=role, actor=OPERATOR)


def connect(
    team: Team, sandbox: Sandbox, name: str = "TokPortal", key: str = FULL_KEY, write_key: str = ""
) -> Workspace:
    return connect_workspace(
        team=team, name=name, base_url=sandbox.base_url, read_key=key, write_key=write_key, actor=OPERATOR
    )


def open_issue(video_type: str, bundle_id: str = "", position: int = 0) -> Issue:
    """An open issue of a slot of this type, with what pages need loaded."""
    found = Issue.objects.filter(state="open", video__video_type=video_type)
    if bundle_id:
        found = found.filter(video__bundle__tokportal_id=bundle_id, video__position=position)
    return found.select_related("video__bundle", "workspace").order_by("pk")[0]


def slot(sandbox: Sandbox, video_type: str, *, flagged: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """A slot of this type in a bundle that is with a manager."""
    with_manager = {"published", "published_priority", "accepted", "in_review"}
    return next(
        (bundle, video)
        for bundle, video in sandbox.control.videos(video_type=video_type, download_issue=flagged)
        if bundle["status"] in with_manager
    )


def many_issues(workspace: Workspace, count: int) -> None:
    """`count` open issues in bulk, ten a bundle."""
    from django.utils import timezone

    now = timezone.now()
    start = Bundle.objects.count()
    bundles = Bundle.objects.bulk_create(
        Bundle(
            workspace=workspace,
            tokportal_id=f"bulk-{start + number}",
            title=f"Bulk campaign {number:04d}",
            platform="tiktok",
            country="FR",
            status="accepted",
            last_listed_at=now,
            last_checked_at=now,
        )
        for number in range((count + 9) // 10)
    )
    videos = Video.objects.bulk_create(
        Video(
            bundle=bundles[number // 10],
            position=number % 10 + 1,
            name=f"Video {number}",
            video_type="video",
            video_url="https://media.example.com/a.mp4",
            download_issue=True,
            deadline=now,
            last_checked_at=now,
        )
        for number in range(count)
    )
    Issue.objects.bulk_create(
        Issue(
            team_id=workspace.team_id,
            workspace=workspace,
            video=video,
            comment=f"broken {number}",
            links=["https://media.example.com/a.mp4"],
            host="media.example.com",
            deadline=now,
            verdict="not_checked",
            verdict_class="unsure",
            opened_at=now,
        )
        for number, video in enumerate(videos)
    )
    describe(Q(team=workspace.team_id))
