"""What a file is, by its bytes: one examiner for links, for files chosen in the page, and for the command.

Only what is certain is said: bytes that we do not have, or do not know, accuse nobody. Any bytes give an answer, never
an exception, and reads are bounded.
"""

from collections.abc import Callable

from issues.media.boxes import examine_boxes
from issues.media.containers import examine_asf, examine_flv, examine_ogg, examine_riff
from issues.media.ebml import examine_ebml
from issues.media.facts import Media
from issues.media.images import examine_bmp, examine_gif, examine_jpeg, examine_png
from issues.media.names import NAMES, name_of
from issues.media.reading import HEAD_BYTES, OutOfReachError, Pieces, ReadAt, Reader
from issues.media.signatures import is_boxes, kind_of

__all__ = ["HEAD_BYTES", "NAMES", "Media", "OutOfReachError", "Pieces", "ReadAt", "examine", "kind_of", "name_of"]

_BY_KIND: dict[str, Callable[[Reader], Media]] = {
    "image/jpeg": examine_jpeg,
    "image/png": examine_png,
    "image/gif": examine_gif,
    "image/bmp": examine_bmp,
    "image/webp": lambda reader: examine_riff(reader, "image/webp"),
    "audio/wav": lambda reader: examine_riff(reader, "audio/wav"),
    "video/x-msvideo": lambda reader: examine_riff(reader, "video/x-msvideo"),
    "video/webm": lambda reader: examine_ebml(reader, "video/webm"),
    "video/x-matroska": lambda reader: examine_ebml(reader, "video/x-matroska"),
    "video/x-ms-wmv": examine_asf,
    "video/ogg": lambda reader: examine_ogg(reader, "video/ogg"),
    "audio/ogg": lambda reader: examine_ogg(reader, "audio/ogg"),
}


def examine(read_at: ReadAt, size: int | None, *, at_hand: ReadAt | None = None) -> Media:
    """Look at a file through `read_at(offset, count)`, which raises OutOfReachError for bytes that are not at hand.

    `size` is that of the whole file in bytes, `None` if it is unknown. `at_hand` is like `read_at`, but never costs a
    request: give it if reading is slow.
    """
    reader = Reader(read_at, size, at_hand)
    head = reader.head()
    kind = kind_of(head)
    if is_boxes(head):
        return examine_boxes(reader, kind)
    if head.startswith(b"FLV\x01"):
        return examine_flv(reader)
    examiner = _BY_KIND.get(kind)
    return examiner(reader) if examiner else Media(kind)
