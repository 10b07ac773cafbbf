"""The published zip, installed through Blender's own operator."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.tweenbridge"


def test_it_is_enabled() -> None:
    assert MODULE in bpy.context.preferences.addons
    assert Path(sys.modules[MODULE].__file__ or "").is_relative_to(bpy.utils.user_resource("EXTENSIONS"))


def test_the_wheels_come_from_the_extension() -> None:
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    for name in ("zmq", "msgpack", "tweenbridge"):
        module = importlib.import_module(name)
        assert Path(module.__file__ or "").is_relative_to(extensions), name


def test_zeromq_carries_a_message() -> None:
    import msgpack
    import zmq

    with zmq.Context() as context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://wheels")
        there.connect("inproc://wheels")
        there.send(msgpack.packb({"frame": 12}))
        assert here.poll(5000)
        assert msgpack.unpackb(here.recv()) == {"frame": 12}


def test_it_can_be_disabled_and_enabled_again() -> None:
    assert bpy.ops.preferences.addon_disable(module=MODULE) == {"FINISHED"}
    assert MODULE not in bpy.context.preferences.addons
    assert bpy.ops.preferences.addon_enable(module=MODULE) == {"FINISHED"}
    assert MODULE in bpy.context.preferences.addons


def test_the_client_finds_the_real_server(server: Path) -> None:
    from tweenbridge.discovery import read_address
    from tweenbridge.launcher import is_listening

    address = read_address(server)
    assert address is not None
    assert is_listening(address)
