"""What can be done with strips of in-betweens afterwards; settings, presets, engines, the server, the panel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import BlendServer, files_of, new_strips, select, spans


def test_edit_brings_the_settings_back(shot: Any, ext: Any) -> None:
    settings = shot.tweenbridge
    settings.spacing, settings.chart, settings.depth, settings.alpha = "CHART", "0.2 50% 0.9", "png16", False
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    settings.spacing, settings.chart, settings.depth, settings.alpha = "linear", "0.5", "png8", True
    settings.profile_name = "quality"
    assert bpy.ops.tweenbridge.edit() == {"FINISHED"}
    assert (settings.spacing, settings.chart, settings.depth) == ("CHART", "0.2 0.5 0.9", "png16")
    assert (settings.alpha, settings.profile_name) == (False, "draft")
    select(ext, "a")
    shot.sequence_editor.active_strip = ext.strips.find(shot, "a")
    with pytest.raises(RuntimeError, match="not one of in-betweens"):
        bpy.ops.tweenbridge.edit()


def test_a_new_take_keeps_the_old_one(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [old] = new_strips(ext)
    before = [file.read_bytes() for file in files_of(ext, old)]
    # It may have been moved with its keyframes meanwhile.
    ext.strips.move(shot, [ext.placement.Move(name, 30) for name in ("a", "b", old)])
    shot.tweenbridge.spacing = "ease-in"
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    new = ext.strips.active_name(bpy.context)
    assert new != old
    assert spans(ext)[new] == spans(ext)[old] == (35, 41)
    assert ext.strips.find(shot, old).mute
    assert not ext.strips.find(shot, new).mute
    assert [file.read_bytes() for file in files_of(ext, old)] == before
    assert [file.read_bytes() for file in files_of(ext, new)] != before
    assert {file.parent.name for file in files_of(ext, new)} == {"take_02"}
    assert {file.parent.parent for file in files_of(ext, new)} == {file.parent.parent for file in files_of(ext, old)}


def test_a_breakdown_is_a_keyframe_to_go_on_from(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.breakdown() == {"FINISHED"}
    [middle] = new_strips(ext)
    assert spans(ext)[middle] == (7, 8)
    select(ext, "a", middle, "b")
    found = ext.shots.found_in(shot, shot.tweenbridge)
    assert [(gap.start, gap.end) for gap in found.gaps] == [(5, 7), (8, 11)]
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert [spans(ext)[name] for name in new_strips(ext)] == [(5, 7), (7, 8), (8, 11)]


def test_a_new_take_of_a_breakdown_is_one(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.breakdown() == {"FINISHED"}
    [old] = new_strips(ext)
    assert bpy.ops.tweenbridge.regenerate() == {"FINISHED"}
    assert [spans(ext)[name] for name in new_strips(ext)] == [(7, 8), (7, 8)]
    assert ext.strips.find(shot, old).mute


def test_strips_of_in_betweens_are_no_keyframes_when_all_is_selected(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    select(ext, "a", "b", *new_strips(ext))
    found = ext.shots.found_in(shot, shot.tweenbridge)
    assert [(gap.start, gap.end) for gap in found.gaps] == [(5, 11)]


def test_the_recipe_names_the_job_and_the_keyframes(shot: Any, ext: Any) -> None:
    import hashlib

    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    [name] = new_strips(ext)
    recipe = ext.insertion.recipe_of(shot, name)
    folder = files_of(ext, name)[0].parent / "keyframes"
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
    assert [used.sha256 for used in recipe.keyframes] == hashes
    assert (recipe.engine, recipe.profile, recipe.take) == ("flow", "draft", 1)
    assert len(recipe.jobs[0]) == 32


def test_settings_of_an_engine_are_what_the_server_says(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    settings = shot.tweenbridge
    assert settings.engine == "blend"
    assert settings.profile == "plain" or settings.profile_name == "draft"
    value = settings.values["blend.mischief"]
    assert value.as_choice == "none"
    value.as_choice = "print"
    assert value.as_str == "print"
    value.as_choice = "none"
    with pytest.raises(TypeError):
        value.as_choice = "nothing that there is"
    seconds = settings.values["blend.seconds"]
    seconds.as_float = 1000.0
    assert seconds.as_float == 60.0
    seconds.as_float = 0.25
    wanted = ext.choices.wanted_from(settings)
    assert wanted.settings == {"seconds": 0.25}
    assert wanted.profile == ""
    assert "From 0 to 60" in _described(ext, "blend.seconds")
    bpy.ops.tweenbridge.default_setting(name="blend.seconds")
    assert ext.choices.wanted_from(settings).settings == {}


def _described(ext: Any, name: str) -> str:
    class Chosen:
        pass

    Chosen.name = name  # type: ignore[attr-defined]
    return str(ext.server_operators.TWEENBRIDGE_OT_default_setting.description(bpy.context, Chosen))


def test_settings_are_remembered_without_the_server(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    shot.tweenbridge.values["blend.seconds"].as_float = 0.5
    shot.tweenbridge.profile_name = "other"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    ext.session.current.server.engines = ()
    settings = bpy.context.scene.tweenbridge
    assert (settings.engine, settings.profile) == ("blend", "other")
    assert ext.choices.wanted_from(settings).settings["seconds"] == 0.5


def test_presets_keep_the_settings(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    settings = shot.tweenbridge
    settings.values["blend.seconds"].as_float = 0.5
    settings.hold, settings.depth = "2", "exr32"
    assert bpy.ops.tweenbridge.add_preset(name="On Twos") == {"FINISHED"}
    try:
        settings.values["blend.seconds"].as_float = 0.0
        settings.hold, settings.depth, settings.engine_name = "1", "png8", "flow"
        [path] = [each for folder in bpy.utils.preset_paths("tweenbridge") for each in Path(folder).glob("*.py")]
        bpy.ops.script.execute_preset(filepath=str(path), menu_idname="TWEENBRIDGE_MT_presets")
        assert (settings.hold, settings.depth, settings.engine_name) == ("2", "exr32", "blend")
        assert settings.values["blend.seconds"].as_float == 0.5
    finally:
        path.unlink()


def test_checking_the_connection(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
    assert ext.server_operators.sentence().startswith("Connected to ")
    assert {engine.name for engine in ext.session.current.server.engines} >= {"flow"}
    assert not bpy.ops.tweenbridge.start_server.poll()


class Late:
    """An answer that is not there before the server has said how it is, and not at once then."""

    def __init__(self, reply: Any, server: Any) -> None:
        self._reply, self._server = reply, server
        self._looks = 10
        self.result = reply.result

    @property
    def done(self) -> bool:
        if self._server.status is not None and self._reply.done:
            self._looks -= 1
        return self._looks <= 0


def test_a_check_is_over_when_the_engines_are_there_too(shot: Any, ext: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tweenbridge import Client
    from tweenbridge.protocol.messages import GetEngines

    server = ext.session.current.server
    ask = Client.ask

    def ask_and_wait(client: Any, question: Any) -> Any:
        reply = ask(client, question)
        return Late(reply, server) if isinstance(question, GetEngines) else reply

    server.close()
    server.engines = ()
    monkeypatch.setattr(Client, "ask", ask_and_wait)
    for _ in range(2):  # not connected yet, and connected
        assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
        assert [engine.name for engine in server.engines][:1] == ["flow"]
        server.engines = ()


def test_a_question_that_the_server_refuses_is_said_once(shot: Any, ext: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tweenbridge import Client
    from tweenbridge.protocol.messages import GetEngines, GetJob

    ask = Client.ask

    def ask_for_a_job(client: Any, question: Any) -> Any:
        return ask(client, GetJob("nothing") if isinstance(question, GetEngines) else question)

    with monkeypatch.context() as patch:
        patch.setattr(Client, "ask", ask_for_a_job)
        ext.session.current.server.close()
        with pytest.raises(RuntimeError, match="no job"):
            bpy.ops.tweenbridge.check_connection()
    assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
    assert ext.session.current.server.problem is None


def test_a_menu_that_is_open_while_the_list_changes_means_what_it_shows(
    shot: Any, ext: Any, blend_server: BlendServer
) -> None:
    settings, server = shot.tweenbridge, ext.session.current.server
    choose = type(settings).__annotations__["engine"].keywords["set"]
    known, server.engines = server.engines, ()
    [blend] = ext.properties._engines(settings, None)
    server.engines = known
    settings.engine = "flow"
    assert len(ext.properties._engines(settings, None)) == len(known) > 1
    choose(settings, blend[4])
    assert settings.engine == settings.engine_name == "blend"


def test_another_servers_engines_are_not_offered(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    server = ext.session.current.server
    assert "blend" in {engine.name for engine in server.engines}
    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    preferences.place = "LOCAL"
    server.open(ext.session.where())
    assert server.engines == ()
    assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
    assert "blend" not in {engine.name for engine in server.engines}


def test_starting_the_server(shot: Any, ext: Any, server: Path) -> None:
    from tweenbridge import Client
    from tweenbridge.discovery import read_address

    ext.session.current.server.close()
    with Client(start_server=False) as client:
        client.stop_server()
    with pytest.raises(RuntimeError, match="not running"):
        bpy.ops.tweenbridge.check_connection()
    assert read_address(server) is None
    assert bpy.ops.tweenbridge.start_server() == {"FINISHED"}
    assert read_address(server) is not None


def test_settings_of_an_engine_that_the_server_tells_of_later(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    shot.tweenbridge.values.clear()
    ext.session.current.tick()
    assert shot.tweenbridge.values["blend.seconds"].as_float == 0.0


def test_logs_that_are_not_there(shot: Any, ext: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(tmp_path / "nothing"))
    with pytest.raises(RuntimeError, match="no logs on this machine"):
        bpy.ops.tweenbridge.open_logs()


def test_a_remote_server_needs_its_key_file(shot: Any, ext: Any, tmp_path: Path) -> None:
    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    preferences.place = "REMOTE"
    try:
        with pytest.raises(RuntimeError, match="No key file"):
            bpy.ops.tweenbridge.generate()
        preferences.key_file = str(tmp_path / "server.json")
        with pytest.raises(RuntimeError, match="cannot be read"):
            bpy.ops.tweenbridge.check_connection()
        assert not bpy.ops.tweenbridge.start_server.poll()
    finally:
        preferences.place, preferences.key_file = "LOCAL", ""


def test_the_output_folder_is_as_the_pattern_says(shot: Any, ext: Any, tmp_path: Path) -> None:
    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    preferences.folder = str(tmp_path / "out" / "{blend}" / "{scene}")
    try:
        assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
        assert files_of(ext, new_strips(ext)[0])[0].is_relative_to(tmp_path / "out" / "shot" / "Scene" / "take_01")
        select(ext, "a", "b")
        preferences.folder = "//{nothing}"
        with pytest.raises(RuntimeError, match="unknown field"):
            bpy.ops.tweenbridge.generate()
    finally:
        preferences.property_unset("folder")
