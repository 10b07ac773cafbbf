"""The model that comes with Tweenbridge: whole, small, licensed, in the wheel, and ready without a self-check."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tweenbridge_server.engines.base import Workplace
from tweenbridge_server.engines.dreammover.builtin import NANO, NANO_TRAITS
from tweenbridge_server.engines.dreammover.folders import files_of_model
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.recognise import read_header
from tweenbridge_server.engines.dreammover.resident import Residence

ROOT = Path(__file__).resolve().parents[4]
MOST_BYTES = 24_000_000


def test_it_is_whole_small_and_licensed() -> None:
    files = files_of_model(NANO, with_vae=True)
    assert sum(path.stat().st_size for path in NANO.rglob("*") if path.is_file()) <= MOST_BYTES
    assert {path.suffix for path in files} <= {".json", ".txt", ".safetensors"}
    assert "SIL OPEN FONT LICENSE Version 1.1" in (NANO / "OFL.txt").read_text("utf-8")
    credits = (NANO / "README.md").read_text("utf-8")
    assert all(name in credits for name in ("Noto Color Emoji", "Chelsea", "coffee", "Eileen Collins", "Falcon 9"))


def test_its_networks_are_in_half_precision() -> None:
    for part in ("unet", "vae"):
        (weights,) = (NANO / part).glob("*.safetensors")
        numbers = sum(_count(shape) for shape in read_header(weights).shapes.values())
        assert weights.stat().st_size < 2 * numbers + 200_000


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def test_what_suits_it_is_known_from_the_start(tmp_path: Path) -> None:
    fractions: list[float] = []
    resident = Residence(Workplace("cpu", tmp_path)).get(find({"model": str(NANO)}), fractions.append)
    assert resident.traits == NANO_TRAITS
    assert not (tmp_path / "traits").exists()
    assert max(fractions) <= 0.7, "the rest of the way is the self-check's"


@pytest.mark.slow
def test_the_wheel_contains_it(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    for name in ("shared", "server", "installer"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as inside:
        names = {name for name in inside.namelist() if "/dreammover/nano/" in name}
    wanted = {path.relative_to(ROOT / "server").as_posix() for path in NANO.rglob("*") if path.is_file()}
    assert names == wanted
