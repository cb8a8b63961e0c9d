"""What a body holds under its `Content-Encoding`, unpacked within bounds.

Hosts are asked for the plain file. Some pack it all the same, some only say so, and some pack it in a way that we, and
many downloaders, cannot unpack.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import brotli

MAX_LAYERS = 2
_PLAIN = frozenset({"", "identity", "none", "aws-chunked", "binary", "8bit", "7bit", "utf-8", "utf8"})


@dataclass(frozen=True, slots=True)
class Unpacked:
    content: bytes
    is_readable: bool = True
    is_packed: bool = False  # its length is not the one that the host announced
    is_whole: bool = False  # a packed body has ended, so that its length is known


def unpack(body: bytes, encoding: str, most: int) -> Unpacked:
    """At most `most` bytes of what was packed."""
    layers = [layer for layer in (part.strip().lower() for part in encoding.split(",")) if layer not in _PLAIN]
    if not layers:
        return Unpacked(body)
    found = Unpacked(body, is_packed=True, is_whole=True)
    if len(layers) > MAX_LAYERS:
        return Unpacked(b"", is_readable=False, is_packed=True)
    for layer in reversed(layers):
        content, is_whole = _unpacked(found.content, layer, most)
        if content is None:
            return Unpacked(b"", is_readable=False, is_packed=True)
        found = Unpacked(content, is_packed=True, is_whole=found.is_whole and is_whole)
    return found


class StreamUnpacker:
    """Unpacks a whole file as it comes, a piece at a time. Raises ValueError for what cannot be unpacked."""

    PIECE = 256 * 1024

    def __init__(self, encoding: str) -> None:
        layers = [layer for layer in (part.strip().lower() for part in encoding.split(",")) if layer not in _PLAIN]
        if layers not in ([], ["gzip"], ["x-gzip"]) and is_known(encoding):
            raise ValueError(encoding[:100])
        self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if layers in (["gzip"], ["x-gzip"]) else None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield chunk
            return
        try:
            while content := self._unpacker.decompress(chunk, self.PIECE):
                yield content
                chunk = self._unpacker.unconsumed_tail
        except zlib.error as error:
            raise ValueError("gzip") from error


def is_known(encoding: str) -> bool:
    """Whether browsers know every layer of it. They hand out a body as it is under a name that they do not know."""
    layers = {part.strip().lower() for part in encoding.split(",")} - _PLAIN
    return layers <= {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"}


def _unpacked(body: bytes, layer: str, most: int) -> tuple[bytes | None, bool]:
    """(content, whether the packed stream has ended); no content for what cannot be unpacked."""
    if not body:
        return None, False
    if layer in {"gzip", "x-gzip"}:
        return _inflate(body, zlib.MAX_WBITS | 16, most)
    if layer == "deflate":
        content, is_whole = _inflate(body, zlib.MAX_WBITS, most)
        return (content, is_whole) if content is not None else _inflate(body, -zlib.MAX_WBITS, most)
    if layer == "br":
        return _brotli(body, most)
    return None, False


def _inflate(body: bytes, window: int, most: int) -> tuple[bytes | None, bool]:
    unpacker = zlib.decompressobj(window)
    try:
        content = unpacker.decompress(body, most)
    except zlib.error:
        return None, False
    return (content, unpacker.eof) if content else (None, False)


def _brotli(body: bytes, most: int) -> tuple[bytes | None, bool]:
    try:
        unpacker = brotli.Decompressor()
        content = unpacker.process(body, output_buffer_limit=most)[:most]
        is_whole = unpacker.is_finished()
    except (brotli.error, TypeError):  # TypeError: a version without a limit, so not one for strangers' bytes
        return None, False
    return (content, is_whole) if content else (None, False)
