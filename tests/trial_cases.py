"""The trials of `tests/trials/` as cases with a judgement each: links, tables, files. See README.md there.

A phrase of urls.txt that nothing here understands is an error, so that no case can be skipped.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from issues.sandbox.server import Sandbox

FOLDER = Path(__file__).parent / "trials"
FILES = FOLDER / "files"
TABLES = FOLDER / "tables"

# --- Links -------------------------------------------------------------------------------------------------

Answer = dict[str, Any]
Judgement = Callable[[Answer], bool]


@dataclass(frozen=True, slots=True)
class LinkCase:
    """A line of urls.txt."""

    id: str
    url: str
    right: str


def link_cases() -> list[LinkCase]:
    """The lines of urls.txt, each with an id of its own (`R5-2`: the second line of R5)."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    cases: list[LinkCase] = []
    for line in (FOLDER / "urls.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, url, right = line.split("\t")
        number = 1 + sum(case.id.split("-")[0] == name for case in cases)
        cases.append(LinkCase(f"{name}-{number}", json.loads(url).replace("@NOW@", now), right))
    return cases


# Good links, which have to reach TokPortal as they are; a browser would encode nothing in them but the `|` of G4.
SENT_AS_THEY_ARE = ("G1-1", "G2-1", "G3-1", "G4-1", "G5-1", "K1-1", "K2-1", "K3-1", "K4-1", "W7-10", "W7-11")


def meant_by(case: LinkCase) -> str:
    """The link inside a paste, where urls.txt says exactly which one; else empty."""
    found = re.search(r"suggestion (?:\['([^']+)'\]|(https://\S+))$", case.right)
    return (found[1] or found[2]) if found else ""


def is_right(case: LinkCase, answer: Answer) -> bool:
    """Whether `check_link --json` said of this link what is right."""
    if case.right == "neither dead nor blocked; suggestion: the direct form":
        return answer["class"] not in {"dead", "blocked"} and _is_direct_form(case.url, answer.get("suggestion"))
    return any(
        all(_judgement(phrase)(answer) for phrase in re.split(r" and (?!nothing)(?:the )?", choice))
        for choice in re.split(r" or (?=class|suggestion)", case.right)
    )


def _is_direct_form(url: str, suggestion: str | None) -> bool:
    if not suggestion:
        return False
    if "dropbox" in url:
        return "dl=1" in suggestion and "rlkey=qwe456" in suggestion
    direct = ("https://drive.google.com/uc?", "https://drive.usercontent.google.com/download?")
    return suggestion.startswith(direct) and "1PQ10390EXAMPLEYAQ2gx" in suggestion and "export=download" in suggestion


def _judgement(phrase: str) -> Judgement:
    found = [(make, match) for pattern, make in _PHRASES if (match := re.fullmatch(pattern, phrase))]
    assert len(found) == 1, f"urls.txt says what nobody understands: {phrase!r}"
    make, match = found[0]
    return make(match[1] if match.groups() else "")


def _classes(text: str) -> Judgement:
    return lambda answer: answer["class"] in text.split("/")


def _not_classes(text: str) -> Judgement:
    return lambda answer: answer["class"] not in text.split("/")


def _listed(text: str) -> list[str]:
    return [str(entry) for entry in json.loads(text.replace("'", '"'))]


def _suggestion_with(text: str) -> Judgement:
    return lambda answer: all(part in (answer.get("suggestion") or "") for part in _listed(text))


def _suggestion_is(text: str) -> Judgement:
    return lambda answer: answer.get("suggestion") == (_listed(text)[0] if text.startswith("[") else text)


def _no_words(text: str) -> Judgement:
    return lambda answer: not any(word in answer["message"] for word in text.split("/"))


_PHRASES: tuple[tuple[str, Callable[[str], Judgement]], ...] = (
    (r"class ([a-z/]+)", _classes),
    (r"class other than ([a-z/]+)", _not_classes),
    (r"verdict other than (\w+)", lambda text: lambda answer: answer["verdict"] != text),
    (r"suggestion with (\[.+\])", _suggestion_with),
    (r"suggestion (\[.+\]|https://\S+)", _suggestion_is),
    (r"no (.+) in the message", _no_words),
    (r"key suggestion, and nothing in it", lambda _: lambda answer: answer.get("suggestion", "missing") is None),
)


# --- Tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TableCase:
    """A file of `tables/`. `rows`: the links of each line, in order; several are a carousel.

    `refusal`: a pattern for the reason with which TokDash may refuse instead; none where it has to read the table.
    `references`: the lines name these instead of a bundle and a position.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    refusal: str = ""
    references: tuple[str, ...] = ()
    is_pasted: bool = False

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What TokPortal has to receive."""
        return [{"carousel_images": list(row)} if len(row) > 1 else {"video_url": row[0]} for row in self.rows]

    def content(self, bundle_ids: list[str]) -> bytes:
        """The file, with the bundles of this sandbox."""
        content = (TABLES / self.name).read_bytes()
        for number, bundle_id in enumerate(bundle_ids, 1):
            for encoding in ("utf-8", "utf-16-le"):
                content = content.replace(f"b-{number}".encode(encoding), bundle_id.encode(encoding))
        return content


def _videos(*names: str) -> tuple[tuple[str, ...], ...]:
    return tuple((f"https://cdn.example.com/{name}.mp4",) for name in names)


def _images(count: int) -> tuple[tuple[str, ...], ...]:
    return (tuple(f"https://c.example.com/{number}.jpg" for number in range(1, count + 1)),)


TWO_LINKS = r"(?i)two|both|link columns|video_url"
TABLE_CASES = (
    TableCase("T1a.csv", _videos("new-1"), TWO_LINKS),
    TableCase("T1b.csv", _videos("new-2"), TWO_LINKS),
    TableCase("T2a.csv", _images(4), r"(?i)url2|image|link"),
    TableCase("T2b.csv", _images(2), r"(?i)image|link"),
    TableCase("T3a.csv", _videos("new-1", "new-2")),
    TableCase("T4a.csv", _videos("new-7a", "new-7b", "new-7c"), r"(?is)line 3\b.*quot|quot.*line 3\b"),
    TableCase("T4b.csv", _videos(*(f"new-{n}" for n in range(1, 7))), r"(?is)line 2\b.*quot|quot.*line 2\b"),
    TableCase("T5a.csv", _videos("new-33")),
    TableCase("T5b.csv", _videos("new-33")),
    TableCase("T5c.csv", _videos("new-33")),
    TableCase("T5d.csv", _videos("new-33"), r"external_ref", references=("REF-33",)),
    TableCase("T6a.csv", _videos("new-34")),
    TableCase("T7a.txt", _videos("new-35a", "new-35b"), references=("Smith, John – Reel 1", "REF-35"), is_pasted=True),
    TableCase("T8a.csv", _images(3)),
    TableCase("T9a.csv", _videos("new-37", "new-37", "new-37", "new-37")),
    TableCase("T10a.csv", _videos("new-39")),
    TableCase("T10b.csv", _videos("new-39b"), r"UTF-8", references=("Frühling",)),
    TableCase("W8a.csv", _videos("new-p15", "new-p15b")),
)


def flag_for(case: TableCase, sandbox: Sandbox) -> list[str]:
    """Flag a video for each line, at position 1 of bundles that are with a manager; returns the bundles' ids."""
    with_manager = {"published", "published_priority", "accepted", "in_review"}
    found = [bundle for bundle, video in sandbox.control.videos(position=1) if bundle["status"] in with_manager]
    ids = [bundle["id"] for bundle in found[: len(case.rows)]]
    for number, (bundle_id, row) in enumerate(zip(ids, case.rows, strict=True)):
        fields: dict[str, Any] = {"video_type": "video", "video_url": "https://gone.example.com/old.mp4"}
        if len(row) > 1:
            old = [f"https://gone.example.com/{n}.jpg" for n in range(len(row))]
            fields = {"video_type": "carousel", "video_url": None, "carousel_images": old}
        if case.references:
            fields["external_ref"] = case.references[number]
        sandbox.control.flag(bundle_id, 1, "does not open", **fields)
    return ids


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a door did with a table: what TokPortal received, whether it calls all lines done, and its reasons."""

    sent: dict[str, Any]  # the body by bundle
    is_done: bool
    lines: int  # that it told of; 0 where it refused the whole
    reason: str


def faults_of(case: TableCase, bundle_ids: list[str], outcome: Outcome) -> Iterator[str]:
    """What is wrong with it, in sentences."""
    wanted = dict(zip(bundle_ids, case.bodies, strict=True))
    wrong = {key: body for key, body in outcome.sent.items() if wanted.get(key) != body}
    missing = wanted.keys() - outcome.sent.keys()
    explains = bool(case.refusal and re.search(case.refusal, outcome.reason))
    if wrong:
        yield f"TokPortal received what the table does not say: {wrong}"
    if outcome.is_done and missing:
        yield f"called done, but {len(missing)} of {len(wanted)} lines were not"
    if not missing and not outcome.is_done:
        yield f"all was sent, and yet it is called failed: {outcome.reason}"
    if missing and not case.refusal:
        yield f"this table can be read, but it was refused: {outcome.reason}"
    if missing and case.refusal and not explains:
        yield f"the reason does not help: {outcome.reason}"
    if outcome.lines and outcome.lines < len(wanted) and not (missing and explains):
        yield f"told of {outcome.lines} lines of {len(wanted)}"


# --- Files -------------------------------------------------------------------------------------------------

TAKEN, WARNED, REFUSED = "taken", "warned", "refused"
CODES = r"X-|MATROSKA|MSVIDEO|MP2T|FLV-|WMV-"  # what programs call formats


@dataclass(frozen=True, slots=True)
class FileCase:
    """A file of `files/` chosen for a slot. `held`: a warning or a refusal, either will do."""

    name: str
    slot: str  # "video" or "carousel"
    right: tuple[str, ...]


def _cases(slot: str, right: tuple[str, ...], *names: str) -> tuple[FileCase, ...]:
    return tuple(FileCase(name, slot, right) for name in names)


HELD = (WARNED, REFUSED)
FILE_CASES = (
    *_cases(
        "video", (TAKEN,), "fragmented_empty_moov.mp4", "fragmented_sidx.mp4", "h264_faststart.mp4",
        "h264_moov_end.mp4", "iphone_hevc_hvc1.mov", "rotated.mp4", "vp9.webm", "phone.3gp", "no_sound.mp4",
    ),
    *_cases("video", (WARNED,), "old.wmv", "old.flv", "old.avi", "obs.mkv", "cam.ts", "prores.mov"),
    *_cases(
        "video", HELD, "truncated_faststart.mp4", "truncated_moov_end.mp4", "mdat_no_moov.mp4",
        "mdat_placeholder.mp4", "mdat_size_0.mp4", "whatsapp_voice.ogg",
    ),
    *_cases("video", (REFUSED,), "zero.mp4", "html_saved.mp4", "hls.m3u8", "anim.gif"),
    *_cases("carousel", (TAKEN,), "photo.jpg", "anim.gif", "IMG_0042.HEIC"),
    *_cases("carousel", (WARNED,), "photo.avif", "photo.tiff", "photo.bmp", "photo.jxl"),
    *_cases("carousel", (REFUSED,), "mp4_named_jpg.jpg", "photo.svg"),
)  # fmt: skip

# Files given as links: which of them `fix` sends, and which it refuses. What is only doubtful is sent.
GIVEN_AS_LINKS = (
    ("video", "h264_faststart.mp4", True), ("video", "prores.mov", True), ("video", "fragmented_sidx.mp4", True),
    ("video", "anim.gif", False), ("video", "whatsapp_voice.ogg", False), ("video", "truncated_faststart.mp4", False),
    ("video", "photo.jpg", False), ("video", "html_saved.mp4", False),
    ("carousel", "photo.jpg", True), ("carousel", "anim.gif", True), ("carousel", "IMG_0042.HEIC", True),
    ("carousel", "photo.avif", True), ("carousel", "mp4_named_jpg.jpg", False), ("carousel", "photo.svg", False),
)  # fmt: skip

# The files whose links urls.txt does not name, and what is right of each.
MORE_LINKS = (
    LinkCase("M2-link", "https://files.example.com/fragmented_empty_moov.mp4", "class ok"),
    LinkCase("M5-avi", "https://files.example.com/old.avi", "no X-/MSVIDEO in the message"),
    LinkCase("M5-mkv", "https://files.example.com/obs.mkv", "no X-/MATROSKA in the message"),
    LinkCase("M5-ts", "https://files.example.com/cam.ts", "no MP2T in the message"),
    LinkCase("M7-jxl", "https://files.example.com/photo.jxl", "verdict other than works_for_us"),
    LinkCase("W2-jpg", "https://files.example.com/photo.jpg", "class ok"),
)
