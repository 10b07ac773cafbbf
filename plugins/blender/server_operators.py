# SPDX-License-Identifier: GPL-3.0-or-later
"""The server and its settings: check the connection, start it, read its logs; back to an engine's default; presets."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

import time
from typing import Any

import bpy
from bl_operators.presets import AddPresetBase  # type: ignore[import-not-found]
from bpy.props import StringProperty

from . import properties, session, strips
from .errors import PluginError
from .operators import report
from .server import Problem, other_version

PATIENCE = 20.0
"""Seconds that starting the server may take, and that a server which is there may take to answer."""
_CHECK_PATIENCE = 3.0
"""Seconds in which a server that runs is found."""


class ServerOperator:
    """Asks the server how it is, without holding up Blender when it was invoked."""

    starts = False
    _timer: Any = None
    _begin = 0.0

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask, and wait for the answer in a timer."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._ask()
        except PluginError as error:
            return report(self, error)
        self._timer = context.window_manager.event_timer_add(session.TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look whether there is an answer."""
        if event.type != "TIMER" or not self._is_over():
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self._answer()

    def cancel(self, context: Any) -> None:
        """The window is being closed."""
        context.window_manager.event_timer_remove(self._timer)

    def execute(self, _context: Any) -> set[str]:
        """Ask and wait."""
        try:
            self._ask()
        except PluginError as error:
            return report(self, error)
        while not self._is_over():
            time.sleep(session.TICK)
        return self._answer()

    def _ask(self) -> None:
        server = session.current.server
        server.look(session.where())
        if self.starts or server.connected:
            server.ask_engines()
        self._begin = time.monotonic()

    def _is_over(self) -> bool:
        """Everything that was asked has been answered, or it will not be."""
        session.current.step()
        server = session.current.server
        waited = time.monotonic() - self._begin
        if server.answered or waited > PATIENCE:
            return True
        if self.starts:
            return server.hopeless() is not None
        return not (server.connected or server.connecting) and waited > _CHECK_PATIENCE

    def _answer(self) -> set[str]:
        server = session.current.server
        session.redraw()
        if not server.answered or server.problem is not None:
            late = Problem("The server did not answer.", "Start it, or look into its logs.")
            return report(self, server.problem or late)
        session.current.problem = None
        self.report({"INFO"}, sentence())  # type: ignore[attr-defined]
        return {"FINISHED"}


def sentence() -> str:
    """How the server is, in one sentence."""
    server = session.current.server
    if not server.connected:
        return "Starting the server" if server.starting else "Not connected"
    devices = _devices(server.status)
    from tweenbridge.version import __version__

    working = f": {', '.join(devices)}" if devices else ""
    return f"Connected to {server.name}{working}{other_version(server.name, __version__)}"


def _devices(status: Any) -> list[str]:
    """What it computes on. A worker that may choose for itself is on the device that the server tells of."""
    if status is None:
        return []
    chosen = "" if status.device is None else status.device.title or status.device.device
    named = {chosen if worker.device == "auto" else worker.device for worker in status.workers}
    return sorted(named - {""})


class TWEENBRIDGE_OT_check_connection(ServerOperator, bpy.types.Operator):  # type: ignore[misc]
    """Ask the server how it is. Does not start it"""

    bl_idname = "tweenbridge.check_connection"
    bl_label = "Check Connection"


class TWEENBRIDGE_OT_start_server(ServerOperator, bpy.types.Operator):  # type: ignore[misc]
    """Start the server on this machine. It goes on when Blender is closed"""

    bl_idname = "tweenbridge.start_server"
    bl_label = "Start Server"

    starts = True

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """The server is this machine's, and not there."""
        server = session.current.server
        return not session.where().remote and not server.connected and not server.starting


class TWEENBRIDGE_OT_open_logs(bpy.types.Operator):  # type: ignore[misc]
    """Show the folder of the server's logs"""

    bl_idname = "tweenbridge.open_logs"
    bl_label = "Open Logs"

    def execute(self, _context: Any) -> set[str]:
        """Open it in the system's file browser."""
        from tweenbridge import data_dir

        folder = data_dir() / "logs"
        if not folder.is_dir():
            return report(self, PluginError("There are no logs on this machine yet.", "Start the server first."))
        bpy.ops.wm.path_open(filepath=str(folder))
        return {"FINISHED"}


class TWEENBRIDGE_OT_default_setting(bpy.types.Operator):  # type: ignore[misc]
    """Back to the engine's default"""

    bl_idname = "tweenbridge.default_setting"
    bl_label = "Default"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own form

    name: StringProperty(name="Setting", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, _context: Any, chosen: Any) -> str:
        """The engine's own words about the setting."""
        info = properties.setting_info(chosen.name)
        if info is None:
            return "Back to the engine's default"
        between = f" From {info.minimum:g} to {info.maximum:g}." if None not in (info.minimum, info.maximum) else ""
        return f"{info.help}{between} Click for the default, {info.default!r}"

    def execute(self, context: Any) -> set[str]:
        """Set the default."""
        info = properties.setting_info(self.name)
        scene = strips.sequencer_scene(context)
        item = scene.tweenbridge.values.get(self.name) if scene is not None else None
        if info is None or item is None:
            return {"CANCELLED"}
        properties.put(item, info.default)
        return {"FINISHED"}


class TWEENBRIDGE_MT_presets(bpy.types.Menu):  # type: ignore[misc]
    """Presets of the settings"""

    bl_label = "Presets"
    preset_subdir = "tweenbridge"
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class TWEENBRIDGE_OT_add_preset(AddPresetBase, bpy.types.Operator):  # type: ignore[misc]
    """Keep the settings as a preset, or remove the preset"""

    bl_idname = "tweenbridge.add_preset"
    bl_label = "Add Preset"
    preset_menu = "TWEENBRIDGE_MT_presets"
    preset_subdir = "tweenbridge"
    preset_defines = (
        "shows = hasattr(bpy.context.workspace, 'sequencer_scene')",
        "scene = bpy.context.workspace.sequencer_scene if shows else bpy.context.scene",
        "settings = scene.tweenbridge",
    )
    preset_values = tuple(
        f"settings.{name}"
        for name in (
            "engine_name", "profile_name", "values_text", "amount", "count", "ripple", "ripple_markers",
            "ripple_end", "spacing", "chart", "hold",
            "loop", "depth", "alpha", "draft_first",
        )
    )  # fmt: skip

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There is a scene to take the settings from."""
        return strips.sequencer_scene(context) is not None


CLASSES = (
    TWEENBRIDGE_OT_check_connection,
    TWEENBRIDGE_OT_start_server,
    TWEENBRIDGE_OT_open_logs,
    TWEENBRIDGE_OT_default_setting,
    TWEENBRIDGE_MT_presets,
    TWEENBRIDGE_OT_add_preset,
)
