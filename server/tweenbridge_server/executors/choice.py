"""Which executor a server has."""

from __future__ import annotations

from pathlib import Path

from .base import Executor, WorkerSettings
from .cluster.messages import ClusterSettings


def choose(name: str, home: Path, settings: WorkerSettings, cluster: ClusterSettings) -> Executor:
    """The executor that the setting `workers.executor` names.

    Raises:
        TweenbridgeError: START_FAILED, when it is the cluster's and Ray is not installed.
    """
    if name == "cluster":
        from .cluster.executor import ClusterExecutor

        return ClusterExecutor(home, settings, cluster)
    from .local import LocalExecutor

    return LocalExecutor(home, settings)
