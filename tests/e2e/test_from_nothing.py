"""The first command of the README in an empty home: begun with a network, killed, ended without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from tweenbridge_installer import offline

ROOT = Path(__file__).resolve().parents[2]
KILLED_AFTER = 5.0
"""Seconds: the environment is made, and packages are being unpacked into it."""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a whole group of processes")
def test_from_nothing_to_the_demo_killed_on_the_way(tmp_path: Path) -> None:
    offline.build(ROOT, tmp_path / "all wheels", ["server"], lambda _: None)
    (archive,) = (tmp_path / "all wheels").glob("tweenbridge-*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("tweenbridge-*")
    (tmp_path / "home").mkdir()
    environment = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    # The Python that this environment was made with: nothing of ours is in it.
    python = getattr(sys, "_base_executable", sys.executable)

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [python, "bootstrap.py", *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    first = start("demo")
    time.sleep(KILLED_AFTER)
    assert first.poll() is None, first.communicate()[0]
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    began = time.monotonic()
    # What is named here would be asked, if anything were.
    environment |= {"TWEENBRIDGE_OFFLINE": str(tmp_path / "all wheels"), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    second = start("demo")
    try:
        said = second.communicate(timeout=240)[0]
        assert second.returncode == 0, said
        print(f"from half an environment to the demo: {time.monotonic() - began:.1f} s")
        assert len(list((folder / "tweenbridge-demo/frames").glob("*.png"))) == 22
        assert (folder / "tweenbridge-demo/hop.mp4").stat().st_size > 10_000
    finally:
        start("stop").communicate(timeout=60)
