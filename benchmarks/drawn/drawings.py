"""The drawings that scenes are made of: cut-outs with alpha, and photographs, each kept for training or for judging.

    python benchmarks/drawn/drawings.py [--file out/drawings.npz]

makes the file that `load_drawings` reads: public-domain vector drawings (Debian's openclipart-svg), drawn by librsvg
(librsvg2-bin), emoji of Noto Color Emoji (fonts-noto-color-emoji, SIL Open Font License 1.1), and the photographs that
scikit-image brings. The drawings are packages of the system and no part of the project.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nano.sprites import Split

Picture = NDArray[np.uint8]
"""(h, w, 4) premultiplied RGBA, or (h, w, 3) RGB."""

FILE: Final = Path(__file__).resolve().parents[2] / "out" / "drawings.npz"
SIDE: Final = 256
"""Pixels of a cut-out's longer side."""

_SVG_FOLDER: Final = Path("/usr/share/openclipart/svg")
_CLIPART: Final = 1800
_EMOJI: Final = 400
_BYTES: Final = (2_000, 400_000)
_SECONDS: Final = 4
_LEAST_SIDE: Final = 50
_LEAST_COVERED: Final = 0.12
_LEAST_COLOURS: Final = 3
_PHOTOGRAPH_SIDE: Final = 640
# Those that come with scikit-image itself, all free of copyright or CC0.
_PHOTOGRAPHS: Final = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "retina",
    "rocket",
)
_HELD_OUT_PERCENT: Final = 15


@dataclass(frozen=True)
class Drawings:
    """What scenes of one split are made of.

    Attributes:
        cutouts: premultiplied RGBA, at least one.
        photographs: RGB; may be none.
    """

    cutouts: tuple[Picture, ...]
    photographs: tuple[Picture, ...] = ()


def split_of(name: str) -> Split:
    """Where the drawing of that name belongs, for ever: fifteen in a hundred are held out.

    With them are the emoji that the small model of the `dreammover` engine and the rendered clips of the quality
    benchmark hold out.
    """
    if name.startswith("U+"):
        from nano.sprites import split_of as split_of_glyph

        if split_of_glyph(int(name[2:], 16)) is Split.HELD_OUT:
            return Split.HELD_OUT
    held_out = zlib.crc32(name.encode()) % 100 < _HELD_OUT_PERCENT
    return Split.HELD_OUT if held_out else Split.TRAINING


def load_drawings(split: Split | str, file: Path = FILE) -> Drawings:
    """The drawings of a split.

    Raises:
        SystemExit: with a sentence, where the file was not made yet.
    """
    if not file.is_file():
        raise SystemExit(f"{file} is missing. Make it with: python benchmarks/drawn/drawings.py")
    with np.load(file) as kept:
        parts = {kind: _unpacked(kept, f"{Split(split).value}_{kind}") for kind in ("cutouts", "photographs")}
    return Drawings(parts["cutouts"], parts["photographs"])


def save(named: Iterable[tuple[str, Picture]], file: Path) -> dict[str, int]:
    """Writes drawings by their names, each to its split; returns how many there are of each kind."""
    groups: dict[str, list[Picture]] = {
        f"{split.value}_{kind}": [] for split in Split for kind in ("cutouts", "photographs")
    }
    for name, picture in named:
        kind = "cutouts" if picture.shape[2] == 4 else "photographs"
        groups[f"{split_of(name).value}_{kind}"].append(picture)
    packed: dict[str, NDArray[np.uint8] | NDArray[np.int64]] = {}
    for group, pictures in groups.items():
        packed[group] = np.concatenate([p.ravel() for p in pictures]) if pictures else np.zeros(0, np.uint8)
        packed[f"{group}_shapes"] = np.array([p.shape for p in pictures], np.int64).reshape(-1, 3)
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new.npz")
    np.savez(new, **packed)  # type: ignore[arg-type]
    new.replace(file)
    return {group: len(pictures) for group, pictures in groups.items()}


def _unpacked(kept: np.lib.npyio.NpzFile, group: str) -> tuple[Picture, ...]:
    shapes = kept[f"{group}_shapes"]
    ends = np.cumsum(shapes.prod(axis=1))
    return tuple(part.reshape(shape) for part, shape in zip(np.split(kept[group], ends), shapes))


def collected() -> Iterator[tuple[str, Picture]]:
    """All drawings that the system has, by name.

    Raises:
        SystemExit: with a sentence, where a package is missing.
    """
    yield from _clipart()
    yield from _emoji()
    yield from _photographs()


def _clipart() -> Iterator[tuple[str, Picture]]:
    files = sorted(_SVG_FOLDER.rglob("*.svg"))
    if not files:
        raise SystemExit(f"There are no drawings in {_SVG_FOLDER}. Install openclipart-svg.")
    fitting = [f for f in files if f.is_file() and _BYTES[0] < f.stat().st_size < _BYTES[1] and "flag" not in str(f)]
    # In an order that neither the folder nor the alphabet decides.
    names = {str(f.relative_to(_SVG_FOLDER)): f for f in fitting}
    found = 0
    for name in sorted(names, key=lambda name: zlib.crc32(f"order {name}".encode())):
        picture = _usable(_drawn(names[name]))
        if picture is not None:
            yield name, picture
            found += 1
        if found == _CLIPART:
            return


def _drawn(file: Path) -> bytes:
    """A PNG, or nothing where librsvg cannot draw it soon."""
    asked = ["rsvg-convert", "--width", str(SIDE), "--height", str(SIDE), "--keep-aspect-ratio", str(file)]
    try:
        return subprocess.run(asked, capture_output=True, check=False, timeout=_SECONDS).stdout
    except subprocess.TimeoutExpired:
        return b""
    except FileNotFoundError:
        raise SystemExit("rsvg-convert is missing. Install librsvg2-bin.") from None


def _usable(png: bytes) -> Picture | None:
    """The drawing cropped to what is seen; None where that is little, or of hardly any colours."""
    from PIL import Image

    try:
        picture = np.array(Image.open(io.BytesIO(png)).convert("RGBA"))
    except OSError:
        return None
    cropped = _cropped(picture)
    if cropped is None or min(cropped.shape[:2]) < _LEAST_SIDE:
        return None
    alpha = cropped[..., 3]
    colours = cropped[alpha > 200][:, :3] // 24
    if alpha.mean() < 255 * _LEAST_COVERED or len(np.unique(colours, axis=0)) < _LEAST_COLOURS:
        return None
    return _premultiplied(cropped)


def _emoji() -> Iterator[tuple[str, Picture]]:
    from nano import sprites

    codes = [code for split in Split for code in sprites.glyphs(split)]
    if not codes:
        raise SystemExit("The font Noto Color Emoji is missing. Install fonts-noto-color-emoji.")
    for code in sorted(codes, key=lambda code: zlib.crc32(f"order {code}".encode()))[:_EMOJI]:
        glyph = sprites.textures(sprites.Sprite(sprites.Origin.GLYPH, code))[0].transpose(1, 2, 0)
        cropped = _cropped(glyph)
        if cropped is not None:
            yield f"U+{code:04X}", cropped


def _photographs() -> Iterator[tuple[str, Picture]]:
    import cv2
    from skimage import data

    folder = Path(data.__file__).parent
    for name in _PHOTOGRAPHS:
        # Others would be downloaded.
        if not any(folder.glob(f"{name}.*")):
            continue
        picture = np.asarray(getattr(data, name)())
        picture = picture[..., :3] if picture.ndim == 3 else np.dstack([picture] * 3)
        ratio = _PHOTOGRAPH_SIDE / max(picture.shape[:2])
        size = tuple(round(length * ratio) for length in picture.shape[1::-1])
        yield f"photograph {name}", cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _cropped(picture: Picture) -> Picture | None:
    seen = picture[..., 3] > 20
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return None
    return np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _premultiplied(picture: Picture) -> Picture:
    alpha = picture[..., 3:].astype(np.uint16)
    colours = ((picture[..., :3] * alpha + 127) // 255).astype(np.uint8)
    return np.concatenate([colours, picture[..., 3:]], axis=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE)
    asked = parser.parse_args()
    for group, count in save(collected(), asked.file).items():
        print(f"{count:5d} {group.replace('_', ' ')}")


if __name__ == "__main__":
    main()
