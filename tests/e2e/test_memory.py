"""How much memory a worker takes at most: for 1080p at the quality profile no more than the engine says of itself."""

from __future__ import annotations

import platform
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tweenbridge_server.engines.optical_flow.info import INFO as FLOW

from .conftest import Studio, frames

MOST = FLOW.memory


def _peak(pid: int) -> float:
    """Peak resident bytes of a process, as Linux counts them."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("Peak memory of another process is read from /proc, which this system does not have.")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return float(line.split()[1]) * 1024


def _sprite(angle: float) -> NDArray[np.uint16]:
    """A grained, textured disc that has turned and moved, half transparent around it; (1080, 1920, 4) uint16."""
    random = np.random.default_rng(2)
    texture = cv2.resize(random.random((68, 120, 3), np.float32), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    texture += random.normal(0, 0.01, texture.shape).astype(np.float32)
    mask = np.full((1080, 1920), 0.5, np.float32)
    cv2.circle(mask, (800, 540), 330, 1.0, cv2.FILLED, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((800, 540), angle, 1.0)
    turn[0, 2] += 4 * angle
    picture = cv2.warpAffine(np.dstack([texture, mask]), turn, (1920, 1080), borderMode=cv2.BORDER_REFLECT)
    samples: NDArray[np.uint16] = np.clip(np.rint(picture * 65535), 0, 65535).astype(np.uint16)
    return samples


def _fresh_pages(pid: int) -> int:
    """Pages that a process has got from the system so far, without reading a disk."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def _make(studio: Studio, angle: float) -> int:
    """Make a gap's in-betweens; the worker's id."""
    for name, turn in (("a.png", 0.0), ("b.png", angle)):
        assert cv2.imwrite(str(studio.folder / name), _sprite(turn))
    out = f"out{angle}"
    studio.expect("interpolate", "a.png", "b.png", "--count", 5, "--profile", "quality", "--out", out)
    assert len(frames(studio.folder / out)) == 5
    worker = studio.worker()
    assert worker is not None
    return worker.pid


@pytest.mark.slow
def test_a_worker_at_1080p_stays_below_its_most(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    worker = _make(studio, 25.0)
    before = _fresh_pages(worker)
    assert _make(studio, 24.0) == worker
    peak, fresh = _peak(worker), _fresh_pages(worker) - before
    with capsys.disabled():
        print(f"\n1080p RGBA, 16 bits, quality: the worker took {peak / 1e6:.0f} MB at most,")
        print(f"and {fresh} fresh pages for a second gap")
    assert peak < MOST
    if platform.libc_ver()[0] == "glibc":
        # A picture of float32 RGBA is 8100 pages.
        assert fresh < 8100
