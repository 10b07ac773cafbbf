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


@pytest.fixture(autouse=True)
def nothing_of_the_testers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no cache, no keyring, no proxy."""
    names = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]
    names += ["HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def shop(tmp_path: Path, hub: FakeHub) -> Iterator[Shop]:
    """A model service whose catalogue has a toon on the hub."""
    used = Shop(tmp_path / "home", hub)
    used.catalogue()
    yield used
    used.close()
