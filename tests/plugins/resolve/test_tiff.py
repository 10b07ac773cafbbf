"""What the plugin reads of TIFF files, against files that others write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from fakes.resolve import pictures
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge_resolve import tiff


def save(path: Path, pixels: np.ndarray, compression: str) -> bytes:
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], str(pixels.dtype))
    spec["compression"] = compression
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec)
    assert out.write_image(pixels)
    out.close()
    return path.read_bytes()


@pytest.mark.parametrize("compression", ["none", "lzw", "zip"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
def test_files_of_others(tmp_path: Path, compression: str, dtype: type, channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (40, 30, channels), dtype, endpoint=True)
    still = tiff.read(save(tmp_path / "a.tif", pixels, compression))
    assert still is not None
    assert (still.width, still.height, still.bits, still.channels) == (30, 40, 8 * dtype().nbytes, channels)
    found = still.pixel(7, 21)
    if compression == "none":
        assert found == pytest.approx(pixels[21, 7] / np.iinfo(dtype).max)
    else:
        assert found is None


def test_what_it_writes_others_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 65536, (9, 17, 3), np.uint16)
    (tmp_path / "a.tif").write_bytes(tiff.write(17, 9, [int(value) for value in pixels.ravel()]))
    assert (oiio.ImageBuf(str(tmp_path / "a.tif")).get_pixels(oiio.UINT16) == pixels).all()


def test_only_pixels_make_the_digest(tmp_path: Path) -> None:
    pictures.write_tiff(tmp_path / "a.tif", pictures.draw(3))
    data = (tmp_path / "a.tif").read_bytes()
    again = data.replace(b"2026:11:28", b"2027:01:02")
    assert again != data
    first, second = tiff.read(data), tiff.read(again)
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    pictures.write_tiff(tmp_path / "b.tif", pictures.draw(4))
    other = tiff.read((tmp_path / "b.tif").read_bytes())
    assert other is not None
    assert other.digest != first.digest


@given(cut=st.integers(0, 200))
def test_files_that_were_cut_off_are_not_whole(cut: int) -> None:
    data = tiff.write(8, 6, list(range(8 * 6 * 3)))
    assert tiff.read(data[: len(data) * cut // 201]) is None


@given(data=st.binary(max_size=400), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"\x89PNG"]))
def test_anything_else_is_no_still_and_no_crash(data: bytes, start: bytes) -> None:
    tiff.read(start + data)
    assert tiff.read(b"\x89PNG" + data) is None
