"""Which form results have, and which keyframes can share a gap: pure decisions on `PixelFormat`s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .headers import ENCODING_NAMES, sentence
from .samples import has_alpha

_WRITABLE: Final = {
    Encoding.PNG: (SampleType.UINT8, SampleType.UINT16),
    Encoding.JPEG: (SampleType.UINT8,),
    Encoding.EXR: (SampleType.FLOAT16, SampleType.FLOAT32),
    Encoding.TIFF: tuple(SampleType),
    Encoding.RAW: tuple(SampleType),
}
"""What each encoding can hold."""


def float_samples(dtype: SampleType) -> bool:
    """Whether samples of this type are floating point, which by convention hold scene-linear light."""
    return dtype in (SampleType.FLOAT16, SampleType.FLOAT32)


def result_format(keyframe: PixelFormat, output: PixelFormat | None) -> PixelFormat:
    """The format of results: `output` where it says something, else the keyframe's, else the encoding's convention.

    Raises:
        TweenbridgeError: UNSUPPORTED_FORMAT when the encoding cannot hold what `output` asks for.
    """
    if output is None:
        output = PixelFormat(keyframe.encoding)
    encoding = output.encoding
    same = encoding is keyframe.encoding
    channels = output.channels or keyframe.channels
    dtype = output.dtype or keyframe.dtype
    assert channels and dtype
    if encoding is Encoding.JPEG and has_alpha(channels):
        channels = _allowed(output.channels, channels - 1, encoding, "alpha")
    if dtype not in _WRITABLE[encoding]:
        dtype = _allowed(output.dtype, _nearest(dtype, encoding), encoding, f"{dtype.value} samples")
    is_float = float_samples(dtype)
    same_kind = same and dtype is keyframe.dtype
    return PixelFormat(
        encoding=encoding,
        width=output.width or keyframe.width,
        height=output.height or keyframe.height,
        channels=channels,
        dtype=dtype,
        colour=output.colour or (keyframe.colour if same_kind else Colour.SCENE_LINEAR if is_float else Colour.DISPLAY),
        alpha=output.alpha or (keyframe.alpha if same_kind else Alpha.PREMULTIPLIED if is_float else Alpha.STRAIGHT),
    )


def check_alike(formats: Sequence[PixelFormat], names: Sequence[str]) -> None:
    """Check that keyframes (as `probe` or `read` told) can share a gap with the first: size and kind of colour.

    Channels and depth may differ: results follow the first keyframe of the gap (alpha.with_alpha makes shapes equal).

    Raises:
        TweenbridgeError: BAD_KEYFRAME naming both keyframes and how they differ.
    """
    for other, name in zip(formats[1:], names[1:]):
        first, first_name = formats[0], names[0]
        if (first.width, first.height) != (other.width, other.height):
            raise TweenbridgeError(
                ErrorCode.BAD_KEYFRAME,
                sentence(
                    first_name,
                    f"is {first.width} x {first.height} pixels large and {name} is {other.width} x {other.height}",
                ),
                remedy="Export the keyframes in one size.",
            )
        if first.colour is not other.colour:
            linear, display = (first_name, name) if first.colour is Colour.SCENE_LINEAR else (name, first_name)
            raise TweenbridgeError(
                ErrorCode.BAD_KEYFRAME,
                sentence(linear, f"holds scene-linear colour and {display} does not"),
                remedy="Export the keyframes in one file format.",
            )


def _allowed(asked: object, instead: Any, encoding: Encoding, what: str) -> Any:
    if asked is not None:
        raise TweenbridgeError(
            ErrorCode.UNSUPPORTED_FORMAT,
            f"A {ENCODING_NAMES[encoding]} result cannot hold {what}.",
            remedy="Choose another file format for the results.",
        )
    return instead


def _nearest(dtype: SampleType, encoding: Encoding) -> SampleType:
    """The sample type of an encoding that loses least of `dtype`."""
    narrow, wide = _WRITABLE[encoding][0], _WRITABLE[encoding][-1]
    return narrow if dtype.size == 1 else wide
