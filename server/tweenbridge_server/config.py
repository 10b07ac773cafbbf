"""The server's settings: home/config.toml, overridden by TWEENBRIDGE_* variables of the environment.

docs/configuration.md lists them. `limits.frame_bytes` is the key frame_bytes of the file's table [limits], and
TWEENBRIDGE_LIMITS_FRAME_BYTES.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import Limits

from .executors.cluster.messages import ClusterSettings
from .jobs.retention import Retention
from .models.settings import FetchSettings

Value = bool | str | int | float | tuple[str, ...]

MIB = 1024 * 1024
_DAY = 24 * 3600.0
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Config:
    """All settings of one server.

    Attributes:
        home: the data folder.
        host, port: address to listen on; port 0 takes any free one.
        limits: what clients may ask for.
        retention: how long results stay.
        devices: what workers compute on, one worker for each; "auto" leaves the choice to the engine.
        worker_idle_seconds: a worker process that has had nothing to do for so long is ended.
        cpu_threads: threads a worker may compute with; 0 is one for each core but one.
        compile_models: whether engines compile their models.
        executor: where gaps are made: "local", or "cluster".
        cluster: how a cluster is used.
        models: how models are downloaded.
        log_level: least level that is logged.
        warnings: what was odd about the settings, one sentence each.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    limits: Limits = field(default_factory=Limits)
    retention: Retention = field(default_factory=Retention)
    devices: tuple[str, ...] = ("auto",)
    worker_idle_seconds: float = 120.0
    cpu_threads: int = 0
    compile_models: bool = False
    executor: str = "local"
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    models: FetchSettings = field(default_factory=FetchSettings)
    log_level: str = "info"
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """One setting: where it stands, its default, and what it may be."""

    table: str
    name: str
    default: Value
    allowed: str
    read: Callable[[Any], Value]
    help: str

    @property
    def path(self) -> str:
        """Its name with its table's, e.g. "limits.frame_bytes"."""
        return f"{self.table}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"TWEENBRIDGE_{self.table}_{self.name}".upper()

    def checked(self, value: Any, source: str) -> Value:
        """A value as it is used; `source` is where it stands, for the error.

        Raises:
            TweenbridgeError: BAD_REQUEST naming the key and what is allowed.
        """
        try:
            return self.read(value)
        except ValueError:
            raise _bad(source, self.path, value, self.allowed) from None


def _whole(table: str, name: str, default: int, low: int, high: int, help: str) -> Key:
    def read(value: Any) -> int:
        number = int(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise ValueError
        return number

    return Key(table, name, default, f"a whole number from {low} to {high}", read, help)


def _number(table: str, name: str, default: float, low: float, high: float, help: str) -> Key:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        number = float(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return Key(table, name, default, f"a number from {low:g} to {high:g}", read, help)


def _switch(value: Any) -> bool:
    known = {"true": True, "false": False}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    if not isinstance(value, bool):
        raise ValueError
    return value


def _address(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return str(ipaddress.ip_address(value))


def _level(value: Any) -> str:
    if not isinstance(value, str) or value.lower() not in LOG_LEVELS:
        raise ValueError
    return value.lower()


_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d{1,3})?")
_MOST_DEVICES = 64


def _devices(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError
    devices = tuple(name.strip().lower() for name in names)
    if not 1 <= len(devices) <= _MOST_DEVICES or not all(map(_DEVICE.fullmatch, devices)):
        raise ValueError
    return devices


def _web_address(value: Any) -> str:
    if not isinstance(value, str) or value != value.strip():
        raise ValueError
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError
    return value.rstrip("/")


EXECUTORS = ("local", "cluster")
NODES = ("auto", "gpu", "cpu")


def _word(words: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in words:
            raise ValueError
        return value.lower()

    return read


_HEAD = re.compile(r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")


def _head(value: Any) -> str:
    """ "auto", or where the head of a Ray cluster is."""
    if not isinstance(value, str):
        raise ValueError
    match = _HEAD.fullmatch(value)
    if value != "auto" and (match is None or not 0 < int(match[2]) < 65536):
        raise ValueError
    return value


_LIMITS = Limits()
_RETENTION = Retention()
_FETCH = FetchSettings()
_CLUSTER = ClusterSettings()

# Upper bounds of the counts keep every message within one header (protocol/limits.py).
KEYS: tuple[Key, ...] = (
    Key("server", "host", "127.0.0.1", "an IP address", _address,
        "Address to listen on. Any other than a loopback address is encrypted; see below."),
    _whole("server", "port", 0, 0, 65535, "Port to listen on; 0 takes any free one."),
    _whole("limits", "frame_bytes", _LIMITS.frame_bytes, MIB, 1024 * MIB, "Largest keyframe or frame, in bytes."),
    _whole("limits", "keyframes_per_job", _LIMITS.keyframes_per_job, 2, 256, "Most keyframes of one job."),
    _whole("limits", "frames_per_job", _LIMITS.frames_per_job, 1, 10_000, "Most frames that one job may make."),
    _whole("limits", "jobs_per_client", _LIMITS.jobs_per_client, 1, 10_000,
           "Most jobs of one client (of other machines: of one key) that are neither finished nor released."),
    _whole("limits", "queued_jobs", _LIMITS.queued_jobs, 1, 1_000_000, "Most unfinished jobs of all clients together."),
    _whole("limits", "spool_bytes", _LIMITS.spool_bytes, 256 * MIB, 2**60,
           "Most bytes that keyframes and frames together may take on disk."),
    _whole("limits", "client_bytes", _LIMITS.client_bytes, 0, 2**60,
           "Most bytes of them that the unfinished jobs of one client may hold; 0 is no bound of its own."),
    _number("retention", "days", _RETENTION.max_age / _DAY, 0.01, 3650,
            "Days after its last use that a frame or a keyframe is kept, and a finished job in the list."),
    _whole("retention", "bytes", _RETENTION.max_bytes, 0, 2**60,
           "Most bytes of kept frames and keyframes; those unused the longest go first."),
    _whole("retention", "history", _RETENTION.history, 1, 100_000, "Most finished jobs in the list."),
    Key("workers", "devices", ("auto",), "auto, cpu, cuda, cuda:1, xpu or mps; or a list of them", _devices,
        "What engines with a model compute on; one worker process for each."),
    _number("workers", "idle_seconds", 120.0, 1, 86400, "Seconds without work after which a worker process ends."),
    _whole("workers", "cpu_threads", 0, 0, 1024, "Threads a worker computes with; 0 is one for each core but one."),
    Key("workers", "compile", False, "true or false", _switch,
        "Have PyTorch compile models: minutes at first, then faster frames."),
    Key("workers", "executor", "local", "one of " + ", ".join(EXECUTORS), _word(EXECUTORS),
        "Where in-betweens are made: on this machine, or on the nodes of a Ray cluster."),
    Key("cluster", "address", _CLUSTER.address, "auto, or the head's HOST:PORT", _head,
        "The Ray cluster; auto is the one that this machine is a node of."),
    Key("cluster", "nodes", _CLUSTER.nodes, "one of " + ", ".join(NODES), _word(NODES),
        "Nodes that work: those with a GPU, those without, or auto: those with one where there are any."),
    _number("cluster", "gpus", _CLUSTER.gpus, 0.1, 1, "GPUs that one actor takes: 0.5 has two share each."),
    _whole("cluster", "cores", _CLUSTER.cores, 0, 1024,
           "Cores that one actor takes on a node without a GPU; 0 is all of them."),
    _whole("cluster", "most_actors", _CLUSTER.most_actors, 0, 1024,
           "Most actors at once; 0 is as many as there is room for."),
    Key("models", "proxy", _FETCH.proxy, "an address like http://proxy:3128, or empty", _web_address,
        "Proxy for downloading models; empty takes the environment's (`HTTPS_PROXY`)."),
    Key("models", "mirror", _FETCH.mirror, "an address like https://hub.example.org, or empty", _web_address,
        "Mirror of the Hugging Face hub; empty takes the environment's (`HF_ENDPOINT`), else the hub itself."),
    _number("models", "stall_seconds", _FETCH.stall_seconds, 1, 600,
            "Seconds without a byte after which a download's connection counts as lost and is made anew."),
    Key("log", "level", "info", "one of " + ", ".join(LOG_LEVELS), _level, "Least level that is logged."),
)  # fmt: skip


def config_file(home: Path) -> Path:
    """The settings file; it need not exist."""
    return home / "config.toml"


def load_config(home: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the settings of a data folder.

    Raises:
        TweenbridgeError: BAD_REQUEST naming the file or variable, the key and what is allowed.
    """
    path = config_file(home)
    content = _read_file(path)
    return _build(home, _values(path, content, environment), _unknown_keys(path, content))


def values_of(home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Value]:
    """Every setting of a data folder by its name, defaults included.

    Raises:
        TweenbridgeError: as `load_config`.
    """
    path = config_file(home)
    return _values(path, _read_file(path), environment)


def _values(path: Path, content: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Value]:
    values: dict[str, Value] = {key.path: key.default for key in KEYS}
    for key in KEYS:
        table = content.get(key.table, {})
        if not isinstance(table, dict):
            raise _bad(str(path), key.table, table, "a table")
        if key.name in table:
            values[key.path] = key.checked(table[key.name], str(path))
        if environment.get(key.variable):
            values[key.path] = key.checked(environment[key.variable], f"environment variable {key.variable}")
    return values


def _read_file(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        with path.open("rb") as file:
            content: dict[str, Any] = tomllib.load(file)
            return content
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{path} cannot be read: {error}.", remedy="Correct the file, or remove it."
        ) from error


def _bad(source: str, key: str, value: Any, allowed: str) -> TweenbridgeError:
    return TweenbridgeError(
        ErrorCode.BAD_REQUEST,
        f"{source}: {key} is {str(value)[:80]!r}; it must be {allowed}.",
        remedy="Correct the setting, or remove it to use the default.",
    )


def _unknown_keys(path: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    known = {key.path for key in KEYS}
    tables = {key.table for key in KEYS}
    unknown = [name for name in content if name not in tables]
    for table in tables & content.keys():
        unknown += [f"{table}.{name}" for name in content[table] if f"{table}.{name}" not in known]
    return tuple(f"{path}: {name} is not a setting and is ignored." for name in sorted(unknown))


def _build(home: Path, values: Mapping[str, Any], warnings: tuple[str, ...]) -> Config:
    def table(name: str) -> dict[str, Any]:
        return {key.name: values[key.path] for key in KEYS if key.table == name}

    return Config(
        home=home,
        host=values["server.host"],
        port=values["server.port"],
        limits=Limits(**table("limits")),
        retention=Retention(
            max_age=values["retention.days"] * _DAY,
            max_bytes=values["retention.bytes"],
            history=values["retention.history"],
        ),
        devices=values["workers.devices"],
        worker_idle_seconds=values["workers.idle_seconds"],
        cpu_threads=values["workers.cpu_threads"],
        compile_models=values["workers.compile"],
        executor=values["workers.executor"],
        cluster=ClusterSettings(**table("cluster")),
        models=FetchSettings(**table("models")),
        log_level=values["log.level"],
        warnings=warnings,
    )
