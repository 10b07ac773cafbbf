# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sets, kept with each scene. Engines and their settings are whatever the server says they are."""

# mypy: disable-error-code="valid-type"
# Blender reads the annotations of these classes as values, so they are not postponed.

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import session
from .plan import Scalar

if TYPE_CHECKING:
    from tweenbridge import EngineInfo
    from tweenbridge.protocol.messages import SettingInfo

DEFAULT_PROFILE = "DEFAULT"
"""Stands for no profile in particular: Blender shows an item without a name as a blank."""

Items = list[tuple[str, str, str, str, int]]

_kept: dict[tuple[str, ...], Items] = {}
"""Blender does not keep the texts that an enum callback returns, so they are kept here."""
_numbers: dict[str, int] = {}
"""The number of each choice: the same whatever the list is, so that a menu that is open while it changes is right."""

FIELDS = {"bool": "as_bool", "int": "as_int", "float": "as_float", "str": "as_str", "choice": "as_choice"}
"""The property of an `EngineValue` for each kind of setting."""


def _keep(items: Iterable[tuple[str, str, str]]) -> Items:
    made = [(*item, "NONE", _numbers.setdefault(item[0], len(_numbers))) for item in items]
    return _kept.setdefault(tuple(text for item in made for text in item[:3]), made)


def engine_info(name: str) -> "EngineInfo | None":
    """What the server said of an engine; None while it has not said anything, or when it has no such engine."""
    return next((engine for engine in session.current.server.engines if engine.name == name), None)


def setting_info(key: str) -> "SettingInfo | None":
    """What the server said of the setting that an `EngineValue` called `engine.setting` is for."""
    engine, _, name = key.partition(".")
    info = engine_info(engine)
    return None if info is None else next((each for each in info.settings if each.name == name), None)


class _Choice:
    """An enum over texts that the server chooses, stored as text: numbers mean something in this session only."""

    def __init__(self, stored: str, items: Any) -> None:
        self._stored = stored
        self._items = items

    def property(self, title: str, description: str, changed: Any = None) -> Any:
        """The property for a class's annotations."""

        def get(group: Any) -> int:
            numbers = {item[0]: item[4] for item in self._items(group, None)}
            stored = getattr(group, self._stored)
            return numbers[stored] if stored in numbers else next(iter(numbers.values()), 0)

        def choose(group: Any, number: int) -> None:
            setattr(group, self._stored, next(name for name, known in _numbers.items() if known == number))
            if changed is not None:
                changed(group)

        return EnumProperty(name=title, description=description, items=self._items, get=get, set=choose)


# ---------------------------------------------------------------- settings of an engine


def _choices(value: Any, _context: Any) -> Items:
    info = setting_info(value.name)
    known = info.choices if info is not None else ()
    return _keep((choice, choice, "") for choice in known or (value.as_str,))


def _clamp(value: Any, field: str) -> None:
    info = setting_info(value.name)
    if info is None:
        return
    now = getattr(value, field)
    inside = now if info.minimum is None else max(info.minimum, now)
    inside = inside if info.maximum is None else min(info.maximum, inside)
    if inside != now:
        setattr(value, field, type(now)(inside))


class TweenbridgeEngineValue(bpy.types.PropertyGroup):  # type: ignore[misc]
    """The value of one engine setting; `name` is `engine.setting`."""

    kind: StringProperty()
    as_bool: BoolProperty(name="Value")
    as_int: IntProperty(name="Value", update=lambda self, _: _clamp(self, "as_int"))
    as_float: FloatProperty(name="Value", precision=3, step=5, update=lambda self, _: _clamp(self, "as_float"))
    as_str: StringProperty(name="Value")
    as_choice: _Choice("as_str", _choices).property("Value", "")


def value_of(item: Any) -> Scalar:
    """The value of an engine setting."""
    field = "as_str" if item.kind == "choice" else FIELDS[item.kind]
    value: Scalar = getattr(item, field)
    return value


def put(item: Any, value: Scalar) -> None:
    """Set an engine setting, where the value is of its kind."""
    with contextlib.suppress(TypeError):
        setattr(item, "as_str" if item.kind == "choice" else FIELDS[item.kind], value)


def kind_of(value: Scalar) -> str:
    """The kind of setting that such a value belongs to."""
    return {bool: "bool", int: "int", float: "float", str: "str"}[type(value)]


def put_all(settings: Any, values: Mapping[str, Scalar]) -> None:
    """Set engine settings by their keys; one that the server has not told of becomes one of the value's own kind."""
    for key, value in values.items():
        item = settings.values.get(key)
        if item is None:
            info = setting_info(key)
            item = settings.values.add()
            item.name, item.kind = key, kind_of(value) if info is None else info.kind
        put(item, value)


def ensure_values(settings: Any) -> None:
    """Make what the settings of the chosen engine need to be drawn. Cannot be called while drawing."""
    info = engine_info(settings.engine_name)
    for setting in info.settings if info is not None else ():
        key = f"{settings.engine_name}.{setting.name}"
        item = settings.values.get(key)
        if item is not None and item.kind == setting.kind:
            continue
        if setting.kind not in FIELDS:
            continue
        if item is None:
            item = settings.values.add()
            item.name = key
        item.kind = setting.kind
        put(item, setting.default)


# ---------------------------------------------------------------- settings of a scene


def _engines(_settings: Any, _context: Any) -> Items:
    known = [(engine.name, engine.title, engine.description) for engine in session.current.server.engines]
    chosen = _settings.engine_name
    if chosen not in [item[0] for item in known]:
        known.append((chosen, {"flow": "Optical flow"}.get(chosen, chosen), "The server has not said what it offers"))
    return _keep(known)


def _profiles(settings: Any, _context: Any) -> Items:
    info = engine_info(settings.engine_name)
    if info is None and settings.profile_name:
        name = settings.profile_name
        return _keep([(name, name.capitalize(), "The server has not said what it offers")])
    if info is None or not info.profiles:
        return _keep([(DEFAULT_PROFILE, "Default", "What the engine itself chooses")])
    return _keep((profile.name, profile.title, profile.description) for profile in info.profiles)


class TweenbridgeKeyframe(bpy.types.PropertyGroup):  # type: ignore[misc]
    """A keyframe of the artist's list; `name` is what it is called."""

    frame: IntProperty(name="Frame", description="The timeline frame at which it was added")
    strip: StringProperty()
    strip_id: StringProperty()
    offset: IntProperty()


FORMATS = [
    ("png8", "PNG 8-Bit", "Small; what most strips have"),
    ("png16", "PNG 16-Bit", "For grading"),
    ("exr32", "OpenEXR", "Scene-linear; values above white are kept"),
]
"""The forms of keyframes and in-betweens; `frames.Depth` values."""


class TweenbridgeSettings(bpy.types.PropertyGroup):  # type: ignore[misc]
    """Everything set for a scene."""

    file_id: StringProperty(options={"HIDDEN"})
    project: StringProperty(options={"HIDDEN"})
    source: EnumProperty(
        name="Key Drawings",
        description="Where the key drawings come from",
        items=[
            (
                "AUTO",
                "Automatic",
                "Two or more selected strips; else the list; else the markers, with nothing selected",
            ),
            ("STRIPS", "Selected Strips", "The last frame of one strip, the first of the next"),
            ("LIST", "List", "The frames added below"),
            ("MARKERS", "Markers", "The selected markers; all of them where fewer than two are selected"),
        ],
    )
    keyframes: CollectionProperty(type=TweenbridgeKeyframe)
    keyframe_index: IntProperty()
    engine_name: StringProperty(default="flow", options={"HIDDEN"})
    engine: _Choice("engine_name", _engines).property("Engine", "What makes the in-betweens", ensure_values)
    profile_name: StringProperty(options={"HIDDEN"})
    profile: _Choice("profile_name", _profiles).property("Profile", "How thorough the engine is")
    values: CollectionProperty(type=TweenbridgeEngineValue)
    values_text: StringProperty(
        options={"HIDDEN", "SKIP_SAVE"},
        get=lambda self: json.dumps({item.name: value_of(item) for item in self.values}),
        set=lambda self, text: put_all(self, json.loads(text)),
    )
    amount: EnumProperty(
        name="In-Betweens",
        description="How many in-betweens go between two keyframes",
        items=[
            ("FILL", "Fill Gap", "One for every frame between the key drawings"),
            ("NUMBER", "Number", "This many. Fewer than fit are held evenly; more need later strips to move"),
        ],
    )
    count: IntProperty(name="Number", description="In-betweens in every gap", default=5, min=1, max=1000)
    ripple: BoolProperty(
        name="Move Later Strips", description="Where there is too little room, later strips move to make some"
    )
    ripple_markers: BoolProperty(name="Markers", description="Markers after the gap move along with the strips")
    ripple_end: BoolProperty(name="Scene End", description="The scene's frame range ends as much later")
    spacing: EnumProperty(
        name="Spacing",
        description="How the in-betweens are spaced in time",
        items=[
            ("linear", "Even", "The same distance from one to the next"),
            ("ease-in", "Ease In", "Starts slowly, arrives at full speed"),
            ("ease-out", "Ease Out", "Starts at full speed, settles"),
            ("ease-in-out", "Ease In and Out", "Starts slowly and settles"),
            ("CHART", "Timing Chart", "The times of the in-betweens, one by one"),
        ],
    )
    chart: StringProperty(
        name="Chart",
        description="When each in-between is: 0 is one key drawing, 1 is the next. Percent are taken as well",
        default="0.25 0.5 0.75",
    )
    hold: EnumProperty(
        name="Hold",
        description="For how many frames each in-between is shown",
        items=[("1", "On Ones", ""), ("2", "On Twos", ""), ("3", "On Threes", ""), ("4", "On Fours", "")],
    )
    loop: BoolProperty(name="Loop", description="Also lead from the last key drawing back to the first")
    depth: EnumProperty(name="Format", description="The file format of key drawings and in-betweens", items=FORMATS)
    alpha: BoolProperty(
        name="Alpha", description="Keep transparency; without it, key drawings are over black", default=True
    )
    draft_first: BoolProperty(
        name="Show Draft First", description="Optical flow fills the gap at once; the finished frames replace it"
    )


CLASSES = (TweenbridgeEngineValue, TweenbridgeKeyframe, TweenbridgeSettings)


def prepare_scenes() -> None:
    """Make what the settings of every scene's engine need: the server may have told of it after it was chosen."""
    for scene in bpy.data.scenes:
        ensure_values(scene.tweenbridge)


def register() -> None:
    """Give every scene its settings."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.tweenbridge = PointerProperty(type=TweenbridgeSettings)
    session.current.prepare = prepare_scenes


def unregister() -> None:
    """Take them away; what is stored in files stays."""
    del bpy.types.Scene.tweenbridge
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
