"""Files of every sample type, compression and layout, there and back: as one of two equal keyframes, and as pixels."""

from __future__ import annotations

import itertools
import runpy
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from stills import gradient, load
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge_server.imaging import io

tifffile = pytest.importorskip("tifffile", reason="tifffile writes the files")
OpenEXR = pytest.importorskip("OpenEXR", reason="OpenEXR writes the files")

LOSSY_EXR = ("b44", "b44a", "dwaa", "dwab", "pxr24")


def _there_and_back(path: Path, encoding: Encoding, tmp_path: Path) -> tuple[Any, Any, Any]:
    """Samples of the file, of the keyframe written as a result, and of its samples written again."""
    form = PixelFormat(encoding)
    still = io.read(path, form, path.name)
    pair = io.pair(still, still, (path.name, path.name))
    assert pair.changed == (False, False)
    io.write(tmp_path / "result", pair.a, pair.like)
    io.rewrite(tmp_path / "copy", path, still, path.name)
    assert io.read(tmp_path / "result", form, "result").format == still.format
    return load(path)[0], load(tmp_path / "result")[0], load(tmp_path / "copy")[0]


TIFFS = [
    (dtype, channels, options)
    for dtype, channels in itertools.product(("uint8", "uint16", "float16", "float32"), (1, 2, 3, 4))
    for options in (
        {},
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "packbits"},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"rowsperstrip": 3},
    )
    if not (options.get("planarconfig") and channels < 3) and not (options.get("predictor") and dtype == "float16")
]


@pytest.mark.parametrize(("dtype", "channels", "options"), TIFFS, ids=str)
def test_tiff(tmp_path: Path, dtype: str, channels: int, options: dict[str, Any]) -> None:
    given = dict(options)
    big, order = given.pop("bigtiff", False), given.pop("byteorder", "<")
    samples = gradient(21, 34, channels, dtype)
    stored = samples[..., 0] if channels == 1 else samples
    if given.get("planarconfig"):
        stored = np.moveaxis(samples, -1, 0)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as writer:
        writer.write(
            stored, photometric="rgb" if channels > 2 else "minisblack",
            extrasamples=("unassalpha",) if channels in (2, 4) else (),
            planarconfig=given.pop("planarconfig", "contig" if channels > 1 else None), metadata=None, **given,
        )  # fmt: skip
    before, result, copy = _there_and_back(path, Encoding.TIFF, tmp_path)
    assert np.array_equal(before, samples), "read as it was written"
    assert np.array_equal(copy, before)
    if dtype == "float32":
        assert np.allclose(result, before, rtol=1e-5, atol=1e-6)
    else:
        assert np.allclose(
            result.astype(float), before.astype(float), rtol=1e-3 if dtype == "float16" else 0, atol=1e-6
        )


EXRS = [
    (dtype, channels, compression, tiled)
    for dtype, channels in itertools.product(("half", "float"), (1, 3, 4))
    for compression in ("none", "rle", "zip", "zips", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab")
    for tiled in (False, True)
]


@pytest.mark.parametrize(("dtype", "channels", "compression", "tiled"), EXRS)
def test_exr(tmp_path: Path, dtype: str, channels: int, compression: str, tiled: bool) -> None:
    samples = gradient(21, 34, channels, {"half": "float16", "float": "float32"}[dtype])
    spec = oiio.ImageSpec(34, 21, channels, dtype)
    spec["compression"] = compression
    if tiled:
        spec.tile_width = spec.tile_height = 16
    writer = oiio.ImageOutput.create("openexr")
    path = tmp_path / "a.exr"
    assert writer.open(str(path), spec)
    assert writer.write_image(samples) and writer.close()
    before, result, copy = _there_and_back(path, Encoding.EXR, tmp_path)
    assert load(tmp_path / "copy")[1].get_string_attribute("compression") == compression
    near = 0.05 if compression in LOSSY_EXR else 1e-5
    assert np.abs(copy.astype(float) - before.astype(float)).max() <= (near if compression in LOSSY_EXR else 0)
    assert np.abs(result.astype(float) - before.astype(float)).max() <= near


def _suite() -> dict[str, bytes]:
    """The PNG suite, which pypng's source archive has as a Python module: not all machines have that archive."""
    for archive in sorted((Path.home() / ".cache" / "tweenbridge-tests").glob("pypng-*.tar.gz")):
        with tarfile.open(archive) as tar, tempfile.TemporaryDirectory() as folder:
            name = next(name for name in tar.getnames() if name.endswith("/code/pngsuite.py"))
            file = tar.extractfile(name)
            assert file is not None
            module = Path(folder) / "pngsuite.py"
            module.write_bytes(file.read())
            pictures: dict[str, bytes] = runpy.run_path(str(module))["png"]
            return pictures
    return {}


def test_the_png_suite(tmp_path: Path) -> None:
    suite = _suite()
    if not suite:
        pytest.skip(
            "pypng's source archive is not here: "
            "pip download --no-deps --no-binary :all: pypng -d ~/.cache/tweenbridge-tests"
        )
    wrong = []
    for name, data in suite.items():
        path = tmp_path / "a.png"
        path.write_bytes(data)
        if load_or_none(path) is None:
            continue  # damaged on purpose: OpenImageIO shows nothing either
        before, result, copy = _there_and_back(path, Encoding.PNG, tmp_path)
        visible = before[..., -1] > 0 if before.shape[2] in (2, 4) else np.ones(before.shape[:2], bool)
        if not (np.array_equal(copy, before) and np.array_equal(result[visible], before[visible])):
            wrong.append(name)
    print(f"{len(suite)} pictures of the PNG suite")
    assert not wrong


def load_or_none(path: Path) -> Any:
    """A file's samples, None where OpenImageIO cannot show them."""
    reader = oiio.ImageInput.open(str(path))
    return None if reader is None else reader.read_image("uint8")


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("kind", [0, 2, 3, 4, 6])
def test_png(tmp_path: Path, kind: int, depth: int) -> None:
    """Every kind and depth of PNG, made here."""
    allowed = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    if depth not in allowed[kind]:
        pytest.skip("PNG has no such pictures")
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    width, height = 16, 9
    random = np.random.default_rng(kind * 100 + depth)
    row_bytes = width * channels * depth // 8
    rows = b"".join(b"\0" + random.integers(0, 256, row_bytes, np.uint8).tobytes() for _ in range(height))

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, kind, 0, 0, 0])
    palette = chunk(b"PLTE", random.integers(0, 256, 3 << depth, np.uint8).tobytes()) if kind == 3 else b""
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + palette
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    before, result, copy = _there_and_back(path, Encoding.PNG, tmp_path)
    assert np.array_equal(copy, before)
    visible = before[..., -1] > 0 if channels in (2, 4) else np.ones(before.shape[:2], bool)
    assert np.array_equal(result[visible], before[visible])
