"""A plausible agency: campaigns in several countries, managers' comments, links broken in every known way.

The same seed on the same day gives the same data. Dates are relative to today, from overdue to next week.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from issues.sandbox.world import Bundle, Video, World, stamp

OWNER = "ops@brightside-agency.example"
STRANGER = "someone@else.example"


@dataclass(frozen=True)
class Campaign:
    """A client's campaign: one bundle for each account that posts for it."""

    code: str
    client: str
    title: str
    country: str
    platform: str
    topics: tuple[str, ...]


CAMPAIGNS = (
    Campaign("LUMI-SPRING", "Lumi Skincare", "Lumi glow serum launch", "FR", "tiktok",
             ("Morning routine", "Three drops", "Before and after", "Texture close-up", "Unboxing", "Derm reacts")),
    Campaign("VELO-CITY", "Velo", "Velo city e-bike", "DE", "tiktok",
             ("Commute in 12 minutes", "Hill test", "Folding in 5 seconds", "Rainy Monday", "Battery swap")),
    Campaign("NORDIC-OAT", "Nordic Oat", "Nordic Oat barista", "SE", "instagram",
             ("Latte art", "Blind tasting", "Fika break", "Iced matcha", "Foam test")),
    Campaign("MESA-TACO", "Mesa", "Mesa taco kits", "US", "tiktok",
             ("Taco Tuesday", "Five-minute salsa", "Kids cook", "Spicy challenge", "Leftover remix", "Crunch ASMR")),
    Campaign("PIXIE-GAME", "Pixie Games", "Pixie puzzle season 4", "GB", "youtube",
             ("Level 400 fail", "Speedrun", "Secret room", "Boss guide", "Patch notes in 20 s")),
    Campaign("AMAI-TEA", "Amai", "Amai cold brew tea", "JP", "instagram",
             ("Yuzu", "Summer picnic", "Bento pairing", "Brew overnight", "Train station")),
    Campaign("SOLARA-TRIP", "Solara Travel", "Solara winter sun", "ES", "instagram",
             ("Hidden beach", "48 hours in Cádiz", "Packing light", "Sunset terrace", "Market breakfast")),
    Campaign("CASA-BIANCA", "Casa Bianca", "Casa Bianca linens", "IT", "instagram",
             ("Bed in a minute", "Linen care", "Colour of the month", "Guest room", "Sunday morning")),
    Campaign("RIO-FIT", "RioFit", "RioFit resistance bands", "BR", "tiktok",
             ("Treino em casa", "7 dias", "Antes e depois", "Alongamento", "Glúteos em 10 min")),
    Campaign("KOPI-CO", "Kopi & Co", "Kopi subscription box", "NL", "tiktok",
             ("Grinder setting", "V60 basics", "Office upgrade", "Beans of July", "Latte fail")),
    Campaign("TATRA-GEAR", "Tatra", "Tatra trail jackets", "PL", "tiktok",
             ("Storm test", "Packs this small", "Summit at 5 am", "Repair patch", "Zipper talk")),
    Campaign("HALO-AUDIO", "Halo", "Halo earbuds pro", "CA", "instagram",
             ("Noise test: subway", "Run with me", "Case drop", "Translate live", "Mic check")),
)  # fmt: skip

HANDLES = ("@everyday.{}", "@{}_daily", "@the{}edit", "@{}.finds", "@hey{}", "@{}club", "@real{}")

DRIVE = "1aZQ9mXkT3vB7cN5dR8sL2wE4yU6iO0pQ"
PRIVATE = "1Private" + DRIVE[8:]  # a file that only invited people can open


def broken_links(today: date) -> list[tuple[str, str | None]]:
    """(link, comment) pairs: each way in which links break, with words that a manager might write."""
    signed = (today - timedelta(days=3)).strftime("%Y%m%dT101500Z")
    soon = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=30)
    short = (today + timedelta(days=0)).strftime("%Y%m%dT000000Z")
    aws = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2Feu-west-1%2Fs3%2Faws4_request"
    return [
        (f"https://brightside-media.s3.eu-west-1.amazonaws.com/lumi/final_v3.mp4?{aws}&X-Amz-Date={signed}"
         "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=5f1c", "Link expired, says Request has expired"),
        (f"https://drive.google.com/file/d/{PRIVATE}/view?usp=sharing", "It asks me for access. Can you share it with everyone?"),
        ("https://www.dropbox.com/scl/fi/k2n8x/velo_hill_cut.mp4?rlkey=x8s7d6f5&dl=0",
         "Ich sehe nur eine Vorschau, kein Download möglich"),
        ("https://we.tl/t-9dKx2LmQpZ", "le lien WeTransfer a expiré, merci de renvoyer la vidéo"),
        ("https://cdn.gone.example.com/exports/2026/oat-latte-art.mp4", "404 not found"),
        (f"https://drive.google.com/drive/folders/{DRIVE[:28]}", "this is a folder with 14 videos, which one is it??"),
        ("https://www.tiktok.com/@pixiegames/video/7412345678901234567", "this is a tiktok link i cant download from it"),
        ("http://192.168.1.40/share/mesa/salsa_final.mov", "does not open. time out"),
        ("https://cdn.discordapp.com/attachments/1182/1199/storm_test.mp4?ex=65f0aa00&is=65dd3500&hm=9a1bc0ffee",
         "El enlace ya no funciona, por favor enviar otro"),
        ("forbidden.example.com/solara/hidden beach FINAL.mp4", None),
        ("https://forbidden.example.com/casa/linen-care.mp4", "Access denied. Mi dice accesso negato"),
        ("https://storage.googleapis.com/halo-raw/mic_check.mp4?X-Goog-Algorithm=GOOG4-RSA-SHA256"
         f"&X-Goog-Date={signed}&X-Goog-Expires=3600&X-Goog-Signature=77ab", "expired token"),
        ("https://docs.google.com/document/d/1bTn0Zk4/edit", "Isso é um documento, não o vídeo"),
        ("https://unreachable.example.com/kopi/v60.mp4", "site does not exist / kan de site niet bereiken"),
        ("https://1drv.ms/v/s!AkqZ9x_7bTn0", "Microsoft asks me to log in"),
        ("https://render.example.com/tatra/zipper.mp4", "plik uszkodzony, nie otwiera się w całości"),
        ("https://media.example.com/rio/antes-depois.mp4", "sem som, o vídeo está mudo"),
        ("https://slow.example.com/mesa/crunch_4k_prores.mov", "download very slow, stops at 12 % every time. 9 GB??"),
        ("https://vimeo.com/893412765", "need password for vimeo"),
        (f"https://brightside-media.s3.eu-west-1.amazonaws.com/amai/yuzu.mp4?{aws}&X-Amz-Date={short}"
         f"&X-Amz-Expires={int((soon - datetime.combine(today, datetime.min.time(), UTC)).total_seconds())}"
         "&X-Amz-Signature=c0de", "動画が途中で止まります。別のリンクをください。"),
        ("https://brightside.sharepoint.com/:v:/s/marketing/EdXk92", "company login page, I have no account"),
        ("file:///Users/anna/Desktop/export/unboxing.mp4", "this is on your computer :)"),
        ("https://www.dropbox.com/scl/fo/9xk2n/AAB7?rlkey=q1w2e3&dl=0", "it is a folder, please send only the one for today"),
        ("https://drive.google.com/uc?export=download&id=" + DRIVE[::-1], "too many users have viewed or downloaded this file"),
        ("https://www.icloud.com/iclouddrive/0b2Xq7#fold_test", "download button does nothing on my phone"),
        ("https://gone.example.com/nordic/foam-test.mp4", "Länken funkar inte längre"),
    ]  # fmt: skip


CAROUSEL_COMMENT = "image 2 is not loading, the others are ok"
STORY_COMMENT = "story picture can not be opened"
STORY_VIDEO_COMMENT = "the story video does not download"


def fill(world: World, *, seed: int, bundles: int, videos: int, flagged: int, today: date | None = None) -> None:
    """Put `bundles` bundles with `videos` slots, `flagged` of them flagged, into the world.

    A few bundles more belong to somebody else, so that BUNDLE_NOT_OWNED can be met.
    """
    rng = random.Random(seed)
    today = today or datetime.now(UTC).date()
    made: list[Bundle] = []
    for number in range(bundles):
        made.append(_bundle(rng, number, today))
    per_bundle = _shares(rng, videos, len(made))
    for bundle, count in zip(made, per_bundle, strict=True):
        campaign = _campaign_of(bundle)
        bundle.slots = count
        for position in range(1, count + 1):
            bundle.videos.append(_video(rng, bundle, campaign, position, today))
        world.bundles[bundle.id] = bundle
    _flag_some(rng, world, made, flagged, today)
    if flagged:
        _doom_some(world, made, today)
    foreign = _bundle(rng, len(made), today)
    foreign.owner, foreign.title = STRANGER, "Somebody else's campaign"
    foreign.videos.append(_video(rng, foreign, CAMPAIGNS[0], 1, today))
    foreign.slots = 1
    world.bundles[foreign.id] = foreign


def _shares(rng: random.Random, total: int, parts: int) -> list[int]:
    """`total` split over `parts`, unevenly, at least one each where that is possible."""
    shares = [1 if number < total else 0 for number in range(parts)]
    for _ in range(max(total - parts, 0)):
        shares[rng.randrange(parts)] += 1
    return shares


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _campaign_of(bundle: Bundle) -> Campaign:
    return next(campaign for campaign in CAMPAIGNS if (bundle.external_ref or "").startswith(campaign.code))


def _bundle(rng: random.Random, number: int, today: date) -> Bundle:
    campaign = CAMPAIGNS[number % len(CAMPAIGNS)]
    word = campaign.client.split()[0].lower()
    handle = HANDLES[(number // len(CAMPAIGNS) + number) % len(HANDLES)].format(word)
    # Most bundles are with a manager; each other status occurs too.
    others = ("completed", "draft", "pending_setup", "cancelled", "archived", "finalized")
    status = (
        others[(number // 6) % len(others)]
        if number % 6 == 5
        else ("accepted", "in_review", "published", "accepted", "published_priority")[number % 5]
    )
    created = datetime.combine(today - timedelta(days=rng.randint(9, 60)), datetime.min.time(), UTC)
    return Bundle(
        id=_uuid(rng),
        owner=OWNER,
        title=f"{campaign.title} · {handle}",
        external_ref=f"{campaign.code}-{number + 1:03d}",
        platform=campaign.platform,
        country=campaign.country,
        status=status,
        bundle_type="videos_only" if number % 7 == 3 else "account_and_videos",
        says_start_date=number % 4 == 2,
        created_at=stamp(created),
        updated_at=stamp(created + timedelta(days=3)),
    )


def _video(rng: random.Random, bundle: Bundle, campaign: Campaign, position: int, today: date) -> Video:
    start = today + timedelta(days=rng.randint(-1, 8))
    kind = "carousel" if position % 9 == 4 else "story" if position % 9 == 8 else "video"
    if bundle.platform == "youtube":
        kind = "video"  # neither stories nor carousels there
    slug = f"{campaign.code.lower()}/{position:02d}"
    status = "finalized" if bundle.status == "completed" else "pending" if bundle.status == "draft" else "configured"
    video = Video(
        position=position,
        id=_uuid(rng),
        name=campaign.topics[(position - 1) % len(campaign.topics)],
        video_type=kind,
        status=status,
        description=f"#{campaign.client.split()[0].lower()} #ad",
        external_ref=f"{bundle.external_ref}-{position:02d}",
        target_publish_date=start.isoformat(),
        target_publish_end_date=(start + timedelta(days=1)).isoformat(),
        created_at=bundle.created_at,
        updated_at=bundle.updated_at,
    )
    if kind == "video":
        video.video_url = f"https://media.example.com/{slug}.mp4"
    elif kind == "carousel":
        video.carousel_images = in_form(
            form_of(video),
            [f"{folder_of(bundle)}/photo-{position:02d}{n}.jpg" for n in range(1, 5)],
            [f"https://media.example.com/{slug}-{n}.jpg" for n in range(1, 5)],
        )
    elif int(video.id[-1], 16) % 2:
        video.video_url = f"https://media.example.com/{slug}-story.mp4"
    else:
        video.story_image_url = f"https://media.example.com/{slug}-story.jpg"
    return video


def folder_of(bundle: Bundle) -> str:
    """Where TokPortal keeps a bundle's images."""
    return f"carousel-images/org_{bundle.owner.split('@')[-1].split('.')[0]}/{bundle.id}"


def form_of(video: Video) -> str:
    """How TokPortal writes the images of this carousel: half of them as paths, the others as URLs or both."""
    return ("paths", "urls", "paths", "mixed")[int(video.id[-1], 16) % 4]


def in_form(form: str, paths: Sequence[str], urls: Sequence[str]) -> list[str]:
    """The images in this form: `paths`, `urls`, or `mixed`, one of each in turn."""
    if form == "mixed":
        return [(path, url)[number % 2] for number, (path, url) in enumerate(zip(paths, urls, strict=True))]
    return list(urls if form == "urls" else paths)


def is_path(image: str) -> bool:
    """Whether this names an object of the image store by its path rather than by a URL."""
    return "://" not in image


def stored_images(world: World) -> list[str]:
    """The storage paths of all carousels whose file is there."""
    return [
        image
        for bundle in world.bundles.values()
        for video in bundle.videos
        for image in video.carousel_images or []
        if is_path(image) and image not in world.broken_urls
    ]


def _doom_some(world: World, made: list[Bundle], today: date) -> None:
    """Links of some coming videos that nobody has flagged yet, and that a manager will not be able to open."""
    signed = (today - timedelta(days=1)).strftime("%Y%m%dT080000Z")
    links = [
        "https://gone.example.com/next-week/teaser.mp4",
        f"https://brightside-media.s3.amazonaws.com/next/cut.mp4?X-Amz-Date={signed}&X-Amz-Expires=172800&X-Amz-Signature=77",
        f"https://drive.google.com/file/d/{PRIVATE[:24]}/view?usp=sharing",
        "https://forbidden.example.com/next/closing.mp4",
        "https://render.example.com/next/master.mp4",
    ]
    tomorrow = today.isoformat()
    coming = [
        video
        for bundle in made
        if bundle.status in {"published", "accepted", "in_review"}
        for video in bundle.videos
        if video.video_type == "video" and not video.download_issue and (video.target_publish_date or "") > tomorrow
    ]
    for video, link in zip(coming[::7], links, strict=False):
        video.video_url = link


def _flag_some(rng: random.Random, world: World, made: list[Bundle], flagged: int, today: date) -> None:
    """Flag videos in bundles that are with a manager: first one of each kind of broken link, then any."""
    with_manager = [
        (bundle, video)
        for bundle in made
        if bundle.status in {"published", "published_priority", "accepted", "in_review"}
        for video in bundle.videos
    ]
    rng.shuffle(with_manager)
    # Videos first, but keep a carousel and a story among the first.
    links = broken_links(today)
    offsets = (-2, -1, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7)
    for number, (bundle, video) in enumerate(with_manager[:flagged]):
        start = today + timedelta(days=offsets[number % len(offsets)])
        dates = {
            "target_publish_date": start.isoformat(),
            "target_publish_end_date": (start + timedelta(days=1)).isoformat(),
            "status": "accepted",
        }
        if video.video_type == "carousel":
            images = [*(video.carousel_images or [])]
            # A link that is gone; or, if images are written in both ways, a path whose file is not there.
            name = images[1].rsplit("/", 1)[1]
            is_path = form_of(video) == "mixed"
            images[1] = f"{folder_of(bundle)}/lost-{name}" if is_path else f"https://gone.example.com/{name}"
            world.broken_urls.add(images[1])
            world.flag(bundle.id, video.position, CAROUSEL_COMMENT, carousel_images=images, **dates)
        elif video.video_type == "story" and video.video_url:
            gone = f"https://gone.example.com/{bundle.id[:8]}/story.mp4"
            world.broken_urls.add(gone)
            world.flag(bundle.id, video.position, STORY_VIDEO_COMMENT, video_url=gone, **dates)
        elif video.video_type == "story":
            world.flag(bundle.id, video.position, STORY_COMMENT, **dates)
        else:
            link, comment = links[number % len(links)]
            world.broken_urls.add(link)
            world.flag(bundle.id, video.position, comment, video_url=link, **dates)
