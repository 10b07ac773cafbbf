"""What the documents tell readers to run is run: the commands of some pages, and the engine that one page makes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from pages import ROOT, arguments, blocks, is_ours
from pictures import keyframe
from tweenbridge import Client, read_address
from tweenbridge_installer import pip

DOCS = ROOT / "docs"


class Reader:
    """Somebody who types what a page says, in a folder with keyframes, with a Tweenbridge of their own."""

    def __init__(self, folder: Path, packages: Path | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        command = [sys.executable, "-m", "tweenbridge_server", "serve"]
        self.environment = {
            **os.environ, "TWEENBRIDGE_HOME": str(self.home), "TWEENBRIDGE_SERVER_COMMAND": shlex.join(command),
        }  # fmt: skip
        if packages is not None:
            self.environment["PYTHONPATH"] = str(packages)
        for step, name in enumerate("abc"):
            (folder / f"{name}.png").write_bytes(keyframe(step, 160, 120))
        _film(folder / "clip.mp4")

    def type(self, line: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "tweenbridge_server", *arguments(line)], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        return result.stdout

    def follow(self, page: str, kind: str = "sh") -> int:
        lines = [line for block in blocks(DOCS / page) if block.kind == kind for line in block.text.splitlines()]
        for line in filter(is_ours, lines):
            self.type(line)
        return len(lines)

    def names(self, folder: str) -> int:
        return len(list((self.folder / folder).glob("inbetween_*")))

    def leave(self) -> None:
        if read_address(self.home) is not None:
            with Client(self.home, start_server=False) as client:
                client.stop_server()


def _film(path: Path) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=24)
        stream.width, stream.height = 160, 120
        for step in range(12):
            picture = np.zeros((120, 160, 3), np.uint8)
            picture[40:80, 10 * step : 10 * step + 40] = 200
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(stream.encode())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


@pytest.mark.slow
def test_commands_of_the_pages_for_animators(reader: Reader) -> None:
    assert sum(reader.follow(page) for page in ("quick-start.md", "timing.md", "engines.md")) >= 9
    assert (reader.names("a-to-b"), reader.names("shot"), reader.names("slow")) == (5, 22, 8)
    assert (reader.names("halves"), reader.names("cycle"), reader.names("trial")) == (7, 9, 7)
    assert (reader.folder / "look.mp4").stat().st_size > 1000


def test_the_engine_of_the_page_is_found_and_works(tmp_path: Path) -> None:
    source = tmp_path / "cross-fade"
    for block in blocks(DOCS / "new-engine.md"):
        if block.title:
            path = source / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    packages = tmp_path / "packages"
    wanted = ["--no-deps", "--target", str(packages), str(source)]
    pip.install(Path(sys.executable), wanted, tmp_path / "pip.log", "3", progress=False)
    reader = Reader(tmp_path, packages)
    try:
        assert reader.follow("new-engine.md", "sh engine") == 2
        assert "cross-fade: Cross-fade" in reader.type("tweenbridge engines")
        assert reader.names("faded") == 3
    finally:
        reader.leave()
