"""The two keyframes of a gap as one kind of picture: the pair decides what results are, not its first picture.

Grey and colour make colour; RGB and RGBA, RGBA; 8 and 16 bits, 16; half and float, float; two data windows, the
smallest around both. Colours that are declared differently are brought to the first keyframe's. The encoding is the
first's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tweenbridge.pixels import Alpha, Colour, Encoding, SampleType

from ..engines.base import Image
from . import alpha as alphas
from . import colour as colours
from . import spaces
from .declared import Declaration, name_of
from .formats import check_alike
from .headers import sentence
from .remarks import Remark
from .samples import Samples, has_alpha
from .still import Still
from .windows import placed

_ORDER = tuple(SampleType)
_BAND = 256


@dataclass(frozen=True)
class Pair:
    """A gap's keyframes as engines take them.

    Attributes:
        a, b: pixels of one shape, in one colour space.
        like: what results are like: the first keyframe, with what the second one adds.
        remarks: of both, and of what was done to bring them together.
        changed: whether (a, b) had to be changed, so that their files are no copies of results.
    """

    a: Image
    b: Image
    like: Still
    remarks: tuple[Remark, ...]
    changed: tuple[bool, bool]


def pair(a: Still, b: Still, names: tuple[str, str]) -> Pair:
    """Bring two keyframes together.

    Raises:
        TweenbridgeError: BAD_KEYFRAME where they cannot share a gap, naming both.
    """
    check_alike([a.format, b.format], names)
    first, second = a, b
    remarks = [*a.remarks, *b.remarks]
    bare = a.bare or b.bare
    first, second = _shaped(first, bare), _shaped(second, bare)
    channels = _channels(a, b)
    colour = _common_colour(a, b, channels)
    for still, name, other in ((a, names[0], names[1]), (b, names[1], names[0])):
        if not spaces.same(still.colour.space, colour.space):
            said = f"has colours in {name_of(still.colour.space)}; they are brought to {name_of(colour.space)}"
            remarks.append(Remark("colours_differ", sentence(name, f"{said}, as {other} has them")))
    first, second = _in_space(first, colour), _in_space(second, colour)
    shown, data = a.shown.union(b.shown), a.data.union(b.data)
    pixels = [placed(still.pixels, still.shown, shown) for still in (first, second)]
    if pixels[0].shape != pixels[1].shape:
        pixels = [alphas.with_alpha(one) for one in pixels]
    wide = a if len(a.channel_names) == channels else b
    dtype = max((a.format.dtype, b.format.dtype), key=lambda one: _ORDER.index(one or SampleType.UINT8))
    with_cover = next((still for still in (a, b) if has_alpha(still.format.channels or 0)), a)
    like = replace(
        first,
        pixels=pixels[0],
        format=replace(a.format, channels=channels, dtype=dtype, alpha=_alpha(a, with_cover)),
        channel_names=wide.channel_names if len(wide.channel_names) == channels and _same_encoding(a, b) else (),
        data=data,
        shown=shown,
        colour=colour,
        floor=min(_lowest(one) for one in pixels),
        ceiling=_highest(pixels, a.format.colour, bare),
    )
    changed = tuple(
        still.bare != bare
        or not spaces.same(still.colour.space, colour.space)
        or (still.format.channels, still.format.dtype, still.data) != (channels, dtype, data)
        for still in (a, b)
    )
    return Pair(pixels[0], pixels[1], like, tuple(remarks), (changed[0], changed[1]))


def _same_encoding(a: Still, b: Still) -> bool:
    return a.format.encoding is b.format.encoding


def _alpha(first: Still, covered: Still) -> Alpha | None:
    if has_alpha(first.format.channels or 0):
        return first.format.alpha
    if first.format.encoding in (Encoding.PNG, Encoding.JPEG):
        return Alpha.STRAIGHT
    return covered.format.alpha


def _channels(a: Still, b: Still) -> int:
    counts = [still.format.channels or 0 for still in (a, b)]
    colour = any(count >= 3 for count in counts)
    return (3 if colour else 1) + any(has_alpha(count) for count in counts)


def _common_colour(a: Still, b: Still, channels: int) -> Declaration:
    """The first's, but for the profile of a grey picture, which cannot be that of a coloured one."""
    for still in (a, b):
        if not (still.colour.space.is_gray and channels >= 3):
            return still.colour
    return Declaration()


def _shaped(still: Still, bare: bool) -> Still:
    """A scene-linear still whose light is shaped as the other's is."""
    if still.bare == bare or still.format.colour is not Colour.SCENE_LINEAR or still.pixels.shape[2] < 4:
        return replace(still, bare=bare) if still.bare != bare else still
    pixels = still.pixels.copy()
    for top in range(0, pixels.shape[0], _BAND):
        band = pixels[top : top + _BAND]
        light = colours.unshape_premultiplied(band[..., :3], band[..., 3], still.bare)
        band[..., :3] = colours.shape_premultiplied(light, band[..., 3], bare)
    return replace(still, pixels=pixels, bare=bare)


def _in_space(still: Still, colour: Declaration) -> Still:
    """A still whose colours are those of a declaration."""
    source, target = still.colour.space, colour.space
    if spaces.same(source, target):
        return still
    pixels = np.empty_like(still.pixels)
    for top in range(0, pixels.shape[0], _BAND):
        pixels[top : top + _BAND] = _band_in_space(still.pixels[top : top + _BAND], still, source, target)
    return replace(still, pixels=pixels)


def _band_in_space(pixels: Image, still: Still, source: spaces.Space, target: spaces.Space) -> Image:
    rgb = pixels[..., :3].copy()
    cover = pixels[..., 3] if pixels.shape[2] == 4 else None
    linear = still.format.colour is Colour.SCENE_LINEAR
    if linear:
        # Of light, sums are converted as well as parts: coverage does not matter.
        rgb = colours.unshape(rgb) if cover is None else colours.unshape_premultiplied(rgb, cover, still.bare)
        rgb = spaces.convert(rgb, source, target)
        rgb = colours.shape(rgb) if cover is None else colours.shape_premultiplied(rgb, cover, still.bare)
    else:
        if cover is not None:
            alphas.unpremultiply(rgb, cover)
        rgb = np.clip(spaces.convert(rgb, source, target), 0, 1)
        if cover is not None:
            alphas.premultiply(rgb, cover)
    return rgb if cover is None else np.concatenate([rgb, pixels[..., 3:]], axis=2)


def _lowest(pixels: Image) -> float:
    """The lowest colour, 0 where nothing is negative.

    Over all channels first: that is several times faster, and nearly always the answer.
    """
    return min(0.0, float(pixels[..., :3].min())) if pixels.min() < 0 else 0.0


def _highest(pixels: list[Samples], colour: Colour | None, bare: bool) -> float | None:
    """The most light of both, premultiplied; None where integers bound it."""
    if colour is not Colour.SCENE_LINEAR:
        return None
    if bare or pixels[0].shape[2] == 3:
        shaped = max(float(one[..., channel].max()) for one in pixels for channel in range(3))
        return float(colours.unshape(np.array([shaped], np.float32))[0])
    highest = 0.0
    for one in pixels:
        for top in range(0, one.shape[0], _BAND):
            band = one[top : top + _BAND]
            highest = max(highest, float(colours.unshape_premultiplied(band[..., :3], band[..., 3]).max()))
    return highest
