"""Colours, depth and names of what is imported."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve
from fakes.resolve.timelines import Track
from resolve_shots import check_every_frame, layout, mark, read, succeed, timeline_of
from tweenbridge import Client
from tweenbridge_resolve import host as hosts
from tweenbridge_resolve import tiff
from tweenbridge_resolve.folders import chosen_folder

MANAGED = "davinciYRGBColorManagedv2"


def test_in_a_managed_project_in_betweens_match_their_keyframes(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(colour_science=MANAGED))
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    check_every_frame(resolve, made)
    assert made.result.notes == ()


@pytest.mark.parametrize(
    ("quirks", "sentence"),
    [
        (Quirks(colour_science=MANAGED, input_space_refused=True), "Input Color Space, Rec.709 and Input Gamma"),
        (Quirks(colour_science="acescct"), "ACES Input Transform, Rec.709"),
    ],
)
def test_a_colour_space_that_does_not_take_is_said(quirks: Quirks, sentence: str, client: Client, films: Path) -> None:
    resolve = make_resolve(quirks)
    mark(resolve, 4, 12)
    [note] = succeed(resolve, client, films).result.notes
    assert "select the clip in the bin “Tweenbridge”, right-click, and choose" in note
    assert sentence in note


@pytest.mark.parametrize(("render_bits", "told"), [(16, False), (8, True)])
def test_shallow_stills_are_rendered_and_shallow_renders_are_said(
    render_bits: int, told: bool, client: Client, films: Path
) -> None:
    resolve = make_resolve(Quirks(still_bits=8, render_bits=render_bits))
    mark(resolve, 4, 12)
    notes = succeed(resolve, client, films).result.notes
    assert any("8 bit, not 16" in note for note in notes) == told


def test_alpha_is_carried_where_stills_have_it(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(still_alpha=True))
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    assert "These stills have alpha, and so have the in-betweens." in made.result.notes
    for path in made.folder.glob("*.tif"):
        pixels = read(path)
        assert pixels.shape == (54, 96, 4)
        assert (pixels[:, :30, 3] == 0).all()
        assert (pixels[:, 34:, 3] > 65500).all()


def test_what_becomes_transparent_meanwhile_is_a_change() -> None:
    opaque, clear = ((0.2, 0.3, 0.4, alpha) for alpha in (1, 0))
    stills = [tiff.Still(1, 1, 16, 4, str(p), struct.pack("<4H", *(round(65535 * v) for v in p)), "<")
              for p in (opaque, clear)]  # fmt: skip
    assert tiff.alike(stills[0], stills[0])
    assert not tiff.alike(*stills)


def test_sequences_have_names_that_relinking_and_edls_can_tell_apart(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    folders = [succeed(resolve, client, films).folder for _ in range(2)]
    names = [{path.name for path in folder.glob("*.tif")} for folder in folders]
    assert len(names[0]) == len(names[1]) == 7
    assert not names[0] & names[1]
    assert all(name.startswith("Shot_12_01000004_take") for name in names[0] | names[1])


def test_two_bins_are_told_and_a_bin_that_was_moved_is_found(client: Client, films: Path) -> None:
    resolve = make_resolve()
    pool = resolve._manager._project._pool
    deep = pool.AddSubFolder(pool.AddSubFolder(pool._root, "VFX"), "Tweenbridge")
    mark(resolve, 4, 12)
    assert succeed(resolve, client, films).result.notes == ()
    assert len(deep._clips) == 1
    pool.AddSubFolder(pool._root, "Tweenbridge")
    [note] = succeed(resolve, client, films).result.notes
    assert note == "There are several bins called “Tweenbridge”; the clip is in the one nearest to the Master bin."


def test_two_tracks_of_one_name_are_never_made(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films)
    timeline_of(resolve).SetTrackLock("video", 2, True)
    timeline_of(resolve).DeleteMarkersByColor("All")
    mark(resolve, 14, 18)
    made = succeed(resolve, client, films)
    assert (made.result.track, made.result.name) == (3, "In-betweens 2")
    assert list(layout(resolve)) == ["Video 1", "In-betweens", "In-betweens 2"]


def test_two_tracks_of_the_users_with_our_name_are_told_apart_by_number(client: Client, films: Path) -> None:
    resolve = make_resolve()
    timeline_of(resolve)._tracks += [Track("In-betweens"), Track("In-betweens")]
    mark(resolve, 4, 12)
    first, second = (succeed(resolve, client, films) for _ in range(2))
    assert [(made.result.track, made.result.name, made.result.take) for made in (first, second)] == [
        (3, "In-betweens", 1), (4, "In-betweens take 2", 2)
    ]  # fmt: skip
    assert [len(track.items) for track in timeline_of(resolve)._tracks] == [1, 0, 1, 1]


def test_a_track_of_our_name_above_a_take_is_not_taken_for_that_take(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films)
    timeline_of(resolve)._tracks.append(Track("In-betweens"))
    made = succeed(resolve, client, films)
    assert (made.result.track, made.result.name, made.result.take) == (4, "In-betweens take 2", 2)


# ---------------------------------------------------------------- where things are


@pytest.mark.parametrize(
    ("typed", "meant"), [("frames", "frames"), (" ~/frames ", "frames"), ("a/../b", "a/../b"), ("~", ".")]
)
def test_a_relative_folder_begins_in_the_home_folder(typed: str, meant: str, monkeypatch: Any) -> None:
    monkeypatch.chdir("/")
    assert chosen_folder(typed) == Path.home() / meant
    assert chosen_folder(typed).is_absolute()


def test_resolve_in_home_resolve_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, other = tmp_path / "opt", tmp_path / "home"
    (other / "Developer/Scripting/Modules").mkdir(parents=True)
    (other / "libs/Fusion").mkdir(parents=True)
    (other / "libs/Fusion/fusionscript.so").write_bytes(b"")
    monkeypatch.setattr(hosts, "_LINUX", (str(usual), str(other)))
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("RESOLVE_SCRIPT_API", "RESOLVE_SCRIPT_LIB"):
        monkeypatch.delenv(name, raising=False)
    assert hosts._modules() == str(other / "Developer/Scripting/Modules")
    assert hosts.os.environ["RESOLVE_SCRIPT_LIB"] == str(other / "libs/Fusion/fusionscript.so")
    monkeypatch.delenv("RESOLVE_SCRIPT_LIB")
    (usual / "Developer/Scripting/Modules").mkdir(parents=True)
    assert hosts._modules() == str(usual / "Developer/Scripting/Modules")
    assert "RESOLVE_SCRIPT_LIB" not in hosts.os.environ


@pytest.mark.parametrize("chosen", ["", "/opt/python3.12"])
def test_the_scripting_module_is_told_which_python_runs(
    chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It loads a Python library of its own where FUSION_PYTHON3_HOME does not say; what the user has set stays."""
    (tmp_path / "Modules").mkdir()
    module = "import os\nSEEN = os.environ.get('FUSION_PYTHON3_HOME')\ndef scriptapp(name):\n    return name\n"
    (tmp_path / "Modules" / "DaVinciResolveScript.py").write_text(module, encoding="utf-8")
    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    monkeypatch.setenv("FUSION_PYTHON3_HOME", chosen)
    if not chosen:
        monkeypatch.delenv("FUSION_PYTHON3_HOME")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    resolve, loaded = hosts.connect()
    assert (resolve, loaded.SEEN) == ("Resolve", chosen or sys.base_prefix)
