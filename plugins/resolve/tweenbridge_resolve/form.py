"""What the window asks, as plain values: its rows, made from what the server offers, and the choice read from them.

Nothing here knows how windows are made; `dialog` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import EngineInfo, Scalar, SettingInfo
from tweenbridge.timing import MAX_HOLD, Spacing, Timing

from .choice import Choice

Value = Union[bool, int, str]
"""What a control holds: a check, a number or the index of a choice, a text."""

_SPACINGS = (
    (Spacing.LINEAR, "Even"),
    (Spacing.EASE_IN, "Ease in: slow start"),
    (Spacing.EASE_OUT, "Ease out: slow end"),
    (Spacing.EASE_IN_OUT, "Ease in and out"),
)
_MOST_COUNT = 999


@dataclass(frozen=True)
class Control:
    """One control and its label.

    Attributes:
        id: its name in the window.
        kind: "check", "number", "choice" or "text".
        value: what it shows first; a choice's index.
        choices: the words of a "choice".
        lowest, highest: of a "number".
        help: shown while the pointer rests on it.
    """

    id: str
    kind: str
    label: str
    value: Value
    choices: Tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0
    help: str = ""


@dataclass(frozen=True)
class Form:
    """All controls: those that are always there, and one page for each engine."""

    general: Tuple[Control, ...]
    pages: Tuple[Tuple[Control, ...], ...]

    def controls(self) -> Tuple[Control, ...]:
        """Every control."""
        return self.general + tuple(control for page in self.pages for control in page)


def make_form(sources: Sequence[str], engines: Sequence[EngineInfo], choice: Choice, folder: str) -> Form:
    """The controls, showing a choice.

    Args:
        sources: titles of what keyframes can be taken from.
        folder: where frames are kept.
    """
    timing = choice.timing
    names = [engine.name for engine in engines]
    general = (
        Control("Source", "choice", "Keyframes", 0, tuple(sources)),
        Control("Bridge", "number", "Frames over a cut", choice.bridge, (), 1, _MOST_COUNT,
                "How many frames around a cut the in-betweens cover. Nothing is trimmed."),
        Control("Spacing", "choice", "Spacing", [s for s, _ in _SPACINGS].index(timing.spacing),
                tuple(word for _, word in _SPACINGS)),
        Control("Hold", "number", "Hold (2: on twos)", timing.hold, (), 1, MAX_HOLD,
                "1: a new drawing on every frame. 2: on twos."),
        Control("Count", "number", "In-betweens (0: all)", timing.count or 0, (), 0, _MOST_COUNT,
                "0: one for every frame. Fewer than fit are spread evenly, each held."),
        Control("Chart", "text", "Timing chart", " ".join(f"{t:g}" for t in timing.chart), (), 0, 0,
                "Times of the drawings between 0 and 1, like 0.1 0.5 0.9. Takes the place of spacing and number."),
        Control("Loop", "check", "Loop", timing.loop, (), 0, 0, "One more gap, from the last keyframe to the first."),
        Control("Folder", "text", "Save frames to", folder, (), 0, 0, "Every run makes a new folder in it."),
        Control("Engine", "choice", "Engine", names.index(choice.engine) if choice.engine in names else 0,
                tuple(engine.title for engine in engines)),
    )  # fmt: skip
    return Form(general, tuple(_page(i, engine, choice) for i, engine in enumerate(engines)))


def _page(index: int, engine: EngineInfo, choice: Choice) -> Tuple[Control, ...]:
    profiles = [profile.name for profile in engine.profiles]
    chosen = engine.name == choice.engine
    profile = profiles.index(choice.profile) if chosen and choice.profile in profiles else 0
    titles = tuple(profile.title for profile in engine.profiles)
    controls = [Control(f"Profile{index}", "choice", "Profile", profile, titles)]
    for number, setting in enumerate(engine.settings):
        value = choice.settings.get(setting.name, setting.default) if chosen else setting.default
        controls.append(_control(f"Setting{index}_{number}", setting, value))
    return tuple(controls)


def _control(name: str, setting: SettingInfo, value: Scalar) -> Control:
    if setting.kind == "bool":
        return Control(name, "check", setting.title, bool(value), help=setting.help)
    if setting.kind == "choice":
        index = setting.choices.index(str(value)) if str(value) in setting.choices else 0
        return Control(name, "choice", setting.title, index, setting.choices, help=setting.help)
    if setting.kind == "int" and setting.minimum is not None and setting.maximum is not None:
        lowest, highest = int(setting.minimum), min(int(setting.maximum), 2**31 - 1)
        return Control(name, "number", setting.title, int(value), (), lowest, highest, setting.help)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return Control(name, "text", setting.title, text, help=setting.help)


# ---------------------------------------------------------------- reading it


def read_form(values: Mapping[str, Value], engines: Sequence[EngineInfo], usual_folder: str) -> Choice:
    """The choice that the controls hold. Settings left at their defaults, and the usual folder, are not part of it.

    Raises:
        TweenbridgeError: BAD_REQUEST, naming what cannot be understood.
    """
    index = int(values["Engine"])
    engine = engines[index]
    settings: Dict[str, Scalar] = {}
    for number, setting in enumerate(engine.settings):
        value = _setting(setting, values[f"Setting{index}_{number}"])
        if value != setting.default:
            settings[setting.name] = value
    profile = engine.profiles[int(values[f"Profile{index}"])].name if engine.profiles else ""
    count = int(values["Count"])
    timing = Timing(
        count=count or None,
        spacing=_SPACINGS[int(values["Spacing"])][0],
        chart=parse_chart(str(values["Chart"])),
        hold=int(values["Hold"]),
        loop=bool(values["Loop"]),
    )
    folder = str(values["Folder"]).strip()
    return Choice(engine.name, profile, timing, settings, "" if folder == usual_folder else folder,
                  max(1, int(values["Bridge"])))  # fmt: skip


def _setting(setting: SettingInfo, value: Value) -> Scalar:
    if setting.kind == "choice":
        return setting.choices[int(value)]
    if setting.kind == "bool":
        return bool(value)
    if setting.kind in ("int", "float"):
        return _number(setting, value)
    return str(value)


def _number(setting: SettingInfo, value: Value) -> Union[int, float]:
    kind: Callable[[Value], Union[int, float]] = int if setting.kind == "int" else float
    try:
        number = kind(value.strip() if isinstance(value, str) else value)
    except ValueError:
        raise _wrong(f"{setting.title} is “{value}”, which is not a number.") from None
    if not _within(number, setting.minimum, setting.maximum):
        raise _wrong(f"{setting.title} is {number:g}; it can be {_range(setting)}.")
    return number


def _within(number: float, lowest: Optional[float], highest: Optional[float]) -> bool:
    return (lowest is None or number >= lowest) and (highest is None or number <= highest)


def _range(setting: SettingInfo) -> str:
    if setting.minimum is None or setting.maximum is None:
        return f"{setting.minimum:g} or more" if setting.maximum is None else f"at most {setting.maximum:g}"
    return f"{setting.minimum:g} to {setting.maximum:g}"


def parse_chart(text: str) -> Tuple[float, ...]:
    """A timing chart's times: numbers or percentages with spaces, commas or semicolons between them.

    Raises:
        TweenbridgeError: BAD_REQUEST, naming the word that is not a time.
    """
    times: List[float] = []
    for word in text.replace(",", " ").replace(";", " ").replace(" %", "%").split():
        try:
            time = float(word[:-1]) / 100 if word.endswith("%") else float(word)
        except ValueError:
            time = -1.0
        if not 0.0 <= time <= 1.0:
            raise _wrong(f"The timing chart has “{word}” in it, which is not a time between 0 and 1.")
        times.append(time)
    return tuple(times)


def _wrong(sentence: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, sentence, remedy="Correct it, then try again.")
