"""What a strip remembers of how it was made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tween_blender.errors import PluginError
from tween_blender.gaps import Source
from tween_blender.recipe import MAX_BYTES, Recipe, UsedKeyframe, from_text, to_text
from tweenbridge.protocol.codec import to_plain
from tweenbridge.timing import Spacing, Timing

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
keyframes = st.builds(UsedKeyframe, frame=st.integers(), sha256=text, label=text, strip=text)
recipes = st.builds(
    Recipe,
    jobs=st.lists(text, max_size=3).map(tuple),
    engine=text,
    keyframes=st.lists(keyframes, max_size=5).map(tuple),
    profile=text,
    settings=st.dictionaries(text, scalars, max_size=5),
    timing=st.just(to_plain(Timing(count=5, spacing=Spacing.EASE_IN, chart=(0.25, 0.5), hold=2, loop=True))),
    output=text,
    source=st.sampled_from(Source),
    gap=st.integers(0, 300),
    model=text,
    shot=text,
    folder=text,
    take=st.integers(1, 999),
    plugin=text,
)
RECIPE = Recipe(jobs=("j",), engine="flow", keyframes=(UsedKeyframe(10, "ab" * 32, "a", "a"),))


@given(recipes)
def test_a_recipe_survives_the_round_trip(recipe: Recipe) -> None:
    assert from_text(to_text(recipe)) == recipe


def test_what_a_newer_version_wrote_is_kept() -> None:
    newer = json.loads(to_text(RECIPE)) | {"format": 9, "lora": {"name": "x"}, "stars": 5}
    read = from_text(json.dumps(newer))
    assert read.engine == "flow"
    assert read.other == {"lora": {"name": "x"}, "stars": 5}
    written = json.loads(to_text(replace(read, take=2)))
    assert (written["lora"], written["stars"], written["take"]) == ({"name": "x"}, 5, 2)


def test_what_an_older_version_did_not_write_has_defaults() -> None:
    assert from_text("{}") == Recipe(jobs=(), engine="", keyframes=())


def test_a_field_of_ours_is_never_taken_from_the_unknown_ones() -> None:
    assert from_text(to_text(replace(RECIPE, other={"engine": "other", "take": 9}))) == RECIPE


@pytest.mark.parametrize(
    "broken",
    [
        "", "[]", "nonsense", "1", "null", "[" * 30_000, '{"jobs": "abc"}', '{"jobs": [1]}', '{"engine": 3}',
        '{"settings": {"a": []}}', '{"settings": {"a": null}}', '{"settings": {"a": NaN}}', '{"x": 1e999}',
        '{"take": true}', '{"take": "1"}', '{"source": "clips"}',
        '{"keyframes": [3]}', '{"keyframes": [{}]}', '{"keyframes": [{"frame": 1.5, "sha256": ""}]}',
        '{"keyframes": [{"frame": true, "sha256": ""}]}', '{"other": ' + '"' + "x" * MAX_BYTES + '"}', "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_said(broken: str) -> None:
    with pytest.raises(PluginError, match="cannot be read") as caught:
        from_text(broken)
    assert caught.value.remedy


def test_a_recipe_is_bounded() -> None:
    with pytest.raises(PluginError, match="too long"):
        to_text(replace(RECIPE, settings={"prompt": "ä" * MAX_BYTES}))


def test_the_longest_job_fits() -> None:
    many = tuple(
        UsedKeyframe(i, "ab" * 32, f"key drawing {i}", "a strip's name of forty letters, about") for i in range(256)
    )
    assert from_text(to_text(replace(RECIPE, keyframes=many))).keyframes == many


def test_names_that_are_no_text_survive() -> None:
    odd = replace(RECIPE, folder="//caf\udce9")
    assert to_text(odd).isascii()
    assert from_text(to_text(odd)) == odd
