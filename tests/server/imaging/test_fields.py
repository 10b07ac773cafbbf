"""What becomes of every field: each row of the table is written, read and written again; the page shows the table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from stills import PLUGINS, gradient, load
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge_server.imaging import io
from tweenbridge_server.imaging.metadata import TABLE, Fate, row_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"

EXR, TIFF, PNG, JPEG = Encoding.EXR, Encoding.TIFF, Encoding.PNG, Encoding.JPEG

EXAMPLES: dict[str, list[tuple[Encoding, Encoding, str, Any, Any]]] = {
    "time code, key code, frame number": [
        (EXR, PNG, "smpte:TimeCode", oiio.TypeTimeCode, (18356486, 7)),
        (EXR, TIFF, "smpte:KeyCode", oiio.TypeKeyCode, (1, 2, 3, 4, 5, 6, 7)),
    ],
    "cryptomatte manifests": [(EXR, TIFF, "cryptomatte/ab12/manifest", "string", "{}")],
    "orientation": [(TIFF, PNG, "Orientation", "int", 3)],
    "compression": [(EXR, TIFF, "compression", "string", "piz"), (TIFF, EXR, "compression", "string", "lzw")],
    "layout: tiles, strips, parts, page structure": [(TIFF, EXR, "tiff:RowsPerStrip", "int", 3)],
    "pixel aspect, resolution": [
        (EXR, TIFF, "PixelAspectRatio", "float", 2.0),
        (TIFF, JPEG, "XResolution", "float", 72.0),
    ],
    "frame rate": [(EXR, EXR, "framesPerSecond", oiio.TypeRational, (24000, 1001))],
    "dates": [
        (TIFF, EXR, "DateTime", "string", "2001:02:03 04:05:06"),
        (EXR, TIFF, "DateTime", "string", "2001:02:03 04:05:06"),
    ],
    "description, comment": [
        (TIFF, PNG, "ImageDescription", "string", "a fox at dawn"),
        (PNG, TIFF, "ImageDescription", "string", "a fox at dawn"),
    ],
    "everything else: author, copyright, Exif, IPTC, XMP, own fields": [
        (TIFF, PNG, "Artist", "string", "Ada"), (JPEG, TIFF, "Exif:LensModel", "string", "50 mm"),
        (EXR, EXR, "shot", "string", "fox_010"), (TIFF, JPEG, "Copyright", "string", "Ada"),
    ],
}  # fmt: skip
ELSEWHERE = {"colour: profile, primaries, curve": "test_colours.py", "thumbnails": "OpenImageIO writes none"}


def _write(path: Path, encoding: Encoding, name: str, kind: Any, value: Any) -> io.Still:
    dtype = "float16" if encoding is EXR else "uint8"
    samples = gradient(6, 8, 3, dtype)
    spec = oiio.ImageSpec(8, 6, 3, "half" if encoding is EXR else "uint8")
    spec.attribute(name, kind, value)
    writer = oiio.ImageOutput.create(PLUGINS[encoding])
    assert writer.open(str(path), spec) and writer.write_image(samples) and writer.close()
    return io.read(path, PixelFormat(encoding), path.name)


def _found(path: Path, name: str) -> Any:
    return load(path)[1].getattribute(name)


def test_every_row_has_an_example() -> None:
    assert set(EXAMPLES) | set(ELSEWHERE) == {row.words for row in TABLE}


@pytest.mark.parametrize(
    ("words", "example"), [(words, example) for words, examples in EXAMPLES.items() for example in examples],
    ids=lambda value: value if isinstance(value, str) else f"{value[2]}-{value[0].value}-{value[1].value}",
)  # fmt: skip
def test_fields(tmp_path: Path, words: str, example: tuple[Encoding, Encoding, str, Any, Any]) -> None:
    source, target, name, kind, value = example
    row = row_of(name)
    assert row.words == words
    still = _write(tmp_path / "a", source, name, kind, value)
    before = _found(tmp_path / "a", name)
    assert before is not None, "the keyframe has the field"
    for encoding, fate in ((source, row.same), (target, row.other)):
        io.write(tmp_path / "b", still.pixels, still, PixelFormat(encoding))
        after = _found(tmp_path / "b", name)
        if fate is Fate.KEPT or (encoding is source and row.same is Fate.KEPT):
            assert after == before or after == pytest.approx(before)
        else:
            assert after != before or (name in ("Orientation", "tiff:RowsPerStrip") and after in (None, 1, 32))


@pytest.mark.parametrize(
    "text", ["ImageJ=1.11a\nimages=3\nslices=3\n", '{"shape": [3, 6, 8]}', '<?xml version="1.0"?><OME xmlns="x"/>']
)
def test_the_description_of_a_stack_is_not_that_of_a_picture(tmp_path: Path, text: str) -> None:
    """Finding 10."""
    still = _write(tmp_path / "a.tif", TIFF, "ImageDescription", "string", text)
    assert not still.is_plain, "no copy of the file either"
    io.write(tmp_path / "b.tif", still.pixels, still)
    assert _found(tmp_path / "b.tif", "ImageDescription") is None
    io.rewrite(tmp_path / "c.tif", tmp_path / "a.tif", still, "a.tif")
    assert _found(tmp_path / "c.tif", "ImageDescription") is None
    assert np.array_equal(load(tmp_path / "c.tif")[0], load(tmp_path / "a.tif")[0])


@pytest.mark.parametrize("encoding", [EXR, TIFF, PNG, JPEG])
def test_results_are_not_of_today(tmp_path: Path, encoding: Encoding) -> None:
    still = _write(tmp_path / "a.png", PNG, "Artist", "string", "Ada")
    io.write(tmp_path / "b", still.pixels, still, PixelFormat(encoding))
    samples, spec = load(tmp_path / "b")
    assert spec.getattribute("DateTime") is None and b"capDate" not in (tmp_path / "b").read_bytes()
    assert np.isfinite(samples.astype(np.float32)).all()


def test_the_page_shows_the_table() -> None:
    shown = re.findall(r"^\| (.+?) \| (kept|converted|dropped) \| (kept|converted|dropped) \| (.+?) \|$",
                       PAGE.read_text(encoding="utf-8"), re.MULTILINE)  # fmt: skip
    assert shown == [(row.words, row.same.value, row.other.value, row.why) for row in TABLE]
