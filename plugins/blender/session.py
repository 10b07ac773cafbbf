# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the add-on has under way in this Blender: the server's client, the shots, and the records on disk.

A shot is driven by the modal operator that began it (so that inserting it is one undo step); a timer of Blender drives
those whose operator is gone with its window, and looks for a server while the panel is seen. Before another file is
loaded everything is let go: it goes on at the server, and is offered when the file is opened again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import collecting, folders, insertion, records
from .errors import PluginError
from .folders import records_folder
from .generation import Generation, Stage
from .records import Record
from .server import Problem, Server, Where

TICK = 0.05
"""Seconds from one step to the next."""
_FETCHING = 0.025
"""Seconds of a step for which frames are fetched one after the other."""
_ROUND_TRIP = 0.005
"""Seconds that the next one may take to come, before Blender has its turn again."""
_ORPHANED = 1.0
"""Seconds after which a shot that nobody drives is driven by the timer."""
_SEEN = 2.0
"""Seconds that the panel counts as seen after it was drawn."""


class Session:
    """What is under way.

    Attributes:
        server: the other end.
        shots: generations that are not finished, or whose end nobody has noticed yet; by id.
        problem: the last thing that went wrong.
        waiting: records of this file whose strips have not been inserted and that nobody works on.
        notes: what should be known of the last result.
        elsewhere: strips of this saved file whose frames lie elsewhere, because it was not saved when they were made.
        prepare: makes what panels draw and cannot make while they are drawn; called from the timer.
    """

    def __init__(self) -> None:
        self.server = Server()
        self.shots: dict[str, Generation] = {}
        self.problem: Problem | None = None
        self.waiting: list[Record] = []
        self.notes: tuple[str, ...] = ()
        self.elsewhere = 0
        self.prepare: Callable[[], None] = lambda: None
        self._drawn = 0.0

    @property
    def active(self) -> list[Generation]:
        """Shots that are going on, oldest first."""
        return [shot for shot in self.shots.values() if not shot.stage.is_final]

    def start(self, record: Record, renders: bool = True) -> Generation:
        """Begin a shot, or go on with one of an earlier session.

        Raises:
            PluginError: the key file of the remote server cannot be read.
        """
        place = where()
        self.server.open(place)
        self.problem, self.notes = None, ()
        self.waiting = [other for other in self.waiting if other.id != record.id]
        shot = Generation(record, self.server, place, records_folder(), renders)
        self.shots[record.id] = shot
        return shot

    def step(self, patience: float = 0.0) -> bool:
        """Take what the server said; whether it said anything.

        Args:
            patience: seconds to wait for it to say something.
        """
        events = self.server.poll(patience)
        for event in events:
            for shot in self.active:
                shot.take(event)
        self._give_up()
        return bool(events)

    def _give_up(self) -> None:
        """End what waits for a server that there is no hope of."""
        problem = self.server.hopeless()
        asking = [shot for shot in self.active if shot.stage is Stage.GENERATING]
        if problem is None or not asking:
            return
        # The client would insist for ever; without it the jobs wait at the server, and can be gone on with later.
        self.server.close()
        self.server.problem = problem
        for shot in asking:
            shot.give_up(problem)

    def drive(self, shot: Generation) -> bool:
        """One step of a shot; whether it is finished."""
        end = time.monotonic() + _FETCHING
        # One frame comes at a time: with one for each tick, a thousand would take a minute.
        while self.step(_ROUND_TRIP if shot.stage is Stage.GENERATING else 0.0) and time.monotonic() < end:
            pass
        if not shot.stage.is_final:
            shot.step(push_undo)
        if shot.stage.is_final:
            self._finished(shot)
        return shot.stage.is_final

    def leave_to_timer(self, shot: Generation) -> None:
        """Have Blender's timer drive a shot from its next tick on."""
        shot.stepped = -math.inf

    def _finished(self, shot: Generation) -> None:
        if self.shots.pop(shot.record.id, None) is None:
            return
        if shot.stage is Stage.FAILED:
            self.problem = shot.problem or self.problem
            self.look_for_records()
        elif shot.stage is Stage.DONE:
            self.notes = shot.notes
            self.elsewhere = collecting.waiting()

    # ------------------------------------------------------------ files

    def look_for_records(self) -> None:
        """Find what was asked for in this file and not inserted."""
        ids = {scene.tweenbridge.file_id for scene in bpy.data.scenes}
        self.waiting = [
            record
            for record in records.load(records_folder())
            if record.id not in self.shots and any(record.belongs_to(each, bpy.data.filepath) for each in ids | {""})
        ]

    def resume(self, record: Record) -> Generation:
        """Go on with a shot of an earlier session.

        Raises:
            PluginError: its scene or its keyframes are gone.
        """
        record = insertion.located(record)
        scene = insertion.scene_of(record)
        if not insertion.all_there(scene, record.drafted):
            record = records.without_draft(record)
        shot = self.start(record, renders=False)
        missing = [index for index in range(len(record.plan.keyframes)) if not shot.keyframe_file(index).is_file()]
        if missing:
            del self.shots[record.id]
            self.forget(record)
            raise PluginError(
                f"The key drawings of {shot.title} are not on disk any more.", "Generate the in-betweens again."
            )
        return shot

    def forget(self, record: Record) -> None:
        """Do not offer a shot any more. Its files stay."""
        records.forget(record, records_folder())
        self.waiting = [other for other in self.waiting if other.id != record.id]

    def part(self) -> None:
        """Another file is about to be loaded, or the add-on to be switched off."""
        for shot in self.active:
            shot.part()
        self.server.close()
        self.shots.clear()
        self.waiting, self.problem, self.notes, self.elsewhere = [], None, (), 0
        folders.forget_projects()

    # ------------------------------------------------------------ the timer

    def seen(self) -> None:
        """The panel was drawn."""
        self._drawn = time.monotonic()

    def tick(self) -> float:
        """What Blender's timer calls; returns the seconds until the next time."""
        now = time.monotonic()
        for shot in list(self.shots.values()):
            if now > shot.stepped + _ORPHANED and self.drive(shot) and shot.stage is Stage.DONE:
                push_undo("Insert In-Betweens")
        if now < self._drawn + _SEEN or self.server.connected:
            self.prepare()
            before = (self.server.connected, self.server.engines, self.server.problem, self.server.status)
            try:
                self.server.open(where())
            except PluginError as error:
                self.server.problem = Problem.of(error)
            self.step()
            if before != (self.server.connected, self.server.engines, self.server.problem, self.server.status):
                redraw()
        return TICK if self.active else 0.25


current = Session()
"""The session of this Blender."""


def where() -> Where:
    """Where the preferences say the server is."""
    chosen = bpy.context.preferences.addons[__package__].preferences
    key_file = bpy.path.abspath(chosen.key_file) if chosen.key_file else ""
    return Where(chosen.place == "REMOTE", key_file, bpy.app.online_access)


def push_undo(message: str) -> None:
    """Make what was just done an undo step of its own."""
    if bpy.ops.ed.undo_push.poll():
        bpy.ops.ed.undo_push(message=message)


def redraw() -> None:
    """Have the sequencer's sidebars and the preferences drawn again; the preview beside them would take long."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in {("SEQUENCE_EDITOR", "UI"), ("PREFERENCES", "WINDOW")}:
                    region.tag_redraw()


def _tick() -> float:
    return current.tick()


@persistent  # type: ignore[untyped-decorator]
def _before_load(*_: Any) -> None:
    current.part()


@persistent  # type: ignore[untyped-decorator]
def _after_load(*_: Any) -> None:
    _first_look()


@persistent  # type: ignore[untyped-decorator]
def _after_save(*_: Any) -> None:
    current.elsewhere = collecting.waiting()
    redraw()


def _first_look() -> None:
    current.look_for_records()
    current.elsewhere = collecting.waiting()


def register() -> None:
    """Begin to listen to Blender."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.handlers.save_post.append(_after_save)
    bpy.app.timers.register(_tick, first_interval=0.5, persistent=True)
    # While add-ons are being registered no file may be looked at.
    bpy.app.timers.register(_first_look, first_interval=0.1)


def unregister() -> None:
    """Let go of everything."""
    for timer in (_tick, _first_look):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_post.remove(_after_save)
    current.part()
