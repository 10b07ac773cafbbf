"""A cluster for all tests of a file; those that kill a node get another one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import FAKES
from ray_studio import Studio, start_cluster


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, and the variables that nodes inherit."""
    folder = tmp_path_factory.mktemp("studio")
    path = os.pathsep.join([str(FAKES), *filter(None, [os.environ.get("PYTHONPATH")])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("BLEND_ENGINE_LOG", str(folder / "blend.log"))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Ray listens on all interfaces, and runs what it is sent.
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        yield folder


@pytest.fixture(scope="module")
def whole_studio(surroundings: Path) -> Iterator[Studio]:
    studio = start_cluster(surroundings)
    try:
        studio.add_node("anna")
        studio.add_node("ben")
        yield studio
    finally:
        studio.close()
        studio.cluster.shutdown()


@pytest.fixture
def studio(whole_studio: Studio) -> Iterator[Studio]:
    """The cluster, with both nodes alive."""
    for name in ("anna", "ben"):
        if name not in whole_studio.nodes:
            whole_studio.add_node(name)
    yield whole_studio
    whole_studio.close()
