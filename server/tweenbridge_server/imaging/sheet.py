"""A contact sheet: keyframes and in-betweens in order, in a grid, on one picture to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tweenbridge.pixels import Encoding, encoding_for
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .display import read_for_display

Picture = NDArray[np.uint8]

_SHEET_WIDTH: Final = 1920
_MAX_WIDTH: Final = 640
_MIN_WIDTH: Final = 96
_GAP: Final = 12
_FRAME: Final = 3
_LABEL_HEIGHT: Final = 30
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE: Final = 0.6
_ONE_ROW: Final = 6
_BACKGROUND: Final = (34, 34, 34)
_KEYFRAME: Final = (255, 176, 32)
_INBETWEEN: Final = (84, 84, 84)
_TEXT: Final = (205, 205, 205)


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        path: a still image in any encoding that Tweenbridge reads.
        label: a few words below it, such as "12  t 0.25".
        is_keyframe: keyframes get a frame and a label in colour.
    """

    path: Path
    label: str
    is_keyframe: bool = False


def contact_sheet(cells: Sequence[Cell], out: Path) -> None:
    """Write the sheet, as a JPEG where the file is called so, else as a PNG.

    Transparent pictures lie on light grey; one picture is in memory at a time.

    Raises:
        TweenbridgeError: BAD_REQUEST for no pictures; what `io.read` raises.
    """
    if not cells:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, "There are no frames to make a sheet of.", remedy="Generate in-betweens first."
        )
    first = read_for_display(cells[0].path)
    columns = _columns(len(cells), first.shape[1] / first.shape[0])
    width = min(_MAX_WIDTH, max(_MIN_WIDTH, (_SHEET_WIDTH - _GAP) // columns - _GAP), first.shape[1] + 2 * _FRAME)
    inner = width - 2 * _FRAME
    height = max(1, round(inner * first.shape[0] / first.shape[1])) + 2 * _FRAME
    rows = math.ceil(len(cells) / columns)
    sheet = np.full(
        (_GAP + rows * (height + _LABEL_HEIGHT + _GAP), _GAP + columns * (width + _GAP), 3), _BACKGROUND, np.uint8
    )
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _LABEL_HEIGHT + _GAP)
        picture = first if index == 0 else read_for_display(cell.path)
        _place(sheet, _fitted(picture, inner, height - 2 * _FRAME), left, top, width, height, cell)
    suffix = ".jpg" if encoding_for(out.name) is Encoding.JPEG else ".png"
    ok, data = cv2.imencode(suffix, sheet[..., ::-1])
    assert ok
    out.write_bytes(data.tobytes())


def _columns(count: int, aspect: float) -> int:
    """Columns that make the sheet about as wide as 16:9, with as few empty places as that allows."""
    if count <= _ONE_ROW:
        return count
    ideal = math.ceil(math.sqrt(count * (16 / 9) / aspect))
    return min(range(min(ideal, count), ideal + 3), key=lambda columns: -count % columns)


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    fitted: NDArray[Any] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return fitted


def _place(sheet: Picture, picture: Picture, left: int, top: int, width: int, height: int, cell: Cell) -> None:
    colour = _KEYFRAME if cell.is_keyframe else _INBETWEEN
    edge = _FRAME if cell.is_keyframe else 1
    x, y = left + (width - picture.shape[1]) // 2, top + (height - picture.shape[0]) // 2
    right, bottom = x + picture.shape[1], y + picture.shape[0]
    cv2.rectangle(sheet, (x - edge, y - edge), (right + edge - 1, bottom + edge - 1), colour, cv2.FILLED)
    sheet[y:bottom, x:right] = picture
    scale = _FONT_SCALE
    (text_width, text_height), _ = cv2.getTextSize(cell.label, _FONT, scale, 1)
    if text_width > width:
        scale *= width / text_width
        (text_width, text_height), _ = cv2.getTextSize(cell.label, _FONT, scale, 1)
    place = (left + (width - text_width) // 2, top + height + (_LABEL_HEIGHT + text_height) // 2)
    cv2.putText(sheet, cell.label, place, _FONT, scale, colour if cell.is_keyframe else _TEXT, 1, cv2.LINE_AA)
