# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is on the artist's screen to a shot that can be started: the keyframes meant, the plan, the folder."""

from __future__ import annotations

import dataclasses
import time
import uuid
from pathlib import Path
from typing import Any

import bpy

from . import insertion, listed, naming, strips
from .errors import CoverError, PluginError
from .folders import project_folder
from .follow import anchored, frames_now
from .frames import Depth
from .gaps import Found, GapRange, KeyframeAt, Source, from_markers, from_strips, is_occupied, only
from .plan import Plan, Wanted, covered, enumerated, make_plan
from .recipe import Recipe
from .records import Record

_SELECT = "Select two strips, add key drawings at the playhead, or set markers."
_SELECT_MORE = "Select another one as well, or nothing, which takes the markers."


def found_in(scene: Any, settings: Any) -> Found:
    """The keyframes that the selection, the list or the markers mean, and the gaps between them.

    Raises:
        PluginError: there are none, and what to do about it.
    """
    source = settings.source
    if source in {"AUTO", "STRIPS"}:
        spans = strips.spans(scene, selected=True)
        drawn = [span for span in spans if not _is_finished(scene, span.name)]
        spans = drawn if len(drawn) > 1 else spans
        if source == "STRIPS" or len(spans) > 1:
            return from_strips(spans)
    if source == "LIST" or (source == "AUTO" and len(settings.keyframes) > 1):
        return listed.found_in(scene)
    if source == "AUTO" and strips.any_selected(scene):
        # Markers that have been there for long are not what somebody means who has just selected something.
        raise PluginError("In-betweens need two strips, and fewer are selected.", _SELECT_MORE)
    if source == "MARKERS" or len(strips.markers(scene)) > 1:
        return from_markers(strips.markers(scene))
    raise PluginError("There are no key drawings yet.", _SELECT)


def all_gaps(scene: Any, active: str, free: bool, longest: int) -> Found:
    """Every gap on a channel or between the selected strips.

    Args:
        scene: the sequencer's.
        active: a strip on the channel; "" for the selected strips.
        free: leave gaps in which something is seen already.
        longest: frames; longer gaps are left. 0 leaves none.

    Raises:
        PluginError: there is none to fill.
    """
    spans = strips.spans(scene)
    if active:
        channel = next(span.channel for span in spans if span.name == active)
        drawn = [span for span in spans if span.channel == channel and span.picture]
    else:
        drawn = strips.spans(scene, selected=True)
    found = from_strips(span for span in drawn if not _is_finished(scene, span.name))
    gaps = [
        gap
        for gap in found.gaps
        if gap.length > 0 and not gap.overlap and not (longest and gap.length > longest)
        and not (free and is_occupied(gap, spans))
    ]  # fmt: skip
    if not gaps:
        raise PluginError(
            "There is no gap to fill.",
            "Gaps that are longer, or in which something is seen, are left: see the options (F9).",
        )
    return only(found, gaps)


def _is_finished(scene: Any, name: str) -> bool:
    """The strip is one of in-betweens, and not of a breakdown that the artist goes on from."""
    try:
        recipe = insertion.recipe_of(scene, name)
    except PluginError:
        return False
    return recipe is not None and not insertion.wanted_of(recipe).breakdown


def check_editable(context: Any) -> Any:
    """The scene to work on.

    Raises:
        PluginError: there is none, or the artist is inside a meta strip.
    """
    scene = strips.sequencer_scene(context)
    if scene is None:
        raise PluginError("The sequencer shows no scene.", "Choose a scene in the header of the sequencer.")
    if strips.inside_meta(context):
        raise PluginError("In-betweens cannot be made inside a meta strip.", "Leave it (Tab), then try again.")
    return scene


def plan_for(scene: Any, found: Found, wanted: Wanted) -> Plan:
    """What would be done.

    Raises:
        PluginError: nothing can be.
    """
    spans = strips.spans(scene)
    plan = make_plan(anchored(found, spans), spans, wanted)
    strips.check_moves(scene, insertion.moves(scene, plan))
    return plan


def warnings(scene: Any, plan: Plan, depth: str) -> list[str]:
    """Sentences about keyframes that take long to render, or that the chosen format cannot hold."""
    used = {keyframe.strip for keyframe in plan.keyframes}
    spans = [span for span in strips.spans(scene) if span.name in used]
    slow = [f"“{span.name}”" for span in spans if span.slow]
    bright = [f"“{span.name}”" for span in spans if span.bright]
    found = []
    if slow:
        found.append(
            f"A scene is rendered for {enumerated(slow)}: that may take long, and Blender waits. "
            "Cancel works between two keyframes."
        )
    if bright and jumps(scene, depth):
        found.append(f"{enumerated(bright)} may be brighter than white: with 8 bits it jumps at the cut.")
    elif bright and depth != Depth.EXR32.value:
        found.append(f"{enumerated(bright)} may be brighter than white in places; only EXR keeps that.")
    return found


def jumps(scene: Any, depth: str) -> bool:
    """What is brighter than white looks another way in this format than beside it on the timeline."""
    return depth == Depth.PNG8.value and strips.changes_look(scene)


def check_cover(scene: Any, plan: Plan) -> None:
    """See that no other clip would be hidden.

    Raises:
        CoverError: one would be.
    """
    hidden = covered(plan, strips.spans(scene))
    if hidden:
        raise CoverError(
            f"The in-betweens would cover {enumerated(hidden)}.",
            "Move what is there, or turn on “Cover Other Strips” (F9, or `cover=True` in scripts).",
        )


def new_record(scene: Any, found: Found, wanted: Wanted, pattern: str, cover: bool = False) -> Record:
    """A shot to start, with a folder of its own on disk.

    Raises:
        CoverError: another clip would be hidden, and may not be.
        PluginError: there is nothing to fill, or the folder cannot be made.
    """
    plan = plan_for(scene, found, wanted)
    if not cover:
        check_cover(scene, plan)
    plan = _identified(scene, plan)
    unsaved = "" if bpy.data.filepath else str(project_folder())
    folder = naming.shot_folder(bpy.data.filepath, scene.name, found, pattern, unsaved_root=unsaved)
    return _record(scene, wanted, plan, naming.shot_name(scene.name, found), folder)


def _identified(scene: Any, plan: Plan) -> Plan:
    """The same plan, with strips that are known by more than their names."""
    keyframes = (dataclasses.replace(each, id=strips.identify(scene, each.strip)) for each in plan.keyframes)
    return dataclasses.replace(plan, keyframes=tuple(keyframes))


def new_take(scene: Any, name: str, wanted: Wanted, cover: bool = False) -> Record:
    """A shot that makes a strip of in-betweens once more, beside the old one.

    Raises:
        CoverError: another clip would be hidden, and may not be.
        PluginError: it is no strip of in-betweens, or the folder cannot be made.
    """
    recipe = recipe_of(scene, name)
    found = found_again(scene, name, recipe)
    breakdown = insertion.wanted_of(recipe).breakdown
    wanted = dataclasses.replace(wanted, loop=False, ripple=False, breakdown=breakdown)
    plan = plan_for(scene, found, wanted)
    if not cover:
        check_cover(scene, plan)
    plan = _identified(scene, plan)
    folder = recipe.folder.replace("\\", "/").rstrip("/").rpartition("/")[0]
    return dataclasses.replace(_record(scene, wanted, plan, recipe.shot, folder), replaces=name)


def recipe_of(scene: Any, name: str) -> Recipe:
    """How a strip was made.

    Raises:
        PluginError: it is no strip of in-betweens.
    """
    recipe = insertion.recipe_of(scene, name) if name else None
    if recipe is None:
        raise PluginError("The active strip is not one of in-betweens.", "Click a strip that Tweenbridge made.")
    return recipe


def found_again(scene: Any, name: str, recipe: Recipe) -> Found:
    """The two keyframes that a strip of in-betweens was made from, wherever they are now, and the gap between them now.

    Raises:
        PluginError: one is gone, or there is no gap any more.
    """
    spans = strips.spans(scene)
    span = next(span for span in spans if span.name == name)
    pair = recipe.keyframes[recipe.gap : recipe.gap + 2]
    if len(pair) < 2:
        raise PluginError(
            "This strip does not say what it was made from.", "Select its key drawings and generate it again."
        )
    (left, a), (right, b) = frames_now(spans, (pair[0], pair[1]), recipe.source, (span.start, span.end))
    labels = [used.label for used in pair]
    if recipe.source is Source.STRIPS:
        labels = [f"{left.name}, last frame", f"{right.name}, first frame"]
    keyframes = (KeyframeAt(a, labels[0], left.name), KeyframeAt(b, labels[1], right.name))
    start, end = a + 1, b
    if pair[1].frame < pair[0].frame:
        # A loop leads from the last keyframe back to the first, after the last.
        end = start + span.end - span.start
    if end <= start:
        raise PluginError(
            f"“{right.name}” does not come after “{left.name}” with a gap between them any more.",
            "Move them apart, or undo, then try again.",
        )
    return Found(recipe.source, keyframes, (GapRange(0, 0, 1, start, end),))


def _record(scene: Any, wanted: Wanted, plan: Plan, shot: str, folder: str) -> Record:
    # A file that was saved elsewhere begins with an empty folder, and has takes on its timeline all the same.
    earlier = max(insertion.takes_of(scene, shot), default=0)
    take, made = naming.new_take(Path(bpy.path.abspath(folder)), earlier)
    settings = scene.tweenbridge
    if not settings.file_id or sum(each.tweenbridge.file_id == settings.file_id for each in bpy.data.scenes) > 1:
        # A copied scene must not be taken for the one it was copied from.
        settings.file_id = uuid.uuid4().hex
    return Record(
        id=uuid.uuid4().hex,
        file_id=settings.file_id,
        blend=bpy.data.filepath,
        scene=scene.name,
        shot=shot,
        take=take,
        folder=f"{folder}/{made.name}",
        root=str(made),
        created=time.time(),
        plan=plan,
        wanted=wanted,
    )
