"""A keyframe as read: pixels for engines, and all that a result needs to be like it."""

from __future__ import annotations

from dataclasses import dataclass, field

import OpenImageIO as oiio
from tweenbridge.pixels import PixelFormat

from ..engines.base import Image
from .declared import UNDECLARED, Declaration
from .remarks import Remark
from .windows import NOWHERE, Window


@dataclass(frozen=True)
class Still:
    """A keyframe as read, with all that a result needs to be like it.

    Attributes:
        pixels: (H, W, 3|4) float32, upright, engine-ready: display-referred (scene-linear keyframes are shaped, see
            colour.py), RGBA premultiplied, grey as equal R, G and B. They cover `shown`.
        format: the file's format, every field known. Width and height are those of the upright picture.
        tags: the file's fields, as OpenImageIO has them.
        channel_names: of the picture's channels, as in the file.
        orientation: the Exif orientation of the stored rows, 1 to 8.
        origin: (x, y) of the display window's upper left pixel (OpenEXR).
        data: the data window, where the file has samples.
        shown: the pixels' window: the display window, and the data window where that reaches beyond.
        colour: what the file says of its colours.
        bare: shaped for light that is there with no coverage (see colour.py).
        remarks: what is to be told of the file.
        is_plain: a copy of the file is what a result would be: nothing was left out, and nothing in it is untrue of it.
        is_raw: the pixels are the file's own samples, not converted on reading.
        floor, ceiling: the lowest and the highest colour of results, in the engine's terms.
    """

    pixels: Image
    format: PixelFormat
    tags: oiio.ParamValueList = field(default_factory=oiio.ParamValueList)
    channel_names: tuple[str, ...] = ()
    orientation: int = 1
    origin: tuple[int, int] = (0, 0)
    data: Window = NOWHERE
    shown: Window = NOWHERE
    colour: Declaration = UNDECLARED
    bare: bool = False
    remarks: tuple[Remark, ...] = ()
    is_plain: bool = True
    is_raw: bool = True
    floor: float | None = None
    ceiling: float | None = None

    def __post_init__(self) -> None:
        """Without windows, the pixels are all there is."""
        whole = Window(0, 0, self.pixels.shape[1], self.pixels.shape[0])
        for name in ("data", "shown"):
            if getattr(self, name) == NOWHERE:
                object.__setattr__(self, name, whole)
