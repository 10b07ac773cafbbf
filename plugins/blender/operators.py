# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do with shots: generate, cancel, edit, a new take, a breakdown, insert what is finished."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

import dataclasses
import time
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from . import choices, insertion, session, shots, strips
from .errors import CoverError, PluginError
from .gaps import Found
from .generation import Generation, Stage
from .plan import Wanted
from .records import Record
from .server import Problem
from .statusbar import show_progress

LONGEST_WAIT = 3600.0
"""Seconds that a shot may take where nothing else can happen meanwhile, in background mode and scripts."""


def report(operator: Any, problem: Problem | PluginError) -> set[str]:
    """Say what is wrong; the panel keeps it on show."""
    shown = Problem.of(problem) if isinstance(problem, PluginError) else problem
    session.current.problem = shown
    operator.report({"ERROR"}, f"{shown.sentence} {shown.remedy}")
    session.redraw()
    return {"CANCELLED"}


def pattern() -> str:
    """The folder for in-betweens, as the preferences say."""
    return str(bpy.context.preferences.addons[__package__].preferences.folder)


def in_sequencer(context: Any) -> bool:
    """Whether the sequencer is where the pointer is; in scripts and timers, that it is nowhere else."""
    return context.area is None or bool(context.area.type == "SEQUENCE_EDITOR")


class ShotOperator:
    """Drives one shot: step by step from a timer when it was invoked, in a loop when it was executed."""

    function = ""
    """What the operator is called in `bpy.ops.tweenbridge`."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """The artist is in the sequencer, or a script asks that is in no editor."""
        return in_sequencer(context)

    _shot: Generation
    _timer: Any = None

    def begin(self, context: Any) -> Generation:
        """Start the shot.

        Raises:
            PluginError: it cannot be started.
        """
        raise NotImplementedError

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Begin, and go on from a timer."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._shot = self.begin(context)
        except CoverError as error:
            bpy.ops.tweenbridge.cover("INVOKE_DEFAULT", function=self.function, sentence=error.sentence)
            return {"CANCELLED"}
        except PluginError as error:
            return report(self, error)
        manager = context.window_manager
        self._timer = manager.event_timer_add(session.TICK, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """One step per tick; everything else goes on to Blender."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        finished = session.current.drive(self._shot)
        show_progress()
        if not finished:
            return {"PASS_THROUGH"}
        self._end_timer(context)
        return self._result()

    def cancel(self, context: Any) -> None:
        """The window is being closed: the session's own timer goes on with the shot."""
        self._end_timer(context)

    def execute(self, context: Any) -> set[str]:
        """Do all of it before returning; in a window, begin it and leave the rest to the session's timer.

        Adjust Last Operation and Repeat Last execute an operator that was invoked.
        """
        try:
            self._shot = self.begin(context)
        except PluginError as error:
            return report(self, error)
        if not bpy.app.background:
            session.current.leave_to_timer(self._shot)
            return {"FINISHED"}
        end = time.monotonic() + LONGEST_WAIT
        while not session.current.drive(self._shot):
            time.sleep(session.TICK / 10)
            if time.monotonic() > end:
                self._shot.cancel()
        return self._result()

    def _end_timer(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _result(self) -> set[str]:
        shot = self._shot
        if shot.stage is Stage.FAILED and shot.problem is not None:
            return report(self, shot.problem)
        if shot.stage is not Stage.DONE:
            return {"FINISHED"} if shot.record.drafted else {"CANCELLED"}
        count = len(shot.strips)
        done = f"{shot.record.frames} frames inserted in {count} strips." if count > 1 else "In-betweens inserted."
        self.report({"INFO"}, " ".join((done, *shot.notes)))  # type: ignore[attr-defined]
        return {"FINISHED"}


class CoverOption:
    """The option of an operator that may hide other clips."""

    cover: BoolProperty(
        name="Cover Other Strips",
        description="Insert in-betweens even where they hide another strip",
        options={"SKIP_SAVE"},
    )


class SelectionOperator(CoverOption, ShotOperator):
    """Starts the shot that the selection, the list or the markers mean."""

    breakdown = False

    def begin(self, context: Any) -> Generation:
        """Start the shot that the selection and the settings mean."""
        scene = shots.check_editable(context)
        settings = scene.tweenbridge
        wanted = choices.wanted_from(settings)
        number = getattr(self, "number", 0)
        if number:
            wanted = dataclasses.replace(wanted, count=number, chart=())
        if self.breakdown:
            wanted = dataclasses.replace(wanted, breakdown=True, count=None, chart=(), loop=False, draft_first=False)
        found, wanted = self.chosen(context, scene, wanted)
        return session.current.start(shots.new_record(scene, found, wanted, pattern(), self.cover))

    def chosen(self, _context: Any, scene: Any, wanted: Wanted) -> tuple[Found, Wanted]:
        """The key drawings that are meant, and the settings for them.

        Raises:
            PluginError: there are none.
        """
        return shots.found_in(scene, scene.tweenbridge), wanted


class TWEENBRIDGE_OT_generate(SelectionOperator, bpy.types.Operator):  # type: ignore[misc]
    """Make in-betweens between the key drawings shown above and insert them on the timeline"""

    bl_idname = "tweenbridge.generate"
    bl_label = "Generate In-Betweens"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    function = "generate"
    number: IntProperty(
        name="Number",
        description="In-betweens in every gap; 0 takes what the sidebar says",
        min=0,
        max=1000,
        options={"SKIP_SAVE"},
    )


class TWEENBRIDGE_OT_fill_all_gaps(SelectionOperator, bpy.types.Operator):  # type: ignore[misc]
    """Make in-betweens in every gap of the active strip's channel, or between the selected strips, in one go"""

    bl_idname = "tweenbridge.fill_all_gaps"
    bl_label = "Fill All Gaps"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    function = "fill_all_gaps"
    between: EnumProperty(
        name="Gaps",
        items=[
            ("CHANNEL", "On Channel", "All gaps on the channel of the active strip"),
            ("SELECTED", "Between Selected", "The gaps between neighbouring selected strips"),
        ],
    )
    occupied: EnumProperty(
        name="Occupied",
        description="What to do with a gap in which in-betweens or other clips are seen already",
        items=[
            ("SKIP", "Skip", "Leave it as it is"),
            ("COVER", "Cover", "Fill it as well; what is there stays below"),
        ],
    )
    longest: IntProperty(
        name="Longest Gap", description="Longer gaps are left, as between two shots; 0 fills all", default=48, min=0
    )

    def chosen(self, context: Any, scene: Any, wanted: Wanted) -> tuple[Found, Wanted]:
        """The gaps that are to be filled. Strips do not move, and there is no loop."""
        name = "" if self.between == "SELECTED" else strips.active_name(context)
        if self.between == "CHANNEL" and not name:
            raise PluginError("No strip is active, so no channel is chosen.", "Click a strip on the channel.")
        self.cover = self.cover or self.occupied == "COVER"
        found = shots.all_gaps(scene, name, self.occupied == "SKIP", self.longest)
        return found, dataclasses.replace(wanted, loop=False, ripple=False)


class TWEENBRIDGE_OT_breakdown(SelectionOperator, bpy.types.Operator):  # type: ignore[misc]
    """Make only the middle pose of every gap: redraw it, then select it with its neighbours and generate"""

    bl_idname = "tweenbridge.breakdown"
    bl_label = "Breakdown"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    function = "breakdown"
    breakdown = True


class TWEENBRIDGE_OT_regenerate(CoverOption, ShotOperator, bpy.types.Operator):  # type: ignore[misc]
    """Make a new take of the active strip with the settings above. The old take is kept, muted"""

    bl_idname = "tweenbridge.regenerate"
    bl_label = "Regenerate In-Betweens"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    function = "regenerate"

    def begin(self, context: Any) -> Generation:
        """Start the new take."""
        scene = shots.check_editable(context)
        wanted = choices.wanted_from(scene.tweenbridge)
        return session.current.start(shots.new_take(scene, strips.active_name(context), wanted, self.cover))


class TWEENBRIDGE_OT_insert_finished(ShotOperator, bpy.types.Operator):  # type: ignore[misc]
    """Insert in-betweens that were asked for before this file was closed, or that could not be inserted"""

    bl_idname = "tweenbridge.insert_finished"
    bl_label = "Insert Finished"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    shot: StringProperty(name="Shot", options={"HIDDEN", "SKIP_SAVE"})

    def begin(self, context: Any) -> Generation:
        """Go on with the shot."""
        shots.check_editable(context)
        return session.current.resume(_waiting(self.shot))


class TWEENBRIDGE_OT_cover(bpy.types.Operator):  # type: ignore[misc]
    """Ask whether in-betweens may cover what is on the timeline, then make them"""

    bl_idname = "tweenbridge.cover"
    bl_label = "Cover Other Strips"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender's own form

    function: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    sentence: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask."""
        answer: set[str] = context.window_manager.invoke_confirm(
            self, event, title="Cover other strips?", message=self.sentence, confirm_text="Cover", icon="WARNING"
        )
        return answer

    def execute(self, _context: Any) -> set[str]:
        """Yes: start again, without asking."""
        getattr(bpy.ops.tweenbridge, self.function)("INVOKE_DEFAULT", cover=True)
        return {"FINISHED"}


def _waiting(shot: str) -> Record:
    """The record of a shot that waits to be inserted; the oldest when none is named."""
    session.current.look_for_records()
    for record in session.current.waiting:
        if shot in ("", record.id):
            return record
    raise PluginError("There is nothing to insert for this file.", "Generate in-betweens first.")


class TWEENBRIDGE_OT_forget(bpy.types.Operator):  # type: ignore[misc]
    """Do not offer these in-betweens any more. Frames that are on disk stay there"""

    bl_idname = "tweenbridge.forget"
    bl_label = "Do Not Insert"

    shot: StringProperty(name="Shot", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, _context: Any) -> set[str]:
        """Forget the shot."""
        try:
            session.current.forget(_waiting(self.shot))
        except PluginError as error:
            return report(self, error)
        return {"FINISHED"}


class TWEENBRIDGE_OT_cancel(bpy.types.Operator):  # type: ignore[misc]
    """Stop making these in-betweens"""

    bl_idname = "tweenbridge.cancel"
    bl_label = "Cancel"

    shot: StringProperty(name="Shot", description="Which one; all of them when empty", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Something is going on."""
        return bool(session.current.active)

    def execute(self, _context: Any) -> set[str]:
        """Cancel; the operator that drives the shot ends with its next step."""
        for shot in session.current.active:
            if self.shot in ("", shot.record.id):
                shot.cancel()
        session.current.step()
        show_progress()
        return {"FINISHED"}


class TWEENBRIDGE_OT_edit(bpy.types.Operator):  # type: ignore[misc]
    """Set everything as it was when the active strip was made"""

    bl_idname = "tweenbridge.edit"
    bl_label = "Edit In-Betweens"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    @classmethod
    def poll(cls, context: Any) -> bool:
        """The artist is in the sequencer."""
        return in_sequencer(context)

    def execute(self, context: Any) -> set[str]:
        """Restore the settings."""
        try:
            scene = shots.check_editable(context)
            recipe = shots.recipe_of(scene, strips.active_name(context))
            choices.apply(scene.tweenbridge, insertion.wanted_of(recipe))
        except PluginError as error:
            return report(self, error)
        return {"FINISHED"}


CLASSES = (
    TWEENBRIDGE_OT_generate,
    TWEENBRIDGE_OT_fill_all_gaps,
    TWEENBRIDGE_OT_breakdown,
    TWEENBRIDGE_OT_regenerate,
    TWEENBRIDGE_OT_insert_finished,
    TWEENBRIDGE_OT_cover,
    TWEENBRIDGE_OT_forget,
    TWEENBRIDGE_OT_cancel,
    TWEENBRIDGE_OT_edit,
)
