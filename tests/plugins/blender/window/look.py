"""Run inside a Blender window: makes a shot from a timer, as an artist would, and takes pictures of it.

    blender --factory-startup --app-template Video_Editing -P look.py -- EXTENSION.zip OUT KEYFRAME KEYFRAME

Writes `*.png` and `facts.json`: what was on the timeline when, and the longest
time between two ticks of a timer while keyframes were rendered, while in-betweens were made, and while Blender showed
another frame by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

EXTENSION, OUT, *KEYFRAMES = sys.argv[sys.argv.index("--") + 1 :]
TICK = 0.02
SEVERAL = 40
NOTED = 0.15
NEARLY_NOTHING = 0.04

out = Path(OUT)
bpy.context.preferences.view.show_splash = False
bpy.ops.extensions.package_install_files(
    filepath=EXTENSION, repo="user_default", enable_on_install=True, overwrite=True
)
extension = sys.modules["bl_ext.user_default.tweenbridge"]


def timeline() -> Any:
    """The scene that the sequencer shows, which is not the window's."""
    [window] = bpy.context.window_manager.windows
    scene: Any = window.workspace.sequencer_scene
    if scene == window.scene:
        window.scene = bpy.data.scenes.new("Set")
    return scene


def sequencer() -> tuple[Any, Any, Any]:
    """The window, its timeline area, and that area's main region."""
    window = bpy.context.window_manager.windows[0]
    areas = [area for area in window.screen.areas if area.type == "SEQUENCE_EDITOR"]
    area = max(areas, key=lambda each: each.width * each.height)
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def call(operator: Any, *arguments: Any, **named: Any) -> Any:
    """Call an operator as if from the timeline."""
    window, area, region = sequencer()
    with bpy.context.temp_override(window=window, area=area, region=region):
        return operator(*arguments, **named)


def picture(name: str) -> None:
    """A picture of the window: Blender's own is black from a timer."""
    subprocess.run(["import", "-window", "root", str(out / f"{name}.png")], check=True)


def prepare() -> Any:
    """Two drawings on the timeline with a gap between them; the sidebar open and tall."""
    scene = timeline()
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    scene.frame_end = 60
    scene.view_settings.view_transform = "Standard"
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "walk.blend"))
    scene = timeline()
    scene.sequence_editor_create()
    folder, strips = Path(KEYFRAMES[0]).parent, extension.strips
    for name, path, start in zip(("pose_a", "pose_b"), KEYFRAMES, (1, 31)):
        file = Path(path).name
        strips.insert_images(
            scene, name=name, directory=str(folder), files=[file] * 10, start=start, channel=1, colour="COLOR_05"
        )
    for span in strips.spans(scene):
        strips.find(scene, span.name).select = True
    scene.tweenbridge.profile_name = "quality"
    bpy.ops.ed.undo_push(message="Keyframes")
    return scene


def arrange() -> Iterator[None]:
    """Give the sequencer most of the window and open its sidebar at our panel."""
    [window] = bpy.context.window_manager.windows
    area = max(window.screen.areas, key=lambda each: each.width * each.height)
    area.type = "SEQUENCE_EDITOR"
    space = area.spaces[0]
    space.view_type = "SEQUENCER_PREVIEW"
    space.show_region_ui = True
    space.timeline_overlay.show_strip_source = False
    yield
    call(bpy.ops.sequencer.view_all)
    [sidebar] = [region for region in area.regions if region.type == "UI"]
    sidebar.active_panel_category = "Tweenbridge"


class Clock:
    """Measures the longest time between two ticks."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.longest: dict[str, float] = {}

    def note(self, name: str, seconds: float) -> None:
        """Keep the longest."""
        self.longest[name] = max(self.longest.get(name, 0.0), seconds)

    def skip(self) -> None:
        """What has just been done is not Blender's or the extension's doing."""
        self._last = time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        for shot in extension.session.current.active:
            self.note(f"between ticks while {shot.stage.value}", now - self._last)
            if now - self._last > NOTED:
                print(f"{now - self._last:.3f} s between ticks, {shot.sentence}", flush=True)
        self._last = now


clock = Clock()
drive = extension.session.Session.drive


def timed_drive(session: Any, shot: Any) -> bool:
    # Of the processor: other programs of a busy machine are not the extension's doing.
    before, stage = time.thread_time(), shot.stage.value
    finished = drive(session, shot)
    name = f"step of {stage}" + (", the last" if finished else "")
    clock.note(name, time.thread_time() - before)
    return finished


extension.session.Session.drive = timed_drive


def script() -> Iterator[None]:
    """What happens, tick by tick."""
    scene = prepare()
    yield from arrange()
    for _ in range(SEVERAL):
        yield
    # Not where the panel, which is seen by now, has begun to.
    if call(bpy.ops.tweenbridge.start_server.poll):
        call(bpy.ops.tweenbridge.start_server, "INVOKE_DEFAULT")
    while not extension.session.current.server.connected:
        yield
    for _ in range(SEVERAL):
        yield
    picture("blender-panel")
    clock.skip()
    yield
    for frame in (35, 5, 36, 1):
        # What Blender takes by itself to show another frame: shots are measured against this.
        scene.frame_set(frame)
        call(bpy.ops.sequencer.refresh_all)
        for _ in range(3):
            before = time.monotonic()
            yield
            clock.note("Blender showing another frame by itself", time.monotonic() - before)
    clock.skip()
    call(bpy.ops.tweenbridge.generate, "INVOKE_DEFAULT")
    session = extension.session.current
    seen = False
    while session.active:
        shot = session.active[0]
        if not seen and shot.fraction > 0.5:
            seen = True
            picture("blender-progress")
            clock.skip()
        yield
    for _ in range(SEVERAL):
        yield
    if session.problem is not None:
        print("PROBLEM", session.problem, flush=True)
    scene.frame_set(20)
    call(bpy.ops.sequencer.view_all)
    for _ in range(SEVERAL):
        yield
    picture("blender-result")
    yield from afterwards()


def names() -> list[str]:
    """The strips on the timeline."""
    return sorted(span.name for span in extension.strips.spans(timeline()))


def until_one_has_come() -> Iterator[None]:
    """Start a shot, and go on until its first frame has come."""
    scene = timeline()
    for span in extension.strips.spans(scene):
        extension.strips.find(scene, span.name).select = span.name in {"pose_a", "pose_b"}
    scene.tweenbridge.profile_name = "quality"
    call(bpy.ops.tweenbridge.generate, "INVOKE_DEFAULT")
    shot = extension.session.current.active[-1]
    while shot.fraction < NEARLY_NOTHING:
        yield


def afterwards() -> Iterator[None]:
    """Undo, redo, cancel, and another file opened in mid-job."""
    session = extension.session.current
    facts["strips"] = names()
    call(bpy.ops.ed.undo)
    facts["after undo"] = names()
    call(bpy.ops.ed.redo)
    facts["after redo"] = names()
    call(bpy.ops.ed.undo)
    yield from until_one_has_come()
    call(bpy.ops.tweenbridge.cancel)
    for _ in range(SEVERAL):
        yield
    facts["after cancel"] = names()
    bpy.ops.wm.save_mainfile()
    yield from until_one_has_come()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath, load_ui=False)
    for _ in range(SEVERAL):
        yield
    facts["after reload"] = names()
    facts["offered"] = len(session.waiting)
    call(bpy.ops.tweenbridge.insert_finished, "INVOKE_DEFAULT")
    while session.active:
        yield
    for _ in range(SEVERAL):
        yield
    facts["in the end"] = names()
    # Repeat Last and Adjust Last Operation execute it; the window goes on.
    for span in extension.strips.spans(timeline()):
        extension.strips.find(timeline(), span.name).select = span.name in {"pose_a", "pose_b"}
    before = time.thread_time()
    call(bpy.ops.tweenbridge.generate, "EXEC_DEFAULT", number=2)
    facts["executing took"] = time.thread_time() - before
    while session.active:
        yield
    for _ in range(SEVERAL):
        yield
    facts["executed"] = names()
    # The window is closed in mid-job.
    yield from until_one_has_come()


facts: dict[str, Any] = {}
running = script()


def tick() -> float | None:
    clock.tick()
    try:
        next(running)
    except StopIteration:
        (out / "facts.json").write_text(json.dumps({**facts, "longest": clock.longest}, indent=1))
        bpy.ops.wm.quit_blender()
        return None
    except Exception:  # noqa: BLE001 - a timer that raises would leave the window open for ever
        traceback.print_exc()
        bpy.ops.wm.quit_blender()
        return None
    return TICK


bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
