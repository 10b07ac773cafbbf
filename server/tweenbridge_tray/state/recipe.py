"""How in-betweens are to be made: engine, profile, timing, and the engine's settings as the server describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal
from tweenbridge import EngineInfo, ErrorInfo, Scalar, Spacing, Timing
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.models import ModelState

from ..session import Answer, Link, Session
from .models import ModelsState

MOST_COUNT = 999
MOST_HOLD = 24


class Recipe(QObject):
    """What the user has chosen. Engines are asked for in every session, and choices that still exist are kept.

    Args:
        models: those that are there can be chosen, and where one is there, an engine that needs one has it by default.
    """

    changed = Signal()
    """A choice, or what can be chosen."""

    def __init__(self, session: Session, models: ModelsState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engines: tuple[EngineInfo, ...] = ()
        self.engine: EngineInfo | None = None
        self.profile = ""
        self.timing = Timing(count=7)
        self.error: ErrorInfo | None = None
        self._wished_engine = ""
        self._settings: dict[str, dict[str, Scalar]] = {}
        self._session = session
        self._models = models
        models.changed.connect(lambda _: self.changed.emit())
        session.link_changed.connect(self._ask)
        self._ask()

    # ------------------------------------------------------------ choosing

    def begin_with(self, engine: str, profile: str, timing: Timing, settings: Mapping[str, Scalar]) -> None:
        """Take an earlier choice, as far as the server has what it names; "" is the server's first."""
        self._wished_engine, self.profile, self.timing = engine, profile, timing
        if engine:
            self._settings[engine] = dict(settings)
        self._settle()

    def choose_engine(self, name: str) -> None:
        """Take another engine, with its first profile."""
        self._wished_engine = name
        engine = next((engine for engine in self.engines if engine.name == name), None)
        if engine is not None and engine is not self.engine:
            self.engine = engine
            self.profile = engine.profiles[0].name if engine.profiles else ""
            self.changed.emit()

    def choose_profile(self, name: str) -> None:
        """Take another profile of the engine."""
        if self.engine is not None and name in [profile.name for profile in self.engine.profiles]:
            self.profile = name
            self.changed.emit()

    def set_timing(self, **changes: Any) -> None:
        """Change fields of the timing."""
        self.timing = replace(self.timing, **changes)
        self.changed.emit()

    def set_setting(self, name: str, value: Scalar) -> None:
        """Set one of the engine's settings."""
        if self.engine is not None:
            self._settings.setdefault(self.engine.name, {})[name] = value
            self.changed.emit()

    # ------------------------------------------------------------ what was chosen

    def value(self, setting: wire.SettingInfo) -> Scalar:
        """What a setting of the engine is now; its default where another version of the engine had other values."""
        name = self.engine.name if self.engine is not None else ""
        chosen = self._settings.get(name, {}).get(setting.name, setting.default)
        return chosen if _kind(chosen) is _kind(setting.default) else setting.default

    @property
    def settings(self) -> dict[str, Scalar]:
        """The engine's settings that differ from their defaults."""
        if self.engine is None:
            return {}
        found = {setting.name: (self.value(setting), setting.default) for setting in self.engine.settings}
        return {name: value for name, (value, default) in found.items() if value != default}

    @property
    def lacks(self) -> tuple[wire.SettingInfo, ...]:
        """Settings without which the engine cannot work, and which are empty."""
        if self.engine is None:
            return ()
        needed = [setting for setting in self.engine.settings if setting.name in self.engine.needs]
        return tuple(setting for setting in needed if self.value(setting) == "" and not self.choices(setting))

    def choices(self, setting: wire.SettingInfo) -> tuple[str, ...]:
        """Models that are there for a setting of the engine, by their ids; () for settings that name no model."""
        ready = [model for model in self._models.models.values() if model.state is ModelState.READY]
        engine = self.engine.name if self.engine is not None else ""
        return tuple(model.model for model in ready if (model.engine, model.role.value) == (engine, setting.name))

    @property
    def is_ready(self) -> bool:
        """Whether in-betweens could be asked for."""
        return self.engine is not None and not self.lacks

    # ------------------------------------------------------------ the server

    def _ask(self) -> None:
        if self._session.link is Link.ON:
            self._session.ask(wire.GetEngines(), self._take)
        else:
            self.error = self._session.error
            self.changed.emit()

    def _take(self, answer: Answer) -> None:
        self.error = answer.error
        if isinstance(answer.message, wire.Engines):
            self.engines = answer.message.engines
            self._settle()
        else:
            self.changed.emit()

    def _settle(self) -> None:
        """Hold the choice against what the server has."""
        if self.engines:
            wished = self._wished_engine or (self.engine.name if self.engine is not None else "")
            self.engine = next((engine for engine in self.engines if engine.name == wished), self.engines[0])
            profiles = [profile.name for profile in self.engine.profiles]
            if self.profile not in profiles:
                self.profile = profiles[0] if profiles else ""
        self.changed.emit()


def _kind(value: Scalar) -> type:
    """What sort of field a setting's value needs."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def chart_of(text: str) -> tuple[float, ...]:
    """A timing chart as it is typed: times between 0 and 1 with commas or blanks between them.

    Raises:
        ValueError: something in it is no such time.
    """
    times = tuple(float(word) for word in text.replace(";", " ").replace(",", " ").split())
    if any(not 0 <= time <= 1 for time in times):
        raise ValueError(text)
    return times


def as_json(recipe: Recipe) -> Mapping[str, object]:
    """The choices as other programs are told them: the fields of a request in PROTOCOL.md."""
    timing = recipe.timing
    return {
        "engine": recipe.engine.name if recipe.engine is not None else "",
        "profile": recipe.profile,
        "timing": {
            "count": timing.count,
            "spacing": Spacing(timing.spacing).value,
            "chart": list(timing.chart),
            "hold": timing.hold,
            "loop": timing.loop,
        },
        "settings": recipe.settings,
    }
