"""A third party's engine, as its package would register it: blends the keyframes, and misbehaves when asked to."""

from __future__ import annotations

from tweenbridge.protocol.messages import EngineInfo, ProfileInfo, SettingInfo
from tweenbridge_server.engines.registry import Registration

MISCHIEF = (
    "none", "raise", "exit", "exit once", "memory", "hang", "print", "wrong shape", "too few", "stubborn", "wait",
)  # fmt: skip

SAYS = ("nothing", "note", "notes of gaps", "note flood", "preview", "odd previews")

INFO = EngineInfo(
    name="blend",
    title="Blend",
    version="1.0",
    profiles=(ProfileInfo("plain", "Plain"), ProfileInfo("other", "Other"), ProfileInfo("shot", "Whole shot")),
    settings=(
        SettingInfo("seconds", "Seconds per frame", "float", 0.0, minimum=0.0, maximum=60.0),
        SettingInfo("mischief", "Mischief", "choice", "none", choices=MISCHIEF),
        SettingInfo("at", "Mischief at time", "float", 0.5, minimum=0.0, maximum=1.0),
        SettingInfo("says", "Says", "choice", "nothing", choices=SAYS),
        SettingInfo("model", "Model", "str", "", help="Any file."),
    ),
)
REGISTRATION = Registration(INFO, "blend_engine.engine:BlendEngine", "blend_engine.resolve:resolve")
