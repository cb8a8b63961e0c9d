"""Words in the reader's language: dates, lengths of time, and what is stored in English.

Tables of sentences (verdicts, outcomes, troubles) mark theirs with `gettext_noop` and translate them when they are
shown. Evidence, plans and findings about the record are stored as English text; `in_words` translates that.
"""

import re
from datetime import date, datetime, tzinfo

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

from issues.tokportal.days import END_OF_DAY, PublishTime, PublishWindow

# What varies in a stored text, and is lifted out of it before it is looked up.
_VARIES = re.compile(r"“[^”]*”|\d+(?:\.\d+)?")

STORED = (
    # Facts in the evidence of a link check: what a file is, how slow a host, whose certificate.
    gettext_noop("a BMP image"),
    gettext_noop("a CineForm video"),
    gettext_noop("a Cinepak video"),
    gettext_noop("a DV video"),
    gettext_noop("a FLAC audio file"),
    gettext_noop("a Flash video (FLV)"),
    gettext_noop("a GIF image"),
    gettext_noop("a HEIC photo"),
    gettext_noop("a Hap video"),
    gettext_noop("a JPEG XL image"),
    gettext_noop("a MIDI file"),
    gettext_noop("a Matroska video (MKV)"),
    gettext_noop("a Motion JPEG video"),
    gettext_noop("a Photoshop file"),
    gettext_noop("a RealMedia video"),
    gettext_noop("a Sorenson video"),
    gettext_noop("a TIFF image"),
    gettext_noop("a WAV audio file"),
    gettext_noop("a Windows Media audio file (WMA)"),
    gettext_noop("a Windows Media video (WMV)"),
    gettext_noop("a Windows shortcut, not the file itself"),
    gettext_noop("a broadcast video (MPEG)"),
    gettext_noop("a broadcast video (MXF)"),
    gettext_noop("a copy-protected video"),
    gettext_noop("a drawing for print"),
    gettext_noop("a file full of zeros, as a broken download leaves it"),
    gettext_noop("a file of subtitles"),
    gettext_noop("a project of an editing program, not the exported video"),
    gettext_noop("a raw photo of a camera"),
    gettext_noop("a raw video stream without a container"),
    gettext_noop("a saved web page"),
    gettext_noop("a settings file"),
    gettext_noop("a shortcut to a web page, not the file itself"),
    gettext_noop("a text document"),
    gettext_noop("a torrent, not the file itself"),
    gettext_noop("a transport stream (TS)"),
    gettext_noop("a video with an unusual codec"),
    gettext_noop("a voice message (AMR)"),
    gettext_noop("a voice message or audio file (OGG)"),
    gettext_noop("an AAC audio file"),
    gettext_noop("an AIFF audio file"),
    gettext_noop("an AVI video"),
    gettext_noop("an AVIF image"),
    gettext_noop("an Apple ProRes RAW video"),
    gettext_noop("an Apple ProRes video"),
    gettext_noop("an Avid DNxHD video"),
    gettext_noop("an MPEG video (MPG)"),
    gettext_noop("an Office document"),
    gettext_noop("an Ogg video"),
    gettext_noop("an SVG drawing"),
    gettext_noop("an animation with a lossless codec"),
    gettext_noop("an audio file (CAF)"),
    gettext_noop("an audio file in a video container"),
    gettext_noop("an icon"),
    gettext_noop("an image in an old JPEG variant"),
    gettext_noop("an uncompressed video"),
    gettext_noop("a ZIP archive"),
    gettext_noop("a PDF document"),
    gettext_noop("an archive"),
    gettext_noop("a compressed archive"),
    gettext_noop("a program"),
    gettext_noop("a web page"),
    gettext_noop("an XML text"),
    gettext_noop("a JSON text"),
    gettext_noop("a text"),
    gettext_noop("a streaming playlist"),
    gettext_noop("an image"),
    gettext_noop("an audio file"),
    gettext_noop("a video"),
    gettext_noop("another file"),
    gettext_noop("a video file without pictures"),
    gettext_noop("{0} minutes"),
    gettext_noop("{0} links"),
    gettext_noop("many hours"),
    gettext_noop("the beginning"),
    gettext_noop("it is not valid yet"),
    gettext_noop("it has expired"),
    gettext_noop("nobody vouches for it"),
    gettext_noop("it is for another name"),
    gettext_noop("its chain is incomplete or not trusted"),
    # TokPortal's statuses and kinds of videos, and our roles, as codes with spaces.
    gettext_noop("draft"),
    gettext_noop("pending setup"),
    gettext_noop("published"),
    gettext_noop("published priority"),
    gettext_noop("accepted"),
    gettext_noop("in review"),
    gettext_noop("finalized"),
    gettext_noop("completed"),
    gettext_noop("cancelled"),
    gettext_noop("archived"),
    gettext_noop("pending"),
    gettext_noop("configured"),
    gettext_noop("pending corrections"),
    gettext_noop("video"),
    gettext_noop("carousel"),
    gettext_noop("story"),
    gettext_noop("owner"),
    gettext_noop("editor"),
    gettext_noop("viewer"),
    # Second factors.
    gettext_noop("second factor"),
    gettext_noop("all"),
    gettext_noop("TOTP Authenticator"),
    gettext_noop("WebAuthn"),
    gettext_noop("Recovery codes"),
    # How a bulk plan was made (fixes.bulk).
    gettext_noop("{0} became {1}"),
    gettext_noop("a table of {0} lines"),
    # Why a record does not hold (audit.verify, walk, checkpoints, watch).
    gettext_noop("The end of the record is missing, or its head was altered."),
    gettext_noop("It stands behind the record's end."),
    gettext_noop("A name or value that it shows was altered."),
    gettext_noop("A name or value of it was removed."),
    gettext_noop("The chain has no signed checkpoint."),
    gettext_noop("Checkpoint {0} knows events up to {1}: the end was cut off."),
    gettext_noop("It is not what checkpoint {0} has signed."),
    gettext_noop("Event {0} is missing."),
    gettext_noop("Event {0} and what follows are missing."),
    gettext_noop("It does not follow the event before it."),
    gettext_noop("Its text or its hash was altered."),
    gettext_noop("Its columns are not what was hashed."),
    gettext_noop("It is dated before the event before it."),
    gettext_noop("Checkpoint {0} is signed with a key that is not ours ({1})."),
    gettext_noop("Checkpoint {0} was altered."),
    gettext_noop("The first checkpoints are missing."),
    gettext_noop("A checkpoint before number {0} is missing."),
    gettext_noop("Checkpoint {0} goes backwards."),
)


def pattern_of(text: str) -> str:
    """A stored text with its numbers and quoted parts as `{0}`, `{1}`: what translators see."""
    places = iter(range(len(text)))
    return _VARIES.sub(lambda found: f"{{{next(places)}}}", text)


def in_words(text: str) -> str:
    """A stored text in the reader's language; one that nobody has marked for translation as it is."""
    pattern = pattern_of(text)
    found = gettext(pattern) if pattern else ""
    return text if found == pattern else found.format(*_VARIES.findall(text))


# --- Dates: `django.utils.formats` with a pattern for each language ---------------------------------------


def day_text(value: date | datetime) -> str:
    """`Mon 23 Nov`. Moments are given in the zone in which they are to be read."""
    return date_format(value, pgettext("date", "D j M"))


def hour_text(value: datetime) -> str:
    """`Mon 23 Nov, 14:05`."""
    return date_format(value, pgettext("date", "D j M, H:i"))


def exact_text(value: datetime) -> str:
    """`Mon 23 Nov 2026, 14:05:09`."""
    return date_format(value, pgettext("date", "D j M Y, H:i:s"))


def moment_text(value: datetime) -> str:
    """`23 Nov 2026, 14:05:09`."""
    return date_format(value, pgettext("date", "j M Y, H:i:s"))


def long_day_text(value: date | datetime) -> str:
    """`23 November`."""
    return date_format(value, pgettext("date", "j F"))


def long_date_text(value: date | datetime) -> str:
    """`23 November 2026`."""
    return date_format(value, pgettext("date", "j F Y"))


# --- TokPortal's publish dates: its days as they are, moments in the person's zone -------------------------


def publish_text(text: str) -> str:
    """A publish date as TokPortal or our history writes it: `Fri 27 Nov`. Other texts stay as they are."""
    found = PublishTime.parse(text)
    if found is None:
        return text or gettext("no date")
    if found.moment and found.moment.time() == END_OF_DAY:  # a deadline of the history: the end of a day
        return day_text(found.day)
    return _publish_time_text(found)


def _publish_time_text(found: PublishTime, zone: tzinfo | None = None) -> str:
    return hour_text(timezone.localtime(found.moment, zone)) if found.moment else day_text(found.day)


def window_text(window: PublishWindow, zone: tzinfo | None = None) -> str:
    """`Fri 27 – Sat 28 Nov`, or the one day that is known."""
    times = window.times
    if not times:
        return gettext("no date")
    texts = [_publish_time_text(entry, zone) for entry in times]
    if len(times) == 2 and not (times[0].moment or times[1].moment):
        first, last = times[0].day, times[1].day
        if (first.year, first.month) == (last.year, last.month):
            texts[0] = date_format(first, pgettext("date", "D j"))
    return " – ".join(texts)


def left_text(window: PublishWindow, now: datetime) -> str:
    """`2 days left`, `last day today`, `1 day late`; hours for a moment."""
    end, deadline = window.end, window.deadline
    if end is None or deadline is None:
        return ""
    is_late = deadline < now
    if end.moment:
        span = span_text(abs((end.moment - now).total_seconds()))
        return (gettext("late by {span}") if is_late else gettext("{span} left")).format(span=span)
    days = window.days_left(now)
    if is_late:
        days = max(-days, 1)
        return ngettext("{count} day late", "{count} days late", days).format(count=days)
    if days == 0:
        return gettext("last day today")
    return ngettext("{count} day left", "{count} days left", days).format(count=days)


def posting_texts(window: PublishWindow, now: datetime, zone: tzinfo | None = None) -> tuple[str, str]:
    """When a video is posted and how long that is away: `posts Fri 27 – Sat 28 Nov` and `2 days left`."""
    deadline = window.deadline
    if deadline is None:
        return gettext("no date"), ""
    if window.first is None:
        pattern = gettext("until {days}")
    else:
        pattern = gettext("planned for {days}") if deadline < now else gettext("posts {days}")
    return pattern.format(days=window_text(window, zone)), left_text(window, now)


def earlier_text(days: int) -> str:
    """`4 days earlier than planned`."""
    return ngettext("{count} day earlier than planned", "{count} days earlier than planned", days).format(count=days)


def span_text(seconds: float) -> str:
    """A length of time in at most two words: `3 h`, `2 d 4 h`, `45 min`."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return gettext("{seconds} s").format(seconds=int(seconds))
    if minutes < 60:
        return gettext("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        pattern = gettext("{hours} h {minutes} min") if hours < 3 and minutes else gettext("{hours} h")
        return pattern.format(hours=hours, minutes=minutes)
    days, hours = divmod(hours, 24)
    pattern = gettext("{days} d {hours} h") if days < 4 and hours else gettext("{days} d")
    return pattern.format(days=days, hours=hours)


def credits_text(credits: float | None) -> str:
    """`12 credits`; empty if it is not known."""
    if credits is None:
        return ""
    amount = number_format(credits, decimal_pos=0 if credits == int(credits) else 2, use_l10n=True)
    return ngettext("{amount} credit", "{amount} credits", int(credits)).format(amount=amount)


def price_sentence(credits: float | None) -> str:
    """The cost of a fix from a dry run; empty if it is not known."""
    if credits is None:
        return ""
    if not credits:
        return gettext("This fix costs nothing.")
    return gettext("This fix costs {credits}: Coverage renews.").format(credits=credits_text(credits))
