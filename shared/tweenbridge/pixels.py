"""What the bytes of a keyframe or of a result are. Pixels travel as files; nothing here decodes them.

A `PixelFormat` names the encoding and, where the encoding does not say so itself, size, sample type, colour
and alpha. A plugin that sends a PNG says `PixelFormat(Encoding.PNG)` and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

from .protocol.errors import ErrorCode, TweenbridgeError


class Encoding(str, Enum):
    """How pixels are laid out in the bytes."""

    PNG = "png"
    TIFF = "tiff"
    EXR = "exr"
    JPEG = "jpeg"
    RAW = "raw"
    """Rows from top to bottom, no padding, channels interleaved, native little-endian samples."""


class SampleType(str, Enum):
    """The type of one channel of one pixel."""

    UINT8 = "uint8"
    UINT16 = "uint16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"

    @property
    def size(self) -> int:
        """Bytes per sample."""
        return {"uint8": 1, "uint16": 2, "float16": 2, "float32": 4}[self.value]


class Colour(str, Enum):
    """What the numbers mean."""

    DISPLAY = "display"
    """Display-referred (sRGB-like) values, 0 to 1 or the full integer range."""
    SCENE_LINEAR = "scene_linear"
    """Scene-linear light; values above 1 are meant."""


class Alpha(str, Enum):
    """How colour relates to the alpha channel, where there is one."""

    STRAIGHT = "straight"
    PREMULTIPLIED = "premultiplied"


@dataclass(frozen=True)
class PixelFormat:
    """The form of one image's bytes.

    None means "as the file says", which is always enough for a file encoding; RAW needs width, height,
    channels and dtype. `channels` counts alpha: 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA. Colour and alpha
    default to the encoding's convention: EXR is scene-linear and premultiplied; TIFF follows its tags (float is
    scene-linear); PNG, JPEG and RAW integers are display-referred and straight; RAW floats are scene-linear.
    """

    encoding: Encoding
    width: Optional[int] = None
    height: Optional[int] = None
    channels: Optional[int] = None
    dtype: Optional[SampleType] = None
    colour: Optional[Colour] = None
    alpha: Optional[Alpha] = None

    def raw_size(self) -> int:
        """Bytes of a RAW image of this format.

        Raises:
            TweenbridgeError: UNSUPPORTED_FORMAT when size, channels or sample type are missing or absurd.
        """
        if not (self.width and self.height and self.channels and self.dtype):
            raise TweenbridgeError(
                ErrorCode.UNSUPPORTED_FORMAT,
                "A raw image needs a width, a height, a number of channels and a sample type.",
            )
        if not (self.width > 0 and self.height > 0 and 1 <= self.channels <= 4):
            raise TweenbridgeError(
                ErrorCode.UNSUPPORTED_FORMAT,
                f"A raw image of {self.width} x {self.height} with {self.channels} channels makes no sense.",
            )
        return self.width * self.height * self.channels * self.dtype.size


_SUFFIXES = {
    ".png": Encoding.PNG,
    ".tif": Encoding.TIFF,
    ".tiff": Encoding.TIFF,
    ".exr": Encoding.EXR,
    ".jpg": Encoding.JPEG,
    ".jpeg": Encoding.JPEG,
}

FILE_SUFFIX = {
    Encoding.PNG: ".png",
    Encoding.TIFF: ".tif",
    Encoding.EXR: ".exr",
    Encoding.JPEG: ".jpg",
    Encoding.RAW: ".raw",
}
"""The file name ending that each encoding is stored under."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", Encoding.PNG),
    (b"II*\x00", Encoding.TIFF),
    (b"MM\x00*", Encoding.TIFF),
    (b"II+\x00", Encoding.TIFF),
    (b"MM\x00+", Encoding.TIFF),
    (b"\x76\x2f\x31\x01", Encoding.EXR),
    (b"\xff\xd8\xff", Encoding.JPEG),
)


def sniff(data: bytes) -> Optional[Encoding]:
    """The encoding that the first bytes of a file show, or None when they are no still image that we read."""
    for signature, encoding in _SIGNATURES:
        if data.startswith(signature):
            return encoding
    return None


def encoding_for(file_name: str) -> Optional[Encoding]:
    """The encoding that a file name's ending promises, or None."""
    dot = file_name.rfind(".")
    return _SUFFIXES.get(file_name[dot:].lower()) if dot >= 0 else None
