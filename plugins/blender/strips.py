# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of the Video Sequence Editor: reading strips, inserting them, moving them.

The only file that knows how Blender's versions differ: `sequences` became `strips` in 4.4, the sequencer got a scene of
its own in 5.0, `frame_final_start` and its like became `left_handle` and its like in 5.1. Strips and scenes are handed
out by name and looked up again each time, because references dangle after undo and after another file is loaded.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bpy

from .disk import check_files
from .errors import PluginError
from .gaps import Marker, Span
from .placement import Move, lowest_free_channel

RECIPE = "tweenbridge_recipe"
"""The custom property of a strip that holds its recipe."""
_ID = "tweenbridge_id"
"""The custom property of a strip that in-betweens were made from; stays when it is renamed, goes along in copies."""

_TWO_INPUTS = 2
_BRIGHT_FILES = (".exr", ".hdr")


# ---------------------------------------------------------------- scenes


def sequencer_scene(context: Any) -> Any | None:
    """The scene whose timeline the artist sees, or None.

    From Blender 5.0 on each workspace says so, and may say that it is none: the window's scene is then another one,
    whose timeline is not on show and must be left alone.
    """
    if "sequencer_scene" not in bpy.types.WorkSpace.bl_rna.properties:
        return context.scene
    return context.workspace.sequencer_scene if context.workspace is not None else None


def scene_named(name: str) -> Any:
    """The scene of that name.

    Raises:
        PluginError: it is gone.
    """
    scene = bpy.data.scenes.get(name)
    if scene is None:
        raise PluginError(f"The scene “{name}” is not in this file any more.", "Generate the in-betweens again.")
    return scene


def _strips(owner: Any) -> Any:
    """The strips of a sequence editor or of a meta strip."""
    found = getattr(owner, "strips", None)
    return owner.sequences if found is None else found


def _editor(scene: Any) -> Any:
    """The scene's sequence editor, made when it has none."""
    return scene.sequence_editor or scene.sequence_editor_create()


def _all(scene: Any) -> list[Any]:
    """The strips at the top level."""
    return list(_strips(scene.sequence_editor)) if scene.sequence_editor is not None else []


def inside_meta(context: Any) -> bool:
    """The artist is editing the inside of a meta strip."""
    scene = sequencer_scene(context)
    return scene is not None and scene.sequence_editor is not None and len(scene.sequence_editor.meta_stack) > 0


# ---------------------------------------------------------------- reading


def spans(scene: Any, selected: bool = False) -> list[Span]:
    """Where the strips at the top level are; only those that can give keyframes when `selected` ones are asked for."""
    channels = scene.sequence_editor.channels if scene.sequence_editor is not None else []
    found = []
    for strip in _all(scene):
        seen = strip.type != "SOUND" and not strip.mute and not channels[strip.channel].mute
        if not selected or (strip.select and seen and _gives_keyframes(strip)):
            found.append(
                Span(
                    strip.name, strip.channel, *_range(strip), seen, _is_bright(strip),
                    id=str(strip.get(_ID, "")), origin=_origin(strip), made=RECIPE in strip, slow=_is_slow(strip),
                )
            )  # fmt: skip
    return found


def any_selected(scene: Any) -> bool:
    """Some strip is selected, of whatever kind."""
    return any(strip.select for strip in _all(scene))


def identify(scene: Any, name: str) -> str:
    """The id by which a strip is found again after it was renamed; it gets one where it has none."""
    strip = find(scene, name)
    if not strip.get(_ID):
        strip[_ID] = uuid.uuid4().hex
    return str(strip[_ID])


def _gives_keyframes(strip: Any) -> bool:
    """Not a transition, an adjustment of what lies below, or an effect on another strip that is selected as well."""
    if strip.type == "ADJUSTMENT":
        return False
    inputs = _inputs(strip)
    return len(inputs) < _TWO_INPUTS and not any(each.select for each in inputs)


def _inputs(strip: Any) -> list[Any]:
    """The strips that an effect is made of; none for a strip that stands alone."""
    both = (getattr(strip, "input_1", None), getattr(strip, "input_2", None))
    return [each for each in both if each is not None]


def parts(strip: Any) -> list[Any]:
    """The strips inside a meta strip, or those that an effect is made of."""
    return list(_strips(strip)) if strip.type == "META" else _inputs(strip)


def _range(strip: Any) -> tuple[int, int]:
    if hasattr(strip, "left_handle"):
        return int(strip.left_handle), int(strip.right_handle)
    return int(strip.frame_final_start), int(strip.frame_final_end)


def _origin(strip: Any) -> int:
    return int(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def find(scene: Any, name: str) -> Any:
    """The strip of that name at the top level.

    Raises:
        PluginError: it is gone.
    """
    strip = _strips(scene.sequence_editor).get(name) if scene.sequence_editor is not None else None
    if strip is not None:
        return strip
    raise PluginError(f"The strip “{name}” is not in the scene “{scene.name}” any more.", "Select the strips again.")


def active_name(context: Any) -> str:
    """The name of the active strip, or ""."""
    scene = sequencer_scene(context)
    strip = scene.sequence_editor.active_strip if scene is not None and scene.sequence_editor is not None else None
    return "" if strip is None else str(strip.name)


def markers(scene: Any) -> list[Marker]:
    """The markers of the scene's timeline, in time order."""
    found = [Marker(each.name, each.frame, each.select) for each in scene.timeline_markers]
    return sorted(found, key=lambda marker: (marker.frame, marker.name))


def recipe_of(scene: Any, name: str) -> str | None:
    """The recipe's text that a strip carries, or None."""
    text = find(scene, name).get(RECIPE)
    return text if isinstance(text, str) else None


def _is_bright(strip: Any) -> bool:
    """Its pictures may hold values above white: a scene's own render, or files that can."""
    files = [strip.elements[0].filename] if strip.type == "IMAGE" and strip.elements else []
    bright = strip.type == "SCENE" or any(file.lower().endswith(_BRIGHT_FILES) for file in files)
    return bright or any(_is_bright(part) for part in parts(strip))


def _is_slow(strip: Any) -> bool:
    """A scene is rendered for it, rather than a file read."""
    return strip.type == "SCENE" or any(_is_slow(part) for part in parts(strip))


def changes_look(scene: Any) -> bool:
    """Colours above white are brought below it for display, rather than cut off."""
    return scene.view_settings.view_transform not in {"Standard", "Raw"}


def literal_path(path: Path) -> str:
    """A path as a render setting takes it: braces are template fields from Blender 4.5 on."""
    text = str(path)
    return text.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5) else text


# ---------------------------------------------------------------- changing


def insert_images(
    scene: Any,
    *,
    name: str,
    directory: str,
    files: Sequence[str],
    start: int,
    channel: int,
    colour: str = "NONE",
    recipe: str = "",
) -> str:
    """Insert one image strip at the top level, selected and active, one file per frame; returns its name.

    Args:
        name: Blender may add a number to it.
        directory: the files' folder; relative to the .blend when it starts with `//`.
        files: file names in time order; a held drawing is named once per frame.
        start: first timeline frame.
        channel: a channel that is free there (placement.lowest_free_channel).
        colour: colour tag, "NONE" or "COLOR_01" to "COLOR_09".
        recipe: text the strip carries.

    Raises:
        PluginError: a file is missing or cannot be read.
    """
    check_files(directory, files)
    made = begin_images(scene, name, directory, files[0], start, channel)
    while not extend_images(scene, made, files):
        pass
    finish_images(scene, made, colour, recipe)
    return made


def begin_images(scene: Any, name: str, directory: str, file: str, start: int, channel: int) -> str:
    """Insert an image strip of one frame, muted until `finish_images`; returns its name."""
    strip = _strips(_editor(scene)).new_image(
        name=name, filepath=_join(directory, file), channel=channel, frame_start=start, fit_method="ORIGINAL"
    )
    strip.mute = True
    return str(strip.name)


def extend_images(scene: Any, name: str, files: Sequence[str], seconds: float = math.inf) -> bool:
    """Add files to a strip that was begun, for so long; whether all of them are there.

    Blender copies all that a strip has for every one that is added, so that thousands take many seconds.

    Raises:
        PluginError: the strip is gone, or somebody has changed it.
    """
    elements, end = find(scene, name).elements, time.monotonic() + seconds
    count = len(elements)
    if count > len(files):
        raise _was_changed(name, len(files))
    for file in files[count:]:
        elements.append(file)
        if time.monotonic() > end:
            return len(elements) == len(files)
    return True


def finish_images(scene: Any, name: str, colour: str, recipe: str) -> None:
    """Show a strip that has all its files, selected and active."""
    strip = find(scene, name)
    start, end = _range(strip)
    below = any(each.picture and each.name != name and each.start < end and each.end > start for each in spans(scene))
    strip.color_tag = colour
    # Its pictures hold all that was to be seen; without this, a held drawing below would show through their alpha.
    strip.blend_type = "REPLACE" if below else "ALPHA_OVER"
    if recipe:
        strip[RECIPE] = recipe
    strip.mute = False
    for other in _all(scene):
        other.select = other == strip
    _editor(scene).active_strip = strip


def put_on_free_channel(scene: Any, name: str) -> None:
    """Put a strip higher where another has come into its place while it was inserted piece by piece."""
    strip = find(scene, name)
    start, end = _range(strip)
    others = [span for span in spans(scene) if span.name != name]
    if any(span.channel == strip.channel and span.start < end and span.end > start for span in others):
        strip.channel = lowest_free_channel(others, start, end)


def remove(scene: Any, name: str) -> None:
    """Take a strip at the top level off the timeline, where it is there."""
    strip = _strips(scene.sequence_editor).get(name) if scene.sequence_editor is not None else None
    if strip is not None:
        _strips(scene.sequence_editor).remove(strip)


def replace_images(scene: Any, name: str, directory: str, files: Sequence[str]) -> None:
    """Give an image strip other files, as many as it has frames; everything else about it stays.

    Raises:
        PluginError: the strip is gone or no longer has that many frames, or a file is missing.
    """
    strip = find(scene, name)
    check_files(directory, files)
    if strip.type != "IMAGE" or len(strip.elements) != len(files):
        raise _was_changed(name, len(files))
    strip.directory = directory
    for element, file in zip(strip.elements, files):
        element.filename = file


def _was_changed(name: str, frames: int) -> PluginError:
    return PluginError(
        f"The strip “{name}” was changed and no longer fits the {frames} finished frames.",
        "Use “Insert Finished” to insert them as a strip of their own.",
    )


def _join(directory: str, file: str) -> str:
    return directory.rstrip("/\\") + "/" + file


def check_moves(scene: Any, moves: Iterable[Move]) -> None:
    """See whether strips can be moved, without moving any.

    Raises:
        PluginError: one is locked, or a transition lies over two that are to be moved apart.
    """
    by = {each.name: each.by for each in moves}

    def shift(strip: Any) -> int:
        inputs = _inputs(strip)
        return shift(inputs[0]) if inputs else by.get(strip.name, 0)

    for strip in _all(scene):
        if shift(strip) and (strip.lock or scene.sequence_editor.channels[strip.channel].lock):
            raise PluginError(
                f"“{strip.name}” is locked, so it cannot move to make room.",
                "Unlock it or its channel, then try again.",
            )
        inputs = _inputs(strip)
        if len({shift(each) for each in inputs}) > 1:
            names = " and ".join(f"“{each.name}”" for each in inputs)
            raise PluginError(f"“{strip.name}” joins {names}, which have to move apart.", "Delete it, then try again.")


def move(scene: Any, moves: Iterable[Move]) -> None:
    """Shift strips to later frames, with their animation; effects go with what they are made of. All move, or none.

    Raises:
        PluginError: as check_moves.
    """
    wanted = {each.name: each.by for each in moves}
    check_moves(scene, [Move(name, by) for name, by in wanted.items()])
    there = [strip for strip in _all(scene) if strip.name in wanted and not _inputs(strip)]
    # The last one first: Blender puts a strip that lands on its neighbour on another channel.
    for strip in sorted(there, key=_range, reverse=True):
        if hasattr(strip, "content_start"):
            strip.content_start += wanted[strip.name]
        else:
            strip.frame_start += wanted[strip.name]


def move_markers(scene: Any, cuts: Iterable[tuple[int, int]]) -> None:
    """Move the markers at and after each frame of `cuts` by as many frames; all count in frames before any moved."""
    wanted = list(cuts)
    for marker in scene.timeline_markers:
        marker.frame += sum(by for at, by in wanted if marker.frame >= at)


def move_end(scene: Any, cuts: Iterable[tuple[int, int]]) -> None:
    """Have the scene's frame range end later where it ends after the frames of `cuts`."""
    scene.frame_end += sum(by for at, by in cuts if scene.frame_end >= at)


def ripple_options(scene: Any) -> Any | None:
    """Blender's own options of what moves along with strips, from 5.3 on; None before."""
    options = scene.tool_settings.sequencer_tool_settings
    return options if hasattr(options, "ripple_markers") else None
