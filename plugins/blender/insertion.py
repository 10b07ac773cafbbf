# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished frames onto the timeline: the right scene, the right place, all strips of a shot or none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

from . import follow, strips
from .disk import check_files
from .errors import PluginError
from .gaps import Span
from .naming import strip_name
from .placement import Move, lowest_free_channel
from .plan import JobPlan, Plan, StripPlan, Wanted, covered, enumerated, shifted
from .recipe import Recipe, UsedKeyframe, from_text, to_text
from .records import Record

DRAFT_COLOUR = "COLOR_03"
FINAL_COLOUR = "COLOR_04"

PIECE = 0.03
"""Seconds for which strips are inserted before Blender has its turn again."""

Files = Mapping[int, Sequence[str]]
"""The files of each strip, by its number in the shot; one for each of its frames."""
RecipeOf = Callable[[JobPlan, StripPlan], str]


def scene_of(record: Record) -> Any:
    """The scene that a shot is for.

    It is found by the id it carries, so that it may be renamed; a scene that merely has its name is another one.

    Raises:
        PluginError: it is gone.
    """
    carrying = [scene for scene in bpy.data.scenes if scene.tweenbridge.file_id == record.file_id]
    for scene in carrying:
        if scene.name == record.scene:
            return scene
    if len(carrying) == 1:
        return carrying[0]
    named = bpy.data.scenes.get(record.scene)
    # Undo may have taken the id away again.
    if named is not None and not named.tweenbridge.file_id:
        return named
    raise PluginError(
        f"The scene “{record.scene}” is not in this file any more, so nothing was inserted.",
        f"The finished frames are in {record.root}.",
    )


def folder_of(record: Record) -> str:
    """A take's folder as a strip has it: relative to the .blend where it was to be so, wherever that is now."""
    root = Path(record.root)
    if not record.folder.startswith("//") or Path(bpy.path.abspath(record.folder)) == root:
        return record.folder
    try:
        return str(bpy.path.relpath(record.root)).replace("\\", "/") if bpy.data.filepath else record.root
    except ValueError:
        # Another drive of Windows.
        return record.root


def located(record: Record) -> Record:
    """The same shot, where its folder has been moved or renamed along with the file."""
    now = Path(bpy.path.abspath(record.folder))
    moved = record.folder.startswith("//") and now.is_dir() and not Path(record.root).is_dir()
    return dataclasses.replace(record, root=str(now)) if moved else record


def takes_of(scene: Any, shot: str) -> list[int]:
    """The numbers of the takes of a shot on the timeline."""
    found = []
    for span in strips.spans(scene):
        try:
            recipe = recipe_of(scene, span.name) if span.made else None
        except PluginError:
            continue
        if recipe is not None and recipe.shot == shot:
            found.append(recipe.take)
    return found


def insert(record: Record, directory: str, files: Files, recipe: RecipeOf) -> Generator[None, None, tuple[str, ...]]:
    """Make room, then insert every strip of the shot, a piece between two yields; returns their names, by number.

    Whatever ends it early takes away what there is of the strips.

    Raises:
        PluginError: the keyframes' strips are no longer where they were, there is no free channel, or a strip that is
            being inserted was deleted.
    """
    plan, names = record.plan, list[str]()
    scene = scene_of(record)
    check_files(directory, {file for each in files.values() for file in each})
    shift = _shift(scene, record)
    strips.move(scene, moves(scene, plan, shift))
    cuts = [(cut.at + shift, cut.by) for cut in plan.cuts]
    if record.wanted.ripple_markers:
        strips.move_markers(scene, cuts)
    if record.wanted.ripple_end:
        strips.move_end(scene, cuts)
    if record.replaces and any(span.name == record.replaces for span in strips.spans(scene)):
        # Before the new take comes, which looks at what is seen below it.
        strips.find(scene, record.replaces).mute = True
    try:
        for job in plan.jobs:
            for strip in job.strips:
                start, end = strip.start + shift, strip.start + shift + len(strip.drawings)
                channel = lowest_free_channel(strips.spans(scene_of(record)), start, end)
                title = strip_name(record.shot, strip.index, record.take, len(plan.strips))
                name = strips.begin_images(scene_of(record), title, directory, files[strip.index][0], start, channel)
                names.append(name)
                while not strips.extend_images(scene_of(record), name, files[strip.index], PIECE):
                    yield
                strips.put_on_free_channel(scene_of(record), name)
        colour = DRAFT_COLOUR if directory.endswith("/draft") else FINAL_COLOUR
        scene = scene_of(record)
        for job in plan.jobs:
            for strip in job.strips:
                strips.finish_images(scene, names[strip.index], colour, recipe(job, strip))
        for name in names:
            strips.find(scene, name).select = True
    except BaseException:
        for name in names:
            strips.remove(scene_of(record), name)
        raise
    return tuple(names)


def covered_now(scene: Any, record: Record) -> list[str]:
    """A sentence about clips that its strips hide, which may have come there since it was begun."""
    hidden = covered(shifted(record.plan, _shift(scene, record)), strips.spans(scene))
    return [f"The in-betweens cover {enumerated(hidden)}."] if hidden else []


def replace(scene: Any, record: Record, names: Sequence[str], directory: str, files: Files, recipe: RecipeOf) -> None:
    """Put the finished frames in the place of the draft's.

    Raises:
        PluginError: a strip of the draft is gone or was cut.
    """
    if not all_there(scene, names):
        raise PluginError(
            "A strip of the draft was deleted, so the finished frames were not inserted.",
            "“Insert Finished” inserts them as strips of their own.",
        )
    for job in record.plan.jobs:
        for strip in job.strips:
            name = names[strip.index]
            strips.replace_images(scene, name, directory, files[strip.index])
            found = strips.find(scene, name)
            found[strips.RECIPE] = recipe(job, strip)
            found.color_tag = FINAL_COLOUR


def all_there(scene: Any, names: Sequence[str]) -> bool:
    """Every strip of these names is on the timeline."""
    return set(names) <= {span.name for span in strips.spans(scene)}


def _shift(scene: Any, record: Record) -> int:
    """By how many frames the artist has moved the keyframes' strips since. One that was deleted has no say."""
    every, shifts = strips.spans(scene), set()
    for job in record.plan.jobs:
        for a, b in zip(job.keyframes, job.keyframes[1:]):
            for index, first in ((a, False), (b, True)):
                now = _now(every, record, index, first)
                if now is not None:
                    shifts.add(now - record.plan.keyframes[index].frame)
    if len(shifts) > 1:
        raise _changed()
    return shifts.pop() if shifts else 0


def frame_now(scene: Any, record: Record, index: int) -> int:
    """The frame that shows a keyframe of a shot that is being rendered, wherever its strip has been moved since.

    Raises:
        PluginError: the strip is gone, or the frame was trimmed away.
    """
    keyframe, spans = record.plan.keyframes[index], strips.spans(scene)
    firsts = {b for job in record.plan.jobs for b in job.keyframes[1:]}
    return follow.frame_now(follow.strip_now(spans, keyframe), keyframe, record.plan.source, index in firsts)


def _now(spans: Sequence[Span], record: Record, index: int, first: bool) -> int | None:
    """The frame that shows a keyframe now; None where its strip is gone."""
    keyframe, source = record.plan.keyframes[index], record.plan.source
    touches = keyframe.frame if first else None, None if first else keyframe.frame + 1
    try:
        strip = follow.strip_now([dataclasses.replace(span, picture=True) for span in spans], keyframe, *touches)
    except PluginError:
        return None
    try:
        return follow.frame_now(strip, keyframe, source, first)
    except PluginError as error:
        raise _changed() from error


def _changed() -> PluginError:
    return PluginError(
        "The strips were moved or cut while in-betweens were made, and the frames no longer fit between them.",
        "Put the strips back as they were, then press “Insert Finished”.",
    )


def moves(scene: Any, plan: Plan, shift: int = 0) -> list[Move]:
    """What has to move to make room for a plan whose keyframes lie `shift` frames later now."""
    found = []
    for span in strips.spans(scene):
        by = sum(cut.shift(span) for cut in shifted(plan, shift).cuts)
        if by:
            found.append(Move(span.name, by))
    return found


# ---------------------------------------------------------------- recipes


def recipe_text(record: Record, job: JobPlan, strip: StripPlan, hashes: Sequence[str]) -> str:
    """How a strip was made, as the text it carries."""
    from tweenbridge import __version__

    wanted = record.wanted
    used = [record.plan.keyframes[index] for index in job.keyframes]
    number = record.plan.jobs.index(job)
    return to_text(
        Recipe(
            jobs=(record.job_id(False, number),),
            engine=wanted.engine,
            profile=wanted.profile,
            settings=wanted.settings,
            keyframes=tuple(
                UsedKeyframe(k.frame, sha, k.label, k.strip, k.id, k.offset) for k, sha in zip(used, hashes)
            ),
            timing=job.timing,
            output=wanted.depth,
            source=record.plan.source,
            gap=strip.gap,
            model=str(wanted.settings.get("model", "")),
            shot=record.shot,
            folder=record.folder,
            take=record.take,
            plugin=__version__,
            other={
                "wanted": {**dataclasses.asdict(wanted), "engine": "", "profile": "", "settings": {}},
            },
        )
    )


def recipe_of(scene: Any, name: str) -> Recipe | None:
    """How a strip was made; None when it is no strip of in-betweens.

    Raises:
        PluginError: it says so in a way that cannot be read.
    """
    there = {span.name for span in strips.spans(scene)}
    text = strips.recipe_of(scene, name) if name in there else None
    return None if text is None else from_text(text)


def wanted_of(recipe: Recipe) -> Wanted:
    """The artist's settings that a strip was made with."""
    known = {field.name for field in dataclasses.fields(Wanted)}
    plain = recipe.other.get("wanted", {})
    kept = {name: value for name, value in plain.items() if name in known} if isinstance(plain, dict) else {}
    kept["chart"] = tuple(kept.get("chart", ()))
    kept |= {"engine": recipe.engine, "profile": recipe.profile, "settings": dict(recipe.settings)}
    return Wanted(**kept)
