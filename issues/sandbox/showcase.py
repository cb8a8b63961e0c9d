"""What a demo should show, whatever chance flags: set on videos that are flagged already."""

from datetime import UTC, date, datetime, timedelta

from issues.sandbox.data import CAROUSEL_COMMENT, OWNER, STORY_VIDEO_COMMENT, folder_of
from issues.sandbox.world import Bundle, Video, World

ENOUGH_TO_SHOW = 20  # flagged videos
LAUNCH_IN = 6  # days
SHARED = "https://drive.google.com/file/d/{}/view?usp=sharing"
OPEN_FILE, OTHER_OPEN_FILE = "1Kd8sLq2wE4yU6iO0pXmT3vB7cN5aZ", "1Bt5nHr9jG3kF7dS1aQwE6yU2iO8pL"


def show(world: World) -> None:
    """A carousel of storage paths with one bad image, a story with a video, a launch next week, Drive share links."""
    today = datetime.now(UTC).date()
    slots = [(bundle, video) for bundle in world.bundles.values() if bundle.owner == OWNER for video in bundle.videos]
    flagged = [(bundle, video) for bundle, video in slots if video.download_issue]
    videos = [(bundle, video) for bundle, video in flagged if video.video_type == "video"]
    for bundle, video in [pair for pair in flagged if pair[1].video_type == "carousel"][:1]:
        _carousel_of_paths(world, bundle, video)
    for bundle, video in [pair for pair in flagged if pair[1].video_type == "story"][:1]:
        _story_with_a_video(world, bundle, video)
    for bundle, video in [pair for pair in videos if pair[0].platform != "youtube"][:1]:
        _launch_next_week(world, bundle, video, today)
    for bundle, video in videos[-1:]:
        world.flag(
            bundle.id,
            video.position,
            "Google Drive wants me to log in on my phone",
            video_url=SHARED.format(OPEN_FILE),
        )
    coming = [
        video
        for bundle, video in slots
        if bundle.status == "accepted"
        and video.video_type == "video"
        and not video.download_issue
        and (video.target_publish_date or "") > today.isoformat()
    ]
    for video in coming[3:4]:
        video.video_url = SHARED.format(OTHER_OPEN_FILE)


def _carousel_of_paths(world: World, bundle: Bundle, video: Video) -> None:
    names = ("look-1", "look-2", "look-3", "look-4", "look-5")
    images = [f"{folder_of(bundle)}/{name}-{video.position:02d}.jpg" for name in names]
    images[1] = images[1].replace("look-2", "lost-look-2")
    world.broken_urls.add(images[1])
    world.flag(bundle.id, video.position, CAROUSEL_COMMENT, carousel_images=images, name="Lookbook")


def _story_with_a_video(world: World, bundle: Bundle, video: Video) -> None:
    gone = f"https://gone.example.com/{bundle.id[:8]}/behind-the-scenes.mp4"
    world.broken_urls.add(gone)
    fields = {"video_url": gone, "story_image_url": None, "name": "Behind the scenes"}
    world.flag(bundle.id, video.position, STORY_VIDEO_COMMENT, **fields)


def _launch_next_week(world: World, bundle: Bundle, video: Video, today: date) -> None:
    start = today + timedelta(days=LAUNCH_IN)
    gone = f"https://gone.example.com/{bundle.id[:8]}/launch-film-final.mp4"
    world.broken_urls.add(gone)
    world.flag(
        bundle.id,
        video.position,
        "404. This is the launch film, not to be posted before its day",
        name="Launch film",
        video_url=gone,
        target_publish_date=start.isoformat(),
        target_publish_end_date=(start + timedelta(days=1)).isoformat(),
    )
