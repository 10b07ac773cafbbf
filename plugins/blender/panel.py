# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar of the sequencer: the keyframes found, the settings, what is under way, and what went wrong."""

from __future__ import annotations

import math
import textwrap
import time
from typing import Any

import bpy

from . import choices, insertion, listed, media, properties, session, shots, strips
from .errors import PluginError
from .gaps import Found, Source
from .plan import Plan, covered, enumerated, new_drawings
from .server import Problem
from .server_operators import sentence

_CHARACTERS = 34
"""That many fit into a line of a sidebar that is not made wider."""
_MOST_SHOWN = 6
"""Gaps that are listed one by one."""
_LOOK_AGAIN = 2.0
"""Seconds after which a strip's files are looked for again."""


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _frames(count: int) -> str:
    return _count(count, "frame")


def lines(layout: Any, text: str, icon: str = "NONE") -> None:
    """A sentence, broken where the sidebar ends."""
    for index, line in enumerate(textwrap.wrap(text, _CHARACTERS)):
        layout.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")


class _Files:
    """Whether the shown strip's files are there, without asking a slow drive at every redraw."""

    def __init__(self) -> None:
        self._strip = ("", "")
        self._looked = -math.inf
        self._missing = False

    def are_missing(self, scene: Any, name: str) -> bool:
        """As it was at most two seconds ago."""
        now = time.monotonic()
        if (scene.name, name) != self._strip or now - self._looked >= _LOOK_AGAIN:
            self._strip, self._looked = (scene.name, name), now
            self._missing = media.missing_files(scene, name)
        return self._missing


_files = _Files()


def draw_problem(layout: Any, problem: Problem) -> None:
    """What is wrong, and what to do about it."""
    box = layout.box().column(align=True)
    box.alert = True
    lines(box, problem.sentence, "ERROR")
    rest = layout.column(align=True)
    lines(rest, problem.remedy, "INFO")


def draw_server(layout: Any) -> None:
    """How the server is, and what can be done about it."""
    session.current.seen()
    server = session.current.server
    column = layout.column(align=True)
    column.label(text=sentence(), icon="LINKED" if server.connected else "UNLINKED")
    if server.problem is not None and not server.starting:
        draw_problem(layout, server.problem)
    row = layout.row(align=True)
    row.operator("tweenbridge.check_connection", icon="FILE_REFRESH")
    if not session.where().remote and not server.connected:
        row.operator("tweenbridge.start_server", icon="PLAY")
    row.operator("tweenbridge.open_logs", icon="TEXT", text="Logs")


class Panel:
    """Where the panels are."""

    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Tweenbridge"


class TWEENBRIDGE_PT_main(Panel, bpy.types.Panel):  # type: ignore[misc]
    """Keyframes, the buttons, progress and problems."""

    bl_label = "In-Betweens"

    def draw(self, context: Any) -> None:
        """The panel."""
        session.current.seen()
        layout = self.layout
        scene = strips.sequencer_scene(context)
        if scene is None:
            lines(layout, "The sequencer shows no scene.", "INFO")
            return
        settings = scene.tweenbridge
        layout.prop(settings, "source", text="")
        _draw_list(layout, scene)
        ready = _draw_found(layout, context, settings)
        column = layout.column(align=True)
        column.scale_y = 1.4
        column.enabled = ready
        column.operator("tweenbridge.generate", icon="ONIONSKIN_ON")
        row = layout.row()
        row.enabled = ready
        row.operator("tweenbridge.breakdown", icon="KEYFRAME_HLT", text="Breakdown Only")
        _draw_active(layout, context, scene)
        _draw_shots(layout)
        _draw_elsewhere(layout)
        if session.current.problem is not None:
            draw_problem(layout, session.current.problem)
        for note in session.current.notes:
            lines(layout.column(align=True), note, "INFO")


def _draw_list(layout: Any, scene: Any) -> None:
    settings = scene.tweenbridge
    if settings.source not in {"AUTO", "LIST"}:
        return
    column = layout.column(align=True)
    if len(settings.keyframes):
        column.template_list(
            "TWEENBRIDGE_UL_key_drawings", "", settings, "keyframes", settings, "keyframe_index", rows=3, maxrows=8
        )
        for row in listed.rows(scene):
            if row.problem:
                lines(column, row.problem, "ERROR")
    buttons = column.row(align=True)
    buttons.operator("tweenbridge.add_keyframe", icon="ADD")
    if len(settings.keyframes):
        buttons.operator("tweenbridge.clear_keyframes", text="", icon="TRASH")


def _draw_found(layout: Any, context: Any, settings: Any) -> bool:
    """What would be done; whether it can be."""
    box = layout.box().column(align=True)
    try:
        scene = shots.check_editable(context)
        found = shots.found_in(scene, settings)
        for note in found.notes:
            lines(box, note, "INFO")
        plan = shots.plan_for(scene, found, choices.wanted_from(settings))
        for note in (*plan.notes, *shots.warnings(scene, plan, settings.depth)):
            lines(box, note, "INFO")
        if shots.jumps(scene, settings.depth) and any(_bright(scene, plan)):
            row = box.row(align=True)
            row.operator("tweenbridge.set_format", text="Use 16-Bit PNG").depth = "png16"
            row.operator("tweenbridge.set_format", text="Use OpenEXR").depth = "exr32"
    except PluginError as error:
        lines(box, error.sentence, "INFO")
        lines(box, error.remedy, "BLANK1")
        return False
    box.label(text=f"{len(found.keyframes)} key drawings from {_source(scene, found)}", icon="KEYTYPE_KEYFRAME_VEC")
    _draw_gaps(box, found, plan)
    hidden = covered(plan, strips.spans(scene))
    if hidden:
        lines(box, f"They cover {enumerated(hidden)}: you will be asked.", "ERROR")
    moved = sum(cut.by for cut in plan.cuts)
    if moved:
        lines(box, f"Later strips move by {_frames(moved)}.", "TRACKING_FORWARDS_SINGLE")
    if not bpy.data.filepath and context.preferences.addons[__package__].preferences.folder.startswith("//"):
        lines(box, "This file is not saved. Its frames are kept, and can be copied beside it once it is.", "INFO")
    return True


def _bright(scene: Any, plan: Plan) -> list[bool]:
    """Whether the strips of the keyframes may be brighter than white."""
    used = {keyframe.strip for keyframe in plan.keyframes}
    return [span.bright for span in strips.spans(scene) if span.name in used]


def _source(scene: Any, found: Found) -> str:
    """What the keyframes are taken from, in words."""
    if found.source is Source.MARKERS:
        chosen = sum(marker.selected for marker in strips.markers(scene))
        return "the selected markers" if chosen > 1 else "all markers"
    return "the selected strips" if found.source is Source.STRIPS else "the list"


def _draw_gaps(box: Any, found: Found, plan: Plan) -> None:
    for job in plan.jobs:
        for strip in job.strips[:_MOST_SHOWN]:
            first, last = strip.start, strip.start + len(strip.drawings) - 1
            where = f"Frame {first}" if first == last else f"Frames {first} to {last}"
            drawings = new_drawings(job, strip)
            held = "" if drawings == len(strip.drawings) else f", {_count(drawings, 'in-between')}"
            box.label(text=f"{where}{held}", icon="DOT")
        if len(job.strips) > _MOST_SHOWN:
            box.label(text=f"… and {len(job.strips) - _MOST_SHOWN} more gaps", icon="BLANK1")


def _draw_active(layout: Any, context: Any, scene: Any) -> None:
    name = strips.active_name(context)
    try:
        recipe = insertion.recipe_of(scene, name) if name else None
    except PluginError as error:
        draw_problem(layout, Problem.of(error))
        return
    if recipe is None:
        return
    box = layout.box().column(align=True)
    box.label(text=name, icon="FILE_IMAGE")
    made = " ".join(filter(None, (recipe.engine, recipe.profile)))
    box.label(text=f"Take {recipe.take}, made with {made}", icon="BLANK1")
    if _files.are_missing(scene, name):
        lines(box, "Files of this strip are missing. Regenerate makes them again.", "ERROR")
    row = box.row(align=True)
    row.operator("tweenbridge.edit", icon="GREASEPENCIL", text="Edit")
    row.operator("tweenbridge.regenerate", icon="FILE_REFRESH", text="Regenerate")


def _draw_shots(layout: Any) -> None:
    for shot in session.current.active:
        box = layout.box().column(align=True)
        row = box.row(align=True)
        row.label(text=shot.title, icon="RENDER_ANIMATION")
        row.operator("tweenbridge.cancel", text="", icon="X").shot = shot.record.id
        if hasattr(box, "progress"):
            box.progress(factor=shot.fraction, text=shot.sentence)
        else:
            box.label(text=shot.sentence)
    for record in session.current.waiting:
        box = layout.box().column(align=True)
        box.label(text=f"{record.shot} (take {record.take})", icon="TIME")
        lines(box, f"{_frames(record.frames)} asked for and not inserted yet.")
        row = box.row(align=True)
        row.operator("tweenbridge.insert_finished").shot = record.id
        row.operator("tweenbridge.forget", text="", icon="TRASH").shot = record.id


def _draw_elsewhere(layout: Any) -> None:
    """The offer to bring frames beside a file that has been saved."""
    count = session.current.elsewhere
    if count:
        box = layout.box().column(align=True)
        shown = "1 strip shows" if count == 1 else f"{count} strips show"
        lines(box, f"{shown} frames that are not beside this file.", "INFO")
        box.operator("tweenbridge.copy_beside_file", icon="DUPLICATE")


class TWEENBRIDGE_PT_timing(Panel, bpy.types.Panel):  # type: ignore[misc]
    """How many in-betweens, and when."""

    bl_label = "Timing"
    bl_parent_id = "TWEENBRIDGE_PT_main"

    def draw(self, context: Any) -> None:
        """The settings."""
        layout, scene = self.layout, strips.sequencer_scene(context)
        if scene is None:
            return
        settings = scene.tweenbridge
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "amount")
        if settings.amount == "NUMBER":
            layout.prop(settings, "count")
        layout.prop(settings, "ripple")
        if settings.ripple:
            _draw_ripple(layout, scene, settings)
        layout.prop(settings, "spacing")
        if settings.spacing == "CHART":
            layout.prop(settings, "chart")
        else:
            layout.prop(settings, "hold")
        layout.prop(settings, "loop")


def _draw_ripple(layout: Any, scene: Any, settings: Any) -> None:
    """What moves along; Blender's own options where it has them."""
    options = strips.ripple_options(scene)
    column = layout.column(heading="With Them")
    if options is None:
        column.prop(settings, "ripple_markers")
    else:
        column.prop(options, "ripple_all_channels")
        column.prop(options, "ripple_markers")
    column.prop(settings, "ripple_end")


class TWEENBRIDGE_PT_engine(Panel, bpy.types.Panel):  # type: ignore[misc]
    """What makes the in-betweens, and the files they are."""

    bl_label = "Engine"
    bl_parent_id = "TWEENBRIDGE_PT_main"

    def draw_header_preset(self, context: Any) -> None:
        """The menu of presets."""
        if strips.sequencer_scene(context) is None:
            return
        row = self.layout.row(align=True)
        row.menu("TWEENBRIDGE_MT_presets", text="Presets")
        row.operator("tweenbridge.add_preset", text="", icon="ADD")
        row.operator("tweenbridge.add_preset", text="", icon="REMOVE").remove_active = True

    def draw(self, context: Any) -> None:
        """The settings, whatever the server says they are."""
        layout, scene = self.layout, strips.sequencer_scene(context)
        if scene is None:
            return
        settings = scene.tweenbridge
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "engine")
        layout.prop(settings, "profile")
        if not session.current.server.engines:
            layout.operator("tweenbridge.start_server", icon="PLAY", text="Start Server for All Engines")
        info = properties.engine_info(settings.engine_name)
        for setting in info.settings if info is not None else ():
            item = settings.values.get(f"{settings.engine_name}.{setting.name}")
            if item is None:
                continue
            row = layout.row(align=True)
            row.prop(item, properties.FIELDS[item.kind], text=setting.title)
            row.operator("tweenbridge.default_setting", text="", icon="LOOP_BACK").name = item.name
        if settings.engine_name != "flow":
            layout.prop(settings, "draft_first")
        layout.prop(settings, "depth")
        layout.prop(settings, "alpha")


class TWEENBRIDGE_PT_server(Panel, bpy.types.Panel):  # type: ignore[misc]
    """How the server is."""

    bl_label = "Server"
    bl_parent_id = "TWEENBRIDGE_PT_main"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender's own form

    def draw(self, _context: Any) -> None:
        """The server."""
        draw_server(self.layout)


CLASSES = (TWEENBRIDGE_PT_main, TWEENBRIDGE_PT_timing, TWEENBRIDGE_PT_engine, TWEENBRIDGE_PT_server)
