"""Every panel is drawn into a layout that writes down what it is told, and that is compared with what Blender knows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from conftest import BlendServer, begin, drive, new_strips, received, select

ICONS = set(bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items.keys())


class Layout:
    """Takes what a panel draws: labels, properties and operators, all of which have to exist."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn

    def _part(self, **_: Any) -> Layout:
        return Layout(self.drawn)

    row = column = box = split = _part

    def label(self, text: str = "", icon: str = "NONE") -> None:
        assert icon in ICONS, icon
        self.drawn.append(text)

    def prop(self, owner: Any, name: str, text: str | None = None, icon: str = "NONE", **_: Any) -> None:
        known = owner.bl_rna.properties[name]
        self.drawn.append(f"[{known.name if text is None else text}]")

    def operator(self, name: str, text: str | None = None, icon: str = "NONE", **_: Any) -> Any:
        assert icon in ICONS, icon
        module, _, function = name.partition(".")
        known = getattr(getattr(bpy.ops, module), function).get_rna_type()
        self.drawn.append(f"({known.name if text is None else text})")
        return SimpleNamespace()

    def template_list(self, kind: str, _id: str, owner: Any, name: str, *_: Any, **__: Any) -> None:
        drawn = getattr(bpy.types, kind).draw_item
        for index, item in enumerate(getattr(owner, name)):
            drawn(None, bpy.context, self, owner, item, 0, owner, "", index)

    def separator(self) -> None:
        self.drawn.append("")

    def menu(self, name: str, text: str = "") -> None:
        assert hasattr(bpy.types, name), name
        self.drawn.append(f"<{text or getattr(bpy.types, name).bl_label}>")

    def progress(self, factor: float, text: str) -> None:
        assert 0.0 <= factor <= 1.0
        self.drawn.append(text)


def draw(ext: Any) -> str:
    """All panels and the preferences, as text."""
    drawn: list[str] = []
    for panel in ext.panel.CLASSES:
        panel.draw(SimpleNamespace(layout=Layout(drawn)), bpy.context)
    ext.panel.TWEENBRIDGE_PT_engine.draw_header_preset(SimpleNamespace(layout=Layout(drawn)), bpy.context)
    preferences = bpy.context.preferences.addons[ext.__name__].preferences
    shown = SimpleNamespace(layout=Layout(drawn), place=preferences.place, bl_rna=preferences.bl_rna)
    ext.preferences.TweenbridgePreferences.draw(shown, bpy.context)
    return "\n".join(drawn)


def test_what_would_be_done_is_shown_before_anything_runs(shot: Any, ext: Any) -> None:
    text = draw(ext)
    assert "2 key drawings from the selected strips" in text
    assert "Frames 5 to 10" in text
    assert "(Generate In-Betweens)" in text
    shot.tweenbridge.amount, shot.tweenbridge.count, shot.tweenbridge.ripple = "NUMBER", 10, True
    text = draw(ext)
    assert "Frames 5 to 14" in text
    assert "Later strips move by 4 frames." in text


def test_nothing_selected_says_what_to_do(shot: Any, ext: Any) -> None:
    select(ext)
    text = draw(ext).replace("\n", " ")
    assert "There are no key drawings yet. Select two strips" in text


def test_a_shot_is_shown_while_it_goes_on_and_can_be_edited_after(
    shot: Any, ext: Any, blend_server: BlendServer
) -> None:
    generation = begin(ext, settings={"mischief": "wait"})
    assert "Rendering key drawing 1 of 2" in draw(ext)
    drive(ext, generation, lambda: received(generation) == 3)
    text = draw(ext)
    assert "3 of 6 in-betweens" in text
    assert ext.statusbar.text().startswith("In-betweens of a-b (take 1): ")
    blend_server.go_on()
    drive(ext, generation)
    assert ext.statusbar.text() is None
    text = draw(ext)
    assert new_strips(ext)[0] in text
    assert "(Regenerate)" in text
    assert "Take 1, made with blend" in text


def test_every_kind_of_setting_is_drawn(shot: Any, ext: Any, blend_server: BlendServer) -> None:
    from tweenbridge.protocol.messages import EngineInfo, ProfileInfo, SettingInfo

    kinds = (("bool", True), ("int", 3), ("float", 0.5), ("str", "words"), ("choice", "b"))
    ext.session.current.server.engines = (
        EngineInfo(
            "odd",
            "Odd engine",
            "1",
            (ProfileInfo("only", "The only one"),),
            tuple(SettingInfo(kind, f"A {kind}", kind, value, choices=("a", "b")) for kind, value in kinds),
        ),
    )
    shot.tweenbridge.engine = "odd"
    text = draw(ext)
    assert all(f"[A {kind}]" in text for kind, _ in kinds)
    for kind, value in kinds:
        assert ext.properties.value_of(shot.tweenbridge.values[f"odd.{kind}"]) == value
    assert shot.tweenbridge.values["odd.choice"].as_choice == "b"
    assert shot.tweenbridge.profile == "only"


def test_problems_and_waiting_shots_are_shown(shot: Any, ext: Any) -> None:
    bpy.ops.wm.save_mainfile()
    generation = begin(ext)
    drive(ext, generation, lambda: generation.stage is ext.generation.Stage.GENERATING)
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    ext.session.current.problem = ext.server.Problem("Something is wrong.", "Do something.")
    text = draw(ext).replace("\n", " ")
    assert "6 frames asked for and not inserted" in text
    assert "(Insert Finished)" in text
    assert "Something is wrong." in text
    assert "Do something." in text
