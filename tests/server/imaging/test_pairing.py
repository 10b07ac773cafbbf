"""The pair decides what results are, not its first picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stills import gradient, load, save
from tweenbridge.pixels import Encoding, PixelFormat, SampleType
from tweenbridge_server.imaging import io

NAMES = ("a.png", "b.png")


def _still(path: Path, channels: int, dtype: str, encoding: Encoding = Encoding.PNG, seed: int = 0) -> io.Still:
    return io.read(save(path, encoding, gradient(6, 8, channels, dtype, seed)), PixelFormat(encoding), path.name)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ((1, "uint8"), (3, "uint8"), (3, SampleType.UINT8)),
        ((3, "uint8"), (4, "uint8"), (4, SampleType.UINT8)),
        ((1, "uint8"), (4, "uint16"), (4, SampleType.UINT16)),
        ((2, "uint8"), (3, "uint8"), (4, SampleType.UINT8)),
        ((3, "uint8"), (3, "uint16"), (3, SampleType.UINT16)),
        ((1, "uint16"), (2, "uint8"), (2, SampleType.UINT16)),
    ],
)
def test_png(
    tmp_path: Path, one: tuple[int, str], other: tuple[int, str], result: tuple[int, SampleType], first: int
) -> None:
    kinds = (one, other) if first == 0 else (other, one)
    a, b = (_still(tmp_path / name, *kind) for name, kind in zip(NAMES, kinds))
    pair = io.pair(a, b, NAMES)
    assert pair.a.shape == pair.b.shape
    form = io.write(tmp_path / "m.png", pair.b, pair.like)
    assert (form.channels, form.dtype) == result
    samples = load(tmp_path / "m.png")[0]
    assert samples.dtype == result[1].value and samples.shape[2] == result[0]
    # The second keyframe, written as results are, is what it was.
    own = gradient(6, 8, *kinds[1])
    scale = np.iinfo(samples.dtype).max / np.iinfo(own.dtype).max
    expected = own[..., :-1] if own.shape[2] in (2, 4) else own
    colour = samples[..., : samples.shape[2] - (samples.shape[2] in (2, 4))]
    assert np.array_equal(colour, np.broadcast_to(expected * scale, colour.shape))


@pytest.mark.parametrize("kinds", [("float16", "float32"), ("float32", "float16")])
def test_half_and_float_make_float(tmp_path: Path, kinds: tuple[str, str]) -> None:
    a, b = (_still(tmp_path / f"{i}.exr", 3, kind, Encoding.EXR, i) for i, kind in enumerate(kinds))
    pair = io.pair(a, b, ("0.exr", "1.exr"))
    assert pair.like.format.dtype is SampleType.FLOAT32
    assert True in pair.changed and False in pair.changed, "the half file is no copy of a result"


def test_light_beyond_the_keyframes_is_not_made(tmp_path: Path) -> None:
    """Finding 06: 60000 became 65504, and overshoot goes below 0."""
    samples = np.zeros((6, 8, 3), np.float16)
    samples[2:4, 2:4] = 60000
    still = io.read(save(tmp_path / "a.exr", Encoding.EXR, samples), PixelFormat(Encoding.EXR), "a.exr")
    pair = io.pair(still, still, ("a.exr", "a.exr"))
    overshot = pair.a * np.float32(1.02) - np.float32(0.01)
    io.write(tmp_path / "b.exr", overshot, pair.like)
    written = load(tmp_path / "b.exr")[0]
    assert float(written.max()) == 60000 and float(written.min()) == 0


def test_light_with_no_coverage_is_seen_by_engines(tmp_path: Path) -> None:
    """Finding 06: flames and glows, where alpha is 0, are light: engines see it, and it comes back."""
    samples = np.zeros((6, 8, 4), np.float16)
    samples[2:4, 2:4, :3] = (4, 1.6, 0.8)
    path = save(tmp_path / "a.exr", Encoding.EXR, samples)
    covered = gradient(6, 8, 4, "float16")
    other = save(tmp_path / "b.exr", Encoding.EXR, covered)
    a, b = (io.read(file, PixelFormat(Encoding.EXR), file.name) for file in (path, other))
    assert a.bare and not b.bare
    assert a.pixels[2, 2, 0] == pytest.approx(0.865, abs=0.01)
    pair = io.pair(a, b, ("a.exr", "b.exr"))
    for pixels, expected in ((pair.a, samples), (pair.b, covered)):
        io.write(tmp_path / "c.exr", pixels, pair.like)
        assert np.allclose(load(tmp_path / "c.exr")[0].astype(float), expected.astype(float), rtol=1e-3, atol=1e-4)
