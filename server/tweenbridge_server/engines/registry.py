"""Which engines there are. Knowing them imports none of their code: that happens in a worker, in `create`.

Others add engines with an entry point of the group "tweenbridge.engines" whose object is a `Registration`.
"""

from __future__ import annotations

import importlib
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import EngineInfo, Note, Scalar, SettingInfo

from .dreammover.info import INFO as DREAMMOVER
from .optical_flow.info import INFO as FLOW

if TYPE_CHECKING:
    from .base import Engine

GROUP = "tweenbridge.engines"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registration:
    """An engine's description, and where its code is.

    Attributes:
        factory: "package.module:Class", called without arguments, in workers only.
        resolve: "package.module:function", called as `function(profile, settings, home)` with the complete settings and
            the server's data folder; returns a `Resolved` or raises a TweenbridgeError that says what is missing. It
            runs in the server's own process: within milliseconds, and without importing what the engine computes with.
            Given settings that it resolved before, it must return them again. "" for an engine that needs none.
        places: the settings that name files on the server's disk, or something that is looked up there.
        contents: "package.module:function", called as `function(settings, home)` with resolved settings: a hash of what
            the identity stands for, the same on every machine. It may read whole files. "" where the identity is the
            same everywhere already.
    """

    info: EngineInfo
    factory: str
    resolve: str = ""
    places: tuple[str, ...] = ()
    contents: str = ""


@dataclass(frozen=True)
class Resolved:
    """What a job's settings come to on this machine, at this moment.

    Attributes:
        settings: all of them, with what could mean several things made definite (paths absolute).
        identity: another one when what frames depend on beside the settings is another: a model's files. "" where there
            is nothing of the kind.
        whole_shot: frames depend on all keyframes of the job, not only on those of their gap.
        notes: what the user should know of it.
    """

    settings: dict[str, Scalar]
    identity: str = ""
    whole_shot: bool = False
    notes: tuple[Note, ...] = ()


_PLAIN_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@\w[\w.-]*)?", re.ASCII)
"""What a model goes by on the server, a file's name in its folder of models, or a hub id."""

_ENGINES = "tweenbridge_server.engines"
_BUILT_IN = (
    Registration(
        FLOW,
        f"{_ENGINES}.optical_flow.engine:FlowEngine",
        f"{_ENGINES}.optical_flow.network_files:resolve",
        contents=f"{_ENGINES}.optical_flow.network_files:contents",
    ),
    Registration(
        DREAMMOVER,
        f"{_ENGINES}.dreammover.engine:DreamMoverEngine",
        f"{_ENGINES}.dreammover.resolve:resolve",
        ("model", "vae", "lora"),
        f"{_ENGINES}.dreammover.contents:contents",
    ),
)


@lru_cache(maxsize=1)
def _registrations() -> dict[str, Registration]:
    known = {registration.info.name: registration for registration in _BUILT_IN}
    for point in metadata.entry_points(group=GROUP):
        try:
            registration = point.load()
        except Exception:
            log.exception("The engine %s could not be loaded and is left out.", point.name)
            continue
        if not isinstance(registration, Registration):
            log.error("The engine %s is no Registration and is left out.", point.name)
        else:
            known.setdefault(registration.info.name, registration)
    return known


def _find(name: str) -> Registration:
    for registration in _BUILT_IN:
        if registration.info.name == name:
            return registration
    known = _registrations()
    if name not in known:
        raise _refused(f"There is no engine {name!r}; there is {', '.join(sorted(known))}.")
    return known[name]


def _refused(message: str) -> TweenbridgeError:
    return TweenbridgeError(ErrorCode.BAD_REQUEST, message)


def infos() -> tuple[EngineInfo, ...]:
    """All engines; the built-in ones first."""
    return tuple(registration.info for registration in _registrations().values())


def info(name: str) -> EngineInfo:
    """One engine's description.

    Raises:
        TweenbridgeError: BAD_REQUEST, naming the engines there are.
    """
    return _find(name).info


def create(name: str) -> Engine:
    """Import an engine's code and make one. Only in a worker process.

    Raises:
        TweenbridgeError: BAD_REQUEST when there is no such engine.
    """
    engine: Engine = _imported(_find(name).factory)()
    return engine


def resolve(name: str, profile: str, settings: Mapping[str, Scalar], home: Path) -> Resolved:
    """What `check`ed settings come to here: where the model lies and which one it is. A few milliseconds.

    Raises:
        TweenbridgeError: what is missing, and what to do; INTERNAL when the engine's own code is at fault.
    """
    place = _find(name).resolve
    if not place:
        return Resolved(dict(settings))
    try:
        resolved: Resolved = _imported(place)(profile, settings, home)
    except TweenbridgeError:
        raise
    except Exception as error:
        log.exception("The engine %s could not resolve its settings.", name)
        message = f"The engine {name} could not check what it needs ({error!r:.200})."
        raise TweenbridgeError(ErrorCode.INTERNAL, message) from error
    return resolved


def check_names(name: str, settings: Mapping[str, Scalar]) -> None:
    """Refuse settings that name files by their path: for clients that are not to look about on the server's disk.

    Raises:
        TweenbridgeError: FORBIDDEN; BAD_REQUEST when there is no such engine.
    """
    for place in _find(name).places:
        value = str(settings.get(place, ""))
        if value and (not _PLAIN_NAME.fullmatch(value) or ".." in value):
            raise TweenbridgeError(
                ErrorCode.FORBIDDEN,
                f"On this server {place} is a name and not a path: {value[:80]!r}.",
                remedy="Name a model that the server has, or leave it out. Whoever runs the server can add models.",
            )


def places(name: str) -> tuple[str, ...]:
    """The settings of an engine that name files. BAD_REQUEST when there is no such engine."""
    return _find(name).places


def contents(name: str, resolved: Resolved, home: Path) -> str:
    """A hash of the model that resolved settings mean, the same on every machine; "" where there is none. Slow.

    Raises:
        TweenbridgeError: as `resolve`, where files changed or went since.
    """
    place = _find(name).contents
    if not place or not resolved.identity:
        return resolved.identity
    found: str = _imported(place)(resolved.settings, home)
    return found


def check_identity(before: str, now: str) -> None:
    """Refuse to go on with another model than a job was begun with: its frames would not belong together.

    Raises:
        TweenbridgeError: MODEL_FAILED.
    """
    if before != now:
        raise TweenbridgeError(
            ErrorCode.MODEL_FAILED,
            "The model has changed since the in-betweens were asked for.",
            remedy="Generate them again.",
        )


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def check(name: str, profile: str, settings: Mapping[str, Scalar]) -> tuple[str, dict[str, Scalar]]:
    """The profile ("" means the first) and the complete settings, defaults filled in.

    Raises:
        TweenbridgeError: BAD_REQUEST, saying what is allowed.
    """
    engine = info(name)
    profiles = [known.name for known in engine.profiles]
    if profile and profile not in profiles:
        raise _refused(f"Engine {name} has no profile {profile!r}; it has {', '.join(profiles)}.")
    known = {setting.name: setting for setting in engine.settings}
    for unknown in settings.keys() - known.keys():
        names = ", ".join(known) or "no settings"
        raise _refused(f"Engine {name} has no setting {unknown!r}; it has {names}.")
    complete = {
        setting.name: _checked(setting, settings[setting.name]) if setting.name in settings else setting.default
        for setting in engine.settings
    }
    return profile or profiles[0], complete


def _checked(setting: SettingInfo, value: Scalar) -> Scalar:
    if setting.kind == "bool":
        if isinstance(value, bool):
            return value
        raise _refused(f"{setting.title} is on or off, not {value!r}.")
    if setting.kind in ("int", "float"):
        return _number(setting, value)
    if not isinstance(value, str) or (setting.kind == "choice" and value not in setting.choices):
        allowed = f"one of {', '.join(setting.choices)}" if setting.kind == "choice" else "text"
        raise _refused(f"{setting.title} is {allowed}, not {value!r}.")
    return value


def _number(setting: SettingInfo, value: Scalar) -> Scalar:
    whole = setting.kind == "int"
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    low = -math.inf if setting.minimum is None else setting.minimum
    high = math.inf if setting.maximum is None else setting.maximum
    if math.isfinite(number) and low <= number <= high and (not whole or number == int(number)):
        return int(number) if whole else float(number)
    kind = "a whole number" if whole else "a number"
    ends = [f"at least {low:g}" if low > -math.inf else "", f"at most {high:g}" if high < math.inf else ""]
    allowed = " and ".join(end for end in ends if end)
    raise _refused(f"{setting.title} is {kind}{' of ' if allowed else ''}{allowed}, not {value!r}.")
