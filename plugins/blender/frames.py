# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes as files: stills that show exactly what the Video Sequence Editor shows, in display-referred values.

A still is rendered with the view transform Standard, whatever the artist's own is, so that a strip made from it looks
like its source under that view transform (and AgX is not applied twice). Every setting that a still needs is put back
before `still` returns, whatever happens: the artist may press undo, save or load another file between two stills.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import bpy

from . import strips
from .errors import PluginError


class Depth(Enum):
    """File format and sample type of a still."""

    PNG8 = "png8"
    PNG16 = "png16"
    EXR32 = "exr32"
    """Scene-linear; values above 1 are kept."""

    @property
    def suffix(self) -> str:
        """The ending of the file's name."""
        return ".exr" if self is Depth.EXR32 else ".png"


@dataclass(frozen=True)
class FrameForm:
    """The form of a still.

    Without `alpha`, what is transparent is over black: mixed as displayed values with 8 bits, as linear light
    otherwise, as in Blender's own output.
    """

    depth: Depth = Depth.PNG8
    alpha: bool = True


_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


class Renderer:
    """Renders single frames of a scene, which it knows by name only: references do not survive undo."""

    def __init__(self, scene: str, form: FrameForm) -> None:
        self._scene = scene
        self._form = form

    def still(self, frame: int, path: Path, hide: tuple[str, ...] = ()) -> None:
        """Write timeline frame `frame` to `path`, with the strips named in `hide` muted.

        Raises:
            PluginError: the scene is gone, Blender is rendering already, or the file cannot be written.
        """
        scene = strips.scene_named(self._scene)
        if bpy.app.is_job_running("RENDER"):
            raise PluginError("Blender is rendering already.", "Wait until the render is done, or stop it.")
        around = [*_kept(scene), *((strips.find(scene, name), "mute", True) for name in hide)]
        try:
            with (
                _at_frame(scene, frame),
                _set(around),
                _set(_how(scene, self._form, path)),
                _set_look(scene, self._form),
                # The operator renders the scene that it is given at the frame of the context's scene.
                bpy.context.temp_override(scene=scene),
                _without_handlers(),
            ):
                result = bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0].removeprefix("Error: ").rstrip(".")
            raise _failed(frame, reason) from error
        if result != {"FINISHED"} or not _is_whole(path):
            raise _failed(frame, "Blender wrote no whole picture")


def _is_whole(path: Path) -> bool:
    """The picture is on disk. Blender says so itself when the disk is full for EXR, and says nothing for PNG."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(len(_PNG_START))
        file.seek(-min(path.stat().st_size, len(_PNG_END)), os.SEEK_END)
        return start != b"" and (start != _PNG_START or file.read() == _PNG_END)


def _failed(frame: int, reason: str) -> PluginError:
    return PluginError(
        f"Frame {frame} could not be rendered: {reason}.",
        "Check that there is free disk space and that the frame renders (Render > Render Image).",
    )


def _not_offered(name: str, value: Any) -> PluginError:
    return PluginError(
        f"This Blender does not offer {value} as {name.replace('_', ' ')}.",
        "Start Blender with its own colour configuration (without the OCIO variable).",
    )


Setting = tuple[Any, str, Any]
"""The object that has the property, its name, and the value it is to have."""


def _kept(scene: Any) -> list[Setting]:
    """What changes by itself when other settings do, and has to be put back after them."""
    image = scene.render.image_settings
    linear = image.linear_colorspace_settings
    # Changing the file format resets it, from Blender 5.0 on. It has no value before its first use.
    return [(linear, "name", linear.name)] if image.color_management == "OVERRIDE" and linear.name else []


def _how(scene: Any, form: FrameForm, path: Path) -> list[Setting]:
    """What has to be set for a still, in an order in which each value is allowed."""
    render, image = scene.render, scene.render.image_settings
    exr = form.depth is Depth.EXR32
    settings: list[Setting] = [
        (render, "use_sequencer", True),
        (render, "resolution_percentage", 100),
        (render, "use_border", False),
        (render, "use_multiview", False),
        (render, "dither_intensity", 0.0),
        (render, "use_file_extension", False),
        (render, "filepath", strips.literal_path(path)),
    ]
    # Dates and times inside the file would give the same picture another hash each time.
    stamps = [each.identifier for each in render.bl_rna.properties if each.identifier.startswith("use_stamp")]
    settings += [(render, stamp, False) for stamp in stamps]
    if hasattr(image, "media_type"):
        settings.append((image, "media_type", "IMAGE"))
    return [
        *settings,
        (image, "file_format", "OPEN_EXR" if exr else "PNG"),
        (image, "color_mode", "RGBA" if form.alpha else "RGB"),
        (image, "color_depth", {Depth.PNG8: "8", Depth.PNG16: "16", Depth.EXR32: "32"}[form.depth]),
        (image, "exr_codec", "ZIP") if exr else (image, "compression", 0),
    ]


@contextlib.contextmanager
def _set_look(scene: Any, form: FrameForm) -> Iterator[None]:
    """Write display-referred values under the view transform Standard, or scene-linear ones in EXR, for a while."""
    image = scene.render.image_settings
    view, linear = image.view_settings, image.linear_colorspace_settings
    # Blender fills a look of its own in from the scene's when it is switched on, so one that is off needs no keeping.
    own = image.color_management == "OVERRIDE"
    with _set([(image, "color_management", "OVERRIDE")]):
        settings: list[Setting] = [
            (image.display_settings, "display_device", "sRGB"),
            (view, "view_transform", "Standard"),
            (view, "look", "None"),
            (view, "exposure", 0.0),
            (view, "gamma", 1.0),
            (view, "use_curve_mapping", False),
        ]
        if hasattr(view, "use_white_balance"):
            settings.append((view, "use_white_balance", False))
        if form.depth is Depth.EXR32:
            settings = [(linear, "name", "Linear Rec.709")]
        with _set(settings, restore=own):
            yield


@contextlib.contextmanager
def _set(settings: list[Setting], restore: bool = True) -> Iterator[None]:
    """Set properties, and put all of them back at the end: first to last, since a format allows its own depths."""
    before: list[Setting] = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            try:
                setattr(owner, name, value)
            except TypeError as error:
                raise _not_offered(name, value) from error
        yield
    finally:
        with contextlib.ExitStack() as stack:
            # A stack runs every call, even after one that failed.
            for setting in reversed(before if restore else []):
                stack.callback(setattr, *setting)


_HANDLERS = (
    "render_init", "render_pre", "render_post", "render_write", "render_stats", "render_complete", "render_cancel",
)  # fmt: skip


@contextlib.contextmanager
def _without_handlers() -> Iterator[None]:
    """Keep what other add-ons do at a render (notify, upload, queue the next one) from being done at a still."""
    kept = [(handlers, list(handlers)) for handlers in (getattr(bpy.app.handlers, name) for name in _HANDLERS)]
    for handlers, _ in kept:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, functions in kept:
            # One that was added meanwhile stays as well.
            handlers[:] = [*functions, *(each for each in handlers if each not in functions)]


@contextlib.contextmanager
def _at_frame(scene: Any, frame: int) -> Iterator[None]:
    """Stand at a frame for a while."""
    now, subframe = scene.frame_current, scene.frame_subframe
    try:
        scene.frame_set(frame)
        yield
    finally:
        scene.frame_set(now, subframe=subframe)
