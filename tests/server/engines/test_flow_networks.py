"""The networks of the flow engine's quality profile: what they are asked, and what happens where they cannot be."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_in_motion import shifted, texture
from tweenbridge_server.engines.base import Gap, Image
from tweenbridge_server.engines.optical_flow import arbitrate, network_files, networks
from tweenbridge_server.engines.optical_flow.correspondences import CELL, correspond
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.synthesise import Ways


class Listener:
    """Progress that keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def __call__(self, fraction: float, stage: str) -> None:
        """Not listened to."""

    def note(self, code: str, message: str) -> None:
        self.notes.append((code, message))

    def preview(self, t: float, pixels: Image) -> None:
        """Not looked at."""


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with copies of the networks, which the engine takes for its own."""
    for name in ("MATCHER", "ARBITER", "HASHES"):
        source = getattr(network_files, name)
        (tmp_path / source.name).write_bytes(source.read_bytes())
        monkeypatch.setattr(network_files, name, tmp_path / source.name)
    networks.load.cache_clear()
    yield tmp_path
    networks.load.cache_clear()


def test_the_published_files_are_whole_and_small_enough_for_the_wheel() -> None:
    whole = network_files.check()
    assert len(whole) == 64
    assert sum(file.stat().st_size for file in network_files.FOLDER.iterdir()) < 25e6
    for line in network_files.HASHES.read_text().splitlines():
        value, name = line.split()
        assert hashlib.sha256((network_files.FOLDER / name).read_bytes()).hexdigest() == value


@pytest.mark.parametrize("damage", ["missing", "cut off", "one bit"])
def test_a_damaged_network_makes_a_draft_and_says_so(damage: str, copied: Path) -> None:
    before = network_files.resolve("quality", {}, copied).identity
    file = copied / "arbiter.onnx"
    kept = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        kept[len(kept) // 2] ^= 1
        file.write_bytes(kept if damage == "one bit" else kept[: len(kept) // 2])
    a = texture(64, 80)
    gap, listener = Gap(a, shifted(a, 3, 0)), Listener()
    made = [frame.pixels for frame in FlowEngine().interpolate(gap, [0.5], "quality", {}, listener)]
    draft = [frame.pixels for frame in FlowEngine().interpolate(gap, [0.5], "draft", {}, Listener())]
    assert np.array_equal(made, draft)
    [(code, message)] = listener.notes
    assert code == "quality_unavailable"
    assert "arbiter.onnx" in message and message.endswith("Install Tweenbridge again.")
    # Frames made without the networks are not taken for those made with them.
    assert network_files.resolve("quality", {}, copied).identity not in ("", before)


@pytest.mark.parametrize(
    ("version", "found"), [(None, "not installed"), ((1, 14), "too old")], ids=["missing", "too old"]
)
def test_without_a_usable_onnx_runtime_it_says_what_to_do(
    version: tuple[int, int] | None, found: str, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is None:
        monkeypatch.setattr(network_files.importlib.util, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(network_files, "_installed_version", lambda: version)
    with pytest.raises(network_files.Unusable, match=rf"{found}.*pip install"):
        networks.load()


def test_looking_whether_they_can_be_used_imports_nothing_that_computes() -> None:
    program = (
        "import sys, pathlib\n"
        "from tweenbridge_server.engines.optical_flow.network_files import resolve\n"
        "assert resolve('quality', {}, pathlib.Path('.')).identity\n"
        "assert not {'numpy', 'cv2', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@settings(max_examples=20, deadline=None)
@given(dx=st.integers(-4, 4), dy=st.integers(-3, 3), seed=st.integers(0, 100))
def test_features_that_were_shifted_are_matched_by_that_shift(dx: int, dy: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(64, 12, 16)).astype(np.float32)
    features *= 4 / np.linalg.norm(features, axis=0)
    matched = correspond(features, np.roll(features, (dy, dx), (1, 2)), 12 * CELL, 16 * CELL)
    inner = np.s_[4 * CELL : -4 * CELL, 5 * CELL : -5 * CELL]
    assert np.abs(matched.forward[inner] - np.float32([dx, dy]) * CELL).max() < 0.5
    assert np.abs(matched.backward[inner] + np.float32([dx, dy]) * CELL).max() < 0.5


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (33, 47)])
def test_an_arbiter_that_says_nothing_changes_nothing(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 255, (*size, 3), dtype=np.uint8) for _ in range(2))
    flow = rng.normal(size=(*size, 2)).astype(np.float32)
    ways = Ways(flow, -flow, np.full(size, 0.25, np.float32), np.ones(size, np.float32))

    def silent(seen: np.ndarray) -> np.ndarray:
        assert seen.shape[0] == arbitrate.INPUTS and seen.dtype == np.float32
        return np.zeros((arbitrate.OUTPUTS, *seen.shape[1:]), np.float32)

    decided = arbitrate.arbitrate(silent, a, b, ways, 0.5)
    assert np.array_equal(decided.from_a, ways.from_a) and np.array_equal(decided.from_b, ways.from_b)
    assert np.allclose(decided.share, ways.share, atol=1e-6)


def test_where_both_keyframes_agree_the_arbiter_is_not_asked() -> None:
    """A picture that matches everywhere stays what it is, whatever the network says."""
    a = (texture(64, 64) * 255).astype(np.uint8)
    still = np.zeros((64, 64, 2), np.float32)
    ways = Ways(still, still, np.full((64, 64), 0.5, np.float32), np.ones((64, 64), np.float32))
    decided = arbitrate.arbitrate(lambda seen: np.full((20, *seen.shape[1:]), 3, np.float32), a, a.copy(), ways, 0.5)
    assert np.array_equal(decided.from_a, still) and np.allclose(decided.share, 0.5)
