"""PNG files as Tweenbridge compresses them: exact for every decoder, the same bytes every time, well formed."""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from stills import NAME, Samples, gradient, load, save
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge_server.imaging import io, png


def written(folder: Path, samples: Samples) -> bytes:
    """A file of these samples."""
    path = folder / "filled.png"
    save(path, Encoding.PNG, samples[:1])
    png.fill(path, samples)
    return path.read_bytes()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kinds and bodies; every checksum is right."""
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        found.append((kind, body))
        at += 12 + length
    assert at == len(data)
    return found


def grain(height: int, width: int, channels: int, dtype: str) -> Samples:
    dice = np.random.default_rng(5)
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] * 97
    return (ramp + dice.integers(0, 1000, (height, width, channels))).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 1), (1, 700), (301, 640), (40, 9000)])
def test_every_decoder_sees_the_same_samples(
    tmp_path: Path, height: int, width: int, channels: int, dtype: str
) -> None:
    samples = grain(height, width, channels, dtype)
    if channels in (2, 4):
        samples[..., -1] |= 1  # some decoders clear colour that nothing is seen of
    data = written(tmp_path, samples)
    assert np.array_equal(load(tmp_path / "filled.png")[0], samples)
    if channels != 2:
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).reshape(height, width, channels)
        assert np.array_equal(seen[..., order], samples)
    if dtype == "uint8":
        with Image.open(tmp_path / "filled.png") as picture:
            assert np.array_equal(np.asarray(picture).reshape(samples.shape), samples)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 2, 3, 4]), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_small_picture_survives(
    tmp_path: Path, height: int, width: int, channels: int, data: st.DataObject
) -> None:
    drawn = data.draw(st.binary(min_size=height * width * channels, max_size=height * width * channels))
    samples = np.frombuffer(drawn, np.uint8).reshape(height, width, channels)
    written(tmp_path, samples)
    assert np.array_equal(load(tmp_path / "filled.png")[0], samples)


def test_the_file_is_one_zlib_stream_in_checked_chunks(tmp_path: Path) -> None:
    samples = grain(400, 500, 3, "uint16")
    found = chunks(written(tmp_path, samples))
    kinds = [kind for kind, _ in found]
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    assert kinds.count(b"IDAT") > 1
    assert kinds[kinds.index(b"IDAT") : -1] == [b"IDAT"] * kinds.count(b"IDAT")
    inflater = zlib.decompressobj()
    rows = inflater.decompress(b"".join(body for kind, body in found if kind == b"IDAT"))
    assert inflater.eof
    assert not inflater.unused_data
    assert len(rows) == 400 * (1 + 500 * 6)


def test_the_same_samples_give_the_same_bytes_whichever_thread_writes_them(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", Encoding.PNG, grain(1300, 2000, 3, "uint8"))
    still = io.read(source, PixelFormat(Encoding.PNG), NAME)
    # Other addresses and numbers of threads, too.
    shifted = np.empty(still.pixels.size + 3, np.float32)[3:].reshape(still.pixels.shape)
    shifted[...] = still.pixels

    def write(number: int) -> None:
        io.write(tmp_path / f"out{number}.png", (still.pixels, shifted)[number % 2], still, threads=1 + number % 3)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / f"out{number}.png").read_bytes() for number in range(6)}) == 1


def test_flat_drawings_stay_small(tmp_path: Path) -> None:
    picture = np.full((540, 960, 3), 250, np.uint8)
    picture[100:300, 200:600] = (20, 90, 160)
    cv2.circle(picture, (500, 300), 120, (0, 0, 0), 5)
    assert len(written(tmp_path, picture)) < picture.nbytes / 50


def test_metadata_stays_where_it_was(tmp_path: Path) -> None:
    samples = gradient(20, 30, 3, "uint8")
    whole = save(tmp_path / "whole.png", Encoding.PNG, samples, Software="a pencil", XResolution=300.0)
    row = save(tmp_path / "row.png", Encoding.PNG, samples[:1], Software="a pencil", XResolution=300.0)
    png.fill(row, samples)
    assert [chunk for chunk in chunks(row.read_bytes()) if chunk[0] != b"IDAT"] == [
        chunk for chunk in chunks(whole.read_bytes()) if chunk[0] != b"IDAT"
    ]
