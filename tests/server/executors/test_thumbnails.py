"""The process that makes thumbnails: there while somebody looks, gone afterwards, and replaced when it dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench import flat
from tweenbridge.pixels import Colour, Encoding, PixelFormat, SampleType
from tweenbridge_server.executors.thumbnails import Thumbnailer
from tweenbridge_server.imaging import io

PNG = PixelFormat(Encoding.PNG)


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(flat(90))
    return path


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_nobody_asks_and_there_is_no_process(still: Path) -> None:
    thumbnailer = Thumbnailer(idle_seconds=0.3)
    assert not thumbnailer.is_running
    thumbnailer.make(still, PNG, "a", 64)
    assert thumbnailer.is_running
    until(lambda: not thumbnailer.is_running)
    assert thumbnailer.make(still, PNG, "a", 64).width == 16, "asked again, it comes again"
    thumbnailer.close()
    assert not thumbnailer.is_running


def test_a_process_that_died_is_replaced(still: Path) -> None:
    thumbnailer = Thumbnailer()
    thumbnailer.make(still, PNG, "a", 64)
    assert thumbnailer._process is not None
    os.kill(thumbnailer._process.pid, signal.SIGTERM)
    thumbnailer._process.wait()
    assert thumbnailer.make(still, PNG, "a", 64).width == 16
    thumbnailer.close()


@pytest.mark.parametrize("encoding", [Encoding.EXR, Encoding.TIFF])
def test_formats_that_no_toolkit_reads_are_shown(tmp_path: Path, encoding: Encoding) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(flat(128, width=40, height=20))
    still = io.read(source, PNG, "a")
    deep = {Encoding.EXR: SampleType.FLOAT16, Encoding.TIFF: SampleType.UINT16}[encoding]
    path = tmp_path / "a.deep"
    form = io.write(path, still.pixels, still, PixelFormat(encoding, dtype=deep, colour=Colour.DISPLAY))
    thumbnailer = Thumbnailer()
    picture = thumbnailer.make(path, form, "a", 20)
    thumbnailer.close()
    shown = cv2.imdecode(np.frombuffer(picture.png, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None and shown.shape == (10, 20, 3)
    assert np.abs(shown.astype(int) - 128).max() <= 1
