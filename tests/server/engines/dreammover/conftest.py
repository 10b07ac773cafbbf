"""Small models, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_models import make_folder


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {"1.x": make_folder(root / "first"), "2.x": make_folder(root / "second", second=True)}


@pytest.fixture
def model_folder(model_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A 1.x folder that a test may spoil."""
    return Path(shutil.copytree(model_folders["1.x"], tmp_path / "model"))
