"""The contact sheet shows every picture, frames keyframes, and stays of a size to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from stills import gradient, save
from tweenbridge.pixels import Encoding, sniff
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.imaging.sheet import Cell, contact_sheet

ORANGE = (255, 176, 32)


def flat(folder: Path, level: int, height: int = 90, width: int = 160) -> Path:
    return save(folder / f"{level}.png", Encoding.PNG, np.full((height, width, 3), level, np.uint8))


def sheet_of(cells: list[Cell], folder: Path, name: str = "sheet.png") -> NDArray[np.uint8]:
    contact_sheet(cells, folder / name)
    picture = cv2.imread(str(folder / name))
    assert picture is not None
    return picture[..., ::-1]


def areas(sheet: NDArray[np.uint8], colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """(top, left) of each connected area of more than 300 pixels of exactly this colour."""
    mask = np.all(sheet == colour, axis=2).astype(np.uint8)
    found = cv2.connectedComponentsWithStats(mask)[2][1:]
    return [(area[cv2.CC_STAT_TOP], area[cv2.CC_STAT_LEFT]) for area in found if area[cv2.CC_STAT_AREA] > 300]


@pytest.mark.parametrize("count", [1, 2, 5, 7, 9, 17, 40])
def test_every_picture_is_there_once_and_in_order(tmp_path: Path, count: int) -> None:
    levels = [100 + 2 * index for index in range(count)]
    cells = [Cell(flat(tmp_path, level), f"{level}  t 0.5", index % 8 == 0) for index, level in enumerate(levels)]
    sheet = sheet_of(cells, tmp_path)
    assert sheet.shape[1] <= 1920
    places = []
    for level in levels:
        (place,) = areas(sheet, (level,) * 3)
        places.append(place)
    assert places == sorted(places)
    assert len(areas(sheet, ORANGE)) == len(range(0, count, 8))


def test_labels_are_drawn_below_and_fit(tmp_path: Path) -> None:
    path = flat(tmp_path, 150)
    bare = sheet_of([Cell(path, "")] * 3, tmp_path)
    labelled = sheet_of(
        [Cell(path, "")] + [Cell(path, "a very long label indeed, longer than the picture")] * 2, tmp_path
    )
    changed = np.nonzero(np.any(bare != labelled, axis=2))
    assert len(changed[0]) > 100
    assert changed[0].min() >= np.nonzero(np.all(bare == 150, axis=2))[0].max()
    assert changed[1].max() < bare.shape[1]


def test_pictures_of_every_kind_and_shape(tmp_path: Path) -> None:
    cells = [
        Cell(save(tmp_path / "a.png", Encoding.PNG, gradient(90, 50, 4, "uint8")), "A", True),
        Cell(save(tmp_path / "b.exr", Encoding.EXR, gradient(30, 90, 4, "float16")), "1"),
        Cell(save(tmp_path / "c.jpg", Encoding.JPEG, gradient(2000, 1, 1, "uint8")), "2"),
    ]
    assert sheet_of(cells, tmp_path).size


def test_a_jpeg_where_the_name_says_so(tmp_path: Path) -> None:
    contact_sheet([Cell(flat(tmp_path, 90), "A")], tmp_path / "sheet.jpg")
    assert sniff((tmp_path / "sheet.jpg").read_bytes()[:16]) is Encoding.JPEG


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(TweenbridgeError, match="no frames"):
        contact_sheet([], tmp_path / "sheet.png")
