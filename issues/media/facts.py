"""What is known of a file."""

from dataclasses import dataclass

from issues.media.names import group_of


@dataclass(frozen=True, slots=True)
class Media:
    """Facts about a file. `None`: the bytes at hand do not say."""

    kind: str  # a media type, an empty string for bytes that we do not know
    has_index: bool | None = None  # `moov`: without it nothing can play an MP4
    has_video: bool | None = None
    has_sound: bool | None = None
    seconds: float | None = None
    expected: int | None = None  # bytes that its container announces
    is_cut: bool | None = None  # True: the end is missing. False: it ends where its container says
    codec: str = ""  # of the pictures, as the container writes it: `avc1`, `V_VP9`, `apcn`
    width: int | None = None  # pixels, before any rotation
    height: int | None = None
    is_fragmented: bool = False

    @property
    def group(self) -> str:
        """`video`, `image`, `audio`, `page` (text that somebody reads), `other`, or an empty string."""
        group = group_of(self.kind)
        if group == "video" and self.has_video is False and self.has_sound:
            return "audio"
        return group

    @property
    def is_video(self) -> bool:
        return self.group == "video"

    @property
    def is_image(self) -> bool:
        return self.group == "image"
