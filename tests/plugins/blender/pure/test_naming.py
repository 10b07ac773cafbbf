"""Folders, takes and names."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tween_blender.errors import PluginError
from tween_blender.gaps import Span, from_list, from_strips
from tween_blender.naming import (
    frame_file,
    new_take,
    next_take,
    safe,
    shot_folder,
    shot_name,
    strip_name,
    take_name,
)

FOUND = from_strips([Span("walk a.001", 1, 1, 11), Span("walk/b", 1, 21, 31)])
LIST = from_list([-5, 30], ["a", "b"])


@given(st.text())
def test_safe_names_suit_every_system(text: str) -> None:
    name = safe(text)
    assert re.fullmatch(r"[\w-]+", name)
    assert len(name.encode()) <= 49
    assert name.lower() not in ("con", "nul", "aux", "prn", "com1", "lpt9")
    assert safe(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [("../..", "untitled"), ("con", "con_"), ("Szene 3.b", "Szene_3_b"), ("雪", "雪"), ("", "untitled")],
)
def test_safe_names_stay_readable(text: str, name: str) -> None:
    assert safe(text) == name


def test_shots_are_called_after_their_keyframes() -> None:
    assert shot_name("Scene", FOUND) == "walk_a_001-walk_b"
    assert shot_name("Scene", LIST) == "Scene-m005-0030"


def test_a_saved_file_gets_a_relative_folder() -> None:
    folder = shot_folder("/films/sh010.blend", "Scene", FOUND, unsaved_root="/user")
    assert folder == "//inbetweens/walk_a_001-walk_b"


def test_the_pattern_is_the_artists(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/{{blend}}/{{scene}}/{{shot}}/x"
    assert shot_folder("/films/sh010.v2.blend", "S 1", FOUND, pattern) == str(
        tmp_path / "sh010_v2" / "S_1" / "walk_a_001-walk_b" / "x"
    )
    assert shot_folder("/f/a.blend", "S", FOUND, "//") == "//"


def test_an_unsaved_file_uses_the_users_folder_or_says_what_to_do(tmp_path: Path) -> None:
    folder = shot_folder("", "Scene", FOUND, unsaved_root=str(tmp_path))
    assert Path(folder) == tmp_path / "inbetweens" / "walk_a_001-walk_b"
    with pytest.raises(PluginError, match="not been saved") as caught:
        shot_folder("", "Scene", FOUND)
    assert caught.value.remedy == "Save it, then try again."


@pytest.mark.parametrize("pattern", ["", "inbetweens/{shot}", "//{shot}/{nobody}", "{}/x"])
@pytest.mark.parametrize("blend", ["", "/films/a.blend"])
def test_a_wrong_pattern_is_said(pattern: str, blend: str) -> None:
    with pytest.raises(PluginError, match="output folder") as caught:
        shot_folder(blend, "Scene", FOUND, pattern, unsaved_root="/user")
    assert "preferences" in caught.value.remedy


def test_takes_never_share_a_folder(tmp_path: Path) -> None:
    shot = tmp_path / "not" / "there" / "yet"
    made = [new_take(shot) for _ in range(3)]
    assert [take for take, _ in made] == [1, 2, 3]
    assert [folder.name for _, folder in made] == ["take_01", "take_02", "take_03"]
    (shot / "take_07").mkdir()
    (shot / "take_99999999").mkdir()
    (shot / "take_8").write_text("not one of ours")
    assert new_take(shot)[0] == 8
    made[0][1].rmdir()
    assert new_take(shot)[0] == 9


def test_takes_made_at_once_do_not_meet(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        takes = list(pool.map(lambda _: new_take(tmp_path)[0], range(40)))
    assert sorted(takes) == list(range(1, 41))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PluginError, match="cannot be written to") as caught:
        new_take(tmp_path / "file" / "shot")
    assert "preferences" in caught.value.remedy


@given(st.integers(1, 99_999))
def test_take_names_are_read_back(take: int) -> None:
    assert next_take([take_name(take), "other"]) == take + 1


def test_file_names_sort_in_time_order() -> None:
    names = [frame_file(gap, number, ".png") for gap in range(12) for number in (1, 2, 10, 999)]
    assert names == sorted(names)
    assert names[0] == "gap01_0001.png"


@given(st.text(), st.integers(0, 99), st.integers(1, 999), st.integers(1, 99))
def test_strip_names_fit_with_blenders_own_number(shot: str, gap: int, take: int, gaps: int) -> None:
    name = strip_name(shot.replace("\ud800", ""), gap, take, gaps)
    assert len(f"{name}.001".encode()) <= 63
    assert name.endswith(f" t{take}")
    assert (f" g{gap + 1} " in name) or gaps == 1
