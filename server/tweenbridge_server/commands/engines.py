"""`tweenbridge engines`: what can make in-betweens, and what can be set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tweenbridge.protocol.messages import EngineInfo, Scalar, SettingInfo

from ..engines import registry
from ..models.present import without_needless
from .console import print_json


def show(home: Path, as_json: bool) -> None:
    """Print every engine with its profiles and settings."""
    infos = [without_needless(info, home) for info in registry.infos()]
    if as_json:
        print_json([asdict(info) for info in infos])
    else:
        print("\n\n".join(describe(info) for info in infos))


def describe(info: EngineInfo) -> str:
    """An engine in lines for a person."""
    lines = [f"{info.name}: {info.title}, version {info.version}", f"  {info.description}" if info.description else ""]
    profiles = [(profile.name, profile.description or profile.title) for profile in info.profiles]
    settings = [
        (_assignment(setting), _meaning(setting) + (" It must be set." if setting.name in info.needs else ""))
        for setting in info.settings
    ]
    if info.memory:
        lines.append(f"  Takes about {info.memory / 1e9:.1f} GB of memory.")
    lines += _table("Profiles (--profile), the first one is used unless you choose", profiles)
    lines += _table("Settings (--set), with what they are unless you set them", settings)
    return "\n".join(line for line in lines if line)


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(left) for left, _ in rows), default=0)
    return [f"  {title}:", *(f"    {left:<{width}}  {right}" for left, right in rows)] if rows else []


def _assignment(setting: SettingInfo) -> str:
    return f"{setting.name}={_word(setting.default)}"


def _word(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _meaning(setting: SettingInfo) -> str:
    return f"{setting.help or setting.title} ({_allowed(setting)})".strip()


def _allowed(setting: SettingInfo) -> str:
    if setting.choices:
        return ", ".join(setting.choices)
    if setting.kind == "bool":
        return "yes or no"
    kind = {"int": "a whole number", "float": "a number", "str": "text"}[setting.kind]
    low = "" if setting.minimum is None else f" from {setting.minimum:.12g}"
    high = "" if setting.maximum is None else f" to {setting.maximum:.12g}"
    return kind + low + high
