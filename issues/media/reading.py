"""Reading parts of a file that may be on disk, in a browser or behind a link. Bounded, and never past the end."""

from bisect import bisect_right
from collections.abc import Callable

# Takes an offset and a number of bytes. May return fewer bytes at the end of the file.
ReadAt = Callable[[int, int], bytes]

MAX_READS = 2500  # for one file, so that no arrangement of boxes can keep us busy
HEAD_BYTES = 4096  # signatures, and the headers of most containers
TAIL_BYTES = 16 * 1024  # where a JPEG, PNG or GIF says that it is complete


class OutOfReachError(Exception):
    """These bytes of the file are not at hand."""


class Pieces:
    """`read_at` over some pieces of a file: (offset, bytes)."""

    def __init__(self, pieces: list[tuple[int, bytes]]) -> None:
        self._pieces = sorted(pieces, key=lambda piece: piece[0])

    def add(self, offset: int, content: bytes) -> None:
        self._pieces.append((offset, content))
        self._pieces.sort(key=lambda piece: piece[0])

    def __call__(self, offset: int, count: int) -> bytes:
        number = bisect_right(self._pieces, offset, key=lambda piece: piece[0])
        # A long piece may begin well before the nearest one.
        for start, content in reversed(self._pieces[max(number - 8, 0) : number]):
            if offset + count <= start + len(content):
                return content[offset - start : offset - start + count]
        for start, content in self._pieces[:8]:
            if start <= offset and offset + count <= start + len(content):
                return content[offset - start : offset - start + count]
        if offset == 0 and self._pieces and self._pieces[0][0] == 0:
            # A short head is better than none.
            longest = max((content for start, content in self._pieces[:8] if start == 0), key=len)
            if longest:
                return longest
        raise OutOfReachError


class Reader:
    """One file under examination: reads are counted and stay inside the file.

    `size` is in bytes, `None` if it is unknown. `at_hand` is like `read_at`, but never costs a request: it is used for
    facts that are welcome and not worth a wait.
    """

    def __init__(self, read_at: ReadAt, size: int | None, at_hand: ReadAt | None = None) -> None:
        self._read_at, self._at_hand, self.size = read_at, at_hand or read_at, size
        self._left = MAX_READS
        self.is_satisfied = False  # from now on, read only what costs no request

    def at(self, offset: int, count: int, *, is_optional: bool = False) -> bytes:
        """Bytes from `offset` on, fewer at the end of the file. Raises OutOfReachError."""
        if self._left <= 0 or offset < 0:
            raise OutOfReachError
        self._left -= 1
        if self.size is not None:
            count = min(count, self.size - offset)
        if count <= 0:
            return b""
        is_free = is_optional or self.is_satisfied
        return (self._at_hand if is_free else self._read_at)(offset, count)[:count]

    def exactly(self, offset: int, count: int, *, is_optional: bool = False) -> bytes:
        """Likewise, but never fewer bytes."""
        found = self.at(offset, count, is_optional=is_optional)
        if len(found) < count:
            raise OutOfReachError
        return found

    def head(self) -> bytes:
        """The beginning of the file, as much of it as is at hand."""
        for count in (HEAD_BYTES, 256, 64):
            try:
                return self.at(0, count)
            except OutOfReachError:
                continue
        return b""

    def tail(self) -> tuple[int, bytes]:
        """Where the last bytes begin, and these bytes. Raises OutOfReachError."""
        if not self.size:
            raise OutOfReachError
        start = max(self.size - TAIL_BYTES, 0)
        return start, self.exactly(start, self.size - start)
