"""Keyframes as they are found: markers, In and Out, selected clips; and what a clip and the data folder keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import make_resolve
from hypothesis import given, settings
from hypothesis import strategies as st
from resolve_shots import mark, timeline_of
from tweenbridge import Spacing, Timing, TweenbridgeError
from tweenbridge_resolve import choice, recipe
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.finding import best, look
from tweenbridge_resolve.folders import new_folder, safe
from tweenbridge_resolve.form import parse_chart
from tweenbridge_resolve.host import Host
from tweenbridge_resolve.recipe import KeptKeyframe, Recipe


def found(resolve: Any) -> list[tuple[str, list[int]]]:
    host = Host(resolve)
    return [(each.title, [k.frame - host.start for k in each.keyframes]) for each in look(host)]


def test_markers_of_one_colour_the_key_m_makes_first() -> None:
    resolve = make_resolve()
    mark(resolve, 30, 20, colour="Red")
    mark(resolve, 12, 4)
    mark(resolve, 9, colour="Green")
    assert found(resolve) == [("Between markers: Blue (2)", [4, 12]), ("Between markers: Red (2)", [20, 30])]


def test_in_and_out_choose_among_markers() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12, 20)
    timeline_of(resolve).SetMarkInOut(12, 20)
    within = "Between markers: Blue (2, within In and Out)"
    assert found(resolve) == [(within, [12, 20]), ("Between In and Out", [12, 20])]
    timeline_of(resolve).SetMarkInOut(13, 20)
    assert found(resolve) == [("Between In and Out", [13, 20])]


def test_one_marker_is_not_enough() -> None:
    resolve = make_resolve()
    mark(resolve, 4)
    with pytest.raises(PluginError, match="no keyframes yet"):
        best(Host(resolve))


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda resolve: setattr(resolve._studio, "has_quit", True), "does not answer"),
        (lambda resolve: setattr(resolve._manager, "_project", None), "No project is open"),
        (lambda resolve: setattr(resolve._manager._project, "_current", None), "No timeline is open"),
        (lambda resolve: setattr(timeline_of(resolve), "_settings", dict), "which is not a rate"),
    ],
)
def test_what_is_missing_is_named(break_it: Any, sentence: str) -> None:
    resolve = make_resolve()
    break_it(resolve)
    resolve_project = resolve._manager._project
    if resolve_project is not None:
        resolve_project._rate = ""
    with pytest.raises(PluginError, match=sentence):
        Host(resolve)


# ---------------------------------------------------------------- what is kept

choices = st.builds(
    Choice,
    engine=st.sampled_from(["flow", "dreammover"]),
    profile=st.text(max_size=8),
    timing=st.builds(
        Timing,
        count=st.none() | st.integers(1, 99),
        spacing=st.sampled_from(Spacing),
        chart=st.lists(st.floats(0, 1), max_size=4).map(tuple),
        hold=st.integers(1, 24),
        loop=st.booleans(),
    ),
    settings=st.dictionaries(
        st.text(max_size=9), st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.text(), max_size=4
    ),
    folder=st.text(max_size=20),
)
recipes = st.builds(
    Recipe,
    choice=choices,
    keyframes=st.lists(st.builds(KeptKeyframe, st.integers(0, 10**7), st.text(max_size=9)), max_size=5).map(tuple),
    take=st.integers(1, 99),
    job=st.text(max_size=9),
    version=st.text(max_size=9),
)


@given(made=recipes)
def test_a_recipe_is_read_back(made: Recipe) -> None:
    text = recipe.to_text(made)
    assert text.isascii()
    assert "\n" not in text
    assert recipe.from_text(text) == made


@given(text=st.text(max_size=60) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_other_text_is_no_recipe(text: str) -> None:
    assert recipe.from_text(text) is None


def test_a_newer_recipe_is_understood() -> None:
    plain = {"choice": {"engine": "flow", "colour": "new"}, "keyframes": [{"frame": 3, "mood": 1}], "more": []}
    assert recipe.from_text(json.dumps(plain)) == Recipe(Choice(), (KeptKeyframe(3),))
    assert recipe.from_text("[" * 100_000) is None


# It writes a file each time, which takes as long as the disk does.
@settings(deadline=None)
@given(made=choices)
def test_a_choice_is_remembered(made: Choice, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.getbasetemp() / "choices"
    choice.save(made, home)
    assert choice.load(home) == made


@pytest.mark.parametrize("text", ["", "[]", '{"engine": 3}', '{"timing": {"hold": "x"}}', "\xff"])
def test_a_damaged_choice_is_the_usual_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "resolve-choice.json").write_text(text, encoding="latin-1")
    assert choice.load(tmp_path) == Choice()


@pytest.mark.parametrize(
    ("text", "times"), [("", ()), ("0.1 0.5, 0.9", (0.1, 0.5, 0.9)), ("10% 50 %;100%", (0.1, 0.5, 1.0))]
)
def test_timing_charts(text: str, times: tuple[float, ...]) -> None:
    assert parse_chart(text) == times


@pytest.mark.parametrize("word", ["-0.1", "1.1", "nan", "x", "x%", "150%"])
def test_what_is_no_time(word: str) -> None:
    with pytest.raises(TweenbridgeError, match="which is not a time between 0 and 1"):
        parse_chart(f"0.5 {word}")


@given(text=st.text())
def test_folder_names_are_safe_everywhere(text: str) -> None:
    name = safe(text)
    assert name
    assert len(name.encode()) <= 41
    assert not set(name) & set('/\\:*?"<>|%[] \n.')
    assert name.lower() not in ("con", "nul", "com1")


def test_every_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    made = [new_folder(tmp_path, "A: b/c", "Shot", "0100") for _ in range(3)]
    assert [path.relative_to(tmp_path).as_posix() for path in made] == [f"A_b_c/Shot/0100-0{i}" for i in (1, 2, 3)]
