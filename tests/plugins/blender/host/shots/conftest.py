"""For tests of whole shots: a small scene with drawn strips, the extension's modules, and the real server."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

TIMELINE = str(Path(__file__).parent.parent / "timeline")
if TIMELINE not in sys.path:
    sys.path.insert(0, TIMELINE)

WIDTH, HEIGHT = 128, 80
PATIENCE = 60.0
"""Seconds that anything may take on a slow, busy machine."""

FAKES = str(Path(__file__).parents[4] / "fakes")
"""Where the blend engine is."""

Show = Callable[[int], Any]


def drawing(position: int, dtype: str = "uint8", alpha: bool = False) -> Any:
    """A bright square at a place, painted with noise, over a background that is clear or dark with noise in it."""
    most = np.iinfo(dtype).max
    random = np.random.default_rng(7)
    picture = np.zeros((HEIGHT, WIDTH, 4), dtype)
    if not alpha:
        picture[..., :3] = random.integers(0, most // 4, (HEIGHT, WIDTH, 1))
        picture[..., 3] = most
    picture[24:56, position : position + 32, :3] = random.integers(most // 2, most, (32, 32, 3))
    picture[24:56, position : position + 32, 3] = most
    return picture


@pytest.fixture
def ext() -> Any:
    """The extension's modules."""
    import bl_ext.user_default.tweenbridge as extension
    from bl_ext.user_default.tweenbridge import choices, insertion, media, menus, records, session, shots, strips  # noqa: F401

    return extension


@pytest.fixture
def shot(ext: Any, server: Path, tmp_path: Path) -> Any:
    """The start-up scene at 128 x 80 in a saved file, with strips `a` [1, 5) and `b` [11, 15), both selected."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.sequence_editor_create()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    add(ext, bpy.context.scene, tmp_path, "a", 8, 1, 4)
    add(ext, bpy.context.scene, tmp_path, "b", 24, 11, 4)
    select(ext, "a", "b")
    bpy.context.scene.tweenbridge.profile_name = "draft"
    return bpy.context.scene


def add(
    ext: Any, scene: Any, folder: Path, name: str, position: int, start: int, length: int,
    dtype: str = "uint8", alpha: bool = False, channel: int = 1,
) -> None:  # fmt: skip
    """Put a drawing on the timeline."""
    import pictures

    pictures.write_png(folder / f"{name}.png", drawing(position, dtype, alpha))
    ext.strips.insert_images(
        scene, name=name, directory=str(folder), files=[f"{name}.png"] * length, start=start, channel=channel
    )


def another_file() -> None:
    """What File > New does, with the scene chosen in the sequencer's header."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = bpy.context.scene


def select(ext: Any, *names: str) -> None:
    """Select these strips and no others."""
    for span in ext.strips.spans(bpy.context.scene):
        ext.strips.find(bpy.context.scene, span.name).select = span.name in names


def spans(ext: Any) -> dict[str, tuple[int, int]]:
    """Where every strip is."""
    return {span.name: (span.start, span.end) for span in ext.strips.spans(bpy.context.scene)}


def new_strips(ext: Any) -> list[str]:
    """The strips of in-betweens, in time order."""
    found = [(where, name) for name, where in spans(ext).items() if ext.insertion.recipe_of(bpy.context.scene, name)]
    return [name for _, name in sorted(found)]


def remove(ext: Any, scene: Any, name: str) -> None:
    """Take a strip off the timeline, as an artist deletes it."""
    editor = scene.sequence_editor
    (editor.strips if hasattr(editor, "strips") else editor.sequences).remove(ext.strips.find(scene, name))


def files_of(ext: Any, name: str) -> list[Path]:
    """The file of each frame of a strip."""
    strip = ext.strips.find(bpy.context.scene, name)
    folder = Path(bpy.path.abspath(strip.directory))
    return [folder / element.filename for element in strip.elements]


def rendered(frame: int, path: Path, depth: str = "png8", alpha: bool = True) -> Any:
    """What the sequencer shows at a frame."""
    import exr
    import pictures
    from bl_ext.user_default.tweenbridge.frames import Depth, FrameForm, Renderer

    Renderer(bpy.context.scene.name, FrameForm(Depth(depth), alpha)).still(frame, path)
    return exr.read_exr(path) if depth == "exr32" else pictures.read_png(path)


@dataclass(frozen=True)
class BlendServer:
    """A second server, with an engine that waits in the middle of a job when its mischief is to wait.

    Attributes:
        home: its data folder.
        log: what its engine reads and writes.
    """

    home: Path
    log: Path

    def go_on(self) -> None:
        """Let the engine go on."""
        with self.log.open("a") as log:
            log.write("go on\n")


@contextmanager
def connected(ext: Any, home: Path) -> Iterator[None]:
    """The extension talks to the server of this data folder; afterwards to this machine's own again."""
    from tweenbridge import discovery

    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    server = ext.session.current.server
    try:
        preferences.place, preferences.key_file = "REMOTE", str(discovery.address_file(home))
        server.close()
        assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
        yield
    finally:
        preferences.place, preferences.key_file = "LOCAL", ""
        server.close()


@pytest.fixture
def blend_server(shot: Any, ext: Any, tmp_path: Path) -> Iterator[BlendServer]:
    """Such a server; the extension talks to it for this test."""
    from tweenbridge import discovery

    blend = BlendServer(tmp_path / "blend", tmp_path / "blend.log")
    blend.log.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPATH": FAKES, "BLEND_ENGINE_LOG": str(blend.log), "TWEENBRIDGE_HOME": str(blend.home)}
    process = subprocess.Popen(server_command(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: discovery.read_address(blend.home) is not None or process.poll() is not None)
        assert process.poll() is None, "the server ended"
        with connected(ext, blend.home):
            shot.tweenbridge.engine = "blend"
            yield blend
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def own_blend_server(shot: Any, ext: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlendServer]:
    """The same as the server of this machine, for this test: the extension starts it again when it is gone."""
    from tweenbridge import discovery, launcher

    blend = BlendServer(tmp_path / "own", tmp_path / "own.log")
    blend.log.touch()
    command = shlex.join(["env", f"PYTHONPATH={FAKES}", f"BLEND_ENGINE_LOG={blend.log}", *server_command()])
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(blend.home))
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", command)
    server = ext.session.current.server
    server.close()
    try:
        launcher.start_server(blend.home, timeout=PATIENCE)
        assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
        shot.tweenbridge.engine = "blend"
        yield blend
    finally:
        server.close()
        server.engines = ()
        address = discovery.read_address(blend.home)
        if address is not None:
            os.kill(address.pid, signal.SIGTERM)


def server_command() -> list[str]:
    """What starts the real server."""
    from tweenbridge import discovery

    command: list[str] = json.loads((discovery.data_dir() / "run" / "launch.json").read_text())["command"]
    return command


def until(what: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Wait until something is true."""
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def begin(ext: Any, **changes: Any) -> Any:
    """Start the shot that the selection means, as an invoked operator does; `drive` goes on with it."""
    from dataclasses import replace

    scene = bpy.context.scene
    wanted = replace(ext.choices.wanted_from(scene.tweenbridge), **changes)
    found = ext.shots.found_in(scene, scene.tweenbridge)
    return ext.session.current.start(ext.shots.new_record(scene, found, wanted, "//inbetweens/{shot}"))


def drive(ext: Any, generation: Any, until: Callable[[], bool] = lambda: False, patience: float = PATIENCE) -> None:
    """Step as a timer does, until something holds or the shot is finished."""
    end = time.monotonic() + patience
    while not until() and not ext.session.current.drive(generation):
        assert time.monotonic() < end, generation.sentence
        time.sleep(0.005)


def received(generation: Any) -> int:
    """Frames that have come."""
    return sum(batch.received for batch in generation._batches)
