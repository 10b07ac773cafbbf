"""A model service on a scratch folder, and a hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub
from model_bytes import model
from model_shop import REPOSITORY, Shop


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    fake = FakeHub()
    fake.repositories[REPOSITORY] = {**model(), "README.md": b"not wanted"}
    yield fake
    fake.close()


@pytest.fixture
def shop(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Nothing of the tester's own: no token, no cache, no keyring."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    used = Shop(tmp_path / "home", hub)
    used.catalogue()
    yield used
    used.close()
