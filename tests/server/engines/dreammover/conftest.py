"""Models and recorded data lie beside the project; tests that need them say so and skip where they are absent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tiny_models import make_folder
from tweenbridge_server.engines.dreammover.builtin import NANO

SHARED = Path(__file__).resolve().parents[5] / "shared"


def beside(*parts: str) -> Path:
    """A file or folder of the shared data, or the test skips."""
    place = SHARED.joinpath(*parts)
    if not place.exists():
        pytest.skip(f"needs {'/'.join(parts)} of the shared data beside the project")
    return place


@pytest.fixture(scope="session")
def tiny_sd() -> Path:
    """A folder of Stable Diffusion 1.5's layout with small random weights."""
    return beside("golden", "tiny-sd")


@pytest.fixture(scope="session")
def nano_sd() -> Path:
    """A small trained model of the same layout: the one that comes with Tweenbridge."""
    return NANO


@pytest.fixture(scope="session")
def golden_cases() -> Path:
    """Folder of recorded arrays."""
    return beside("golden", "cases")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from more threads, and machines that run tests have few cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"1.x": make_folder(root / "first"), "2.x": make_folder(root / "second", second=True)}


@pytest.fixture
def model_folder(model_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A 1.x folder that a test may spoil."""
    return Path(shutil.copytree(model_folders["1.x"], tmp_path / "model"))
