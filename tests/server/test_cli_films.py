"""`tweenbridge stills`, `film` and `config`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pictures import keyframe, size_of
from tweenbridge_server import cli
from typer.testing import CliRunner

RUNNER = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def run(*words: str, status: int = 0) -> str:
    result = RUNNER.invoke(cli.app, list(words))
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def clip(home: Path, tmp_path: Path) -> Path:
    stills = []
    for number in range(10):
        stills.append(tmp_path / f"still_{number}.png")
        stills[-1].write_bytes(keyframe(number, 128, 96))
    run("film", *map(str, stills), "--out", "made/clip.mp4", "--fps", "12")
    return tmp_path / "made" / "clip.mp4"


def stills_of(*words: str) -> dict[str, object]:
    said = json.loads(run("stills", *words, "--json"))
    assert isinstance(said, dict)
    return said


def test_stills_by_number_by_time_and_over_the_whole_length(clip: Path, tmp_path: Path) -> None:
    said = stills_of(str(clip), "--at", "3", "--at", "00:00.5", "--out", "some")
    assert (said["frames"], said["fps"]) == (10, 12.0)
    found = [(still["frame"], Path(still["file"])) for still in said["stills"]]  # type: ignore[attr-defined]
    assert [frame for frame, _ in found] == [3, 6]
    assert all(size_of(file.read_bytes()) == (128, 96) for _, file in found)
    spread = stills_of(str(clip), "--spread", "4", "--side", "32", "--out", "small")
    assert [still["frame"] for still in spread["stills"]] == [0, 3, 6, 9]  # type: ignore[attr-defined]
    assert {size_of(file.read_bytes()) for file in (tmp_path / "small").iterdir()} == {(32, 24)}
    assert "2 stills of 10 frames" in run("stills", str(clip), "--spread", "2", "--out", "text")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "10"), "past its end"),
        (("--at", "soon"), "neither a frame number nor a time"),
        ((), "Nothing says which frames"),
    ],
)
def test_frames_that_there_are_none_of(clip: Path, words: tuple[str, ...], said: str) -> None:
    assert said in run("stills", str(clip), *words, status=1)


def test_what_is_no_film_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film")
    assert "notes.mp4 cannot be read as a video" in run("stills", "notes.mp4", "--spread", "3", status=1)
    assert "is not there" in run("stills", "nowhere.mp4", "--spread", "3", status=1)


def test_a_film_is_not_written_over_by_accident(clip: Path) -> None:
    still = str(clip.parent.parent / "still_0.png")
    assert "is there already" in run("film", still, "--out", str(clip), status=1)
    run("film", still, still, "--out", str(clip), "--overwrite")
    assert "end in .mp4" in run("film", still, "--out", "a.gif", status=1)


def test_settings_are_changed_and_the_rest_of_the_file_stays(home: Path) -> None:
    home.mkdir()
    file = home / "config.toml"
    file.write_text('# mine\n[log]\nlevel = "info" # for now\n')
    run("config", "--set", "log.level=debug", "--set", "workers.devices=cpu, cuda:1", "--set", "retention.days=2.5")
    text = file.read_text()
    assert text.startswith("# mine\n[log]\n") and "for now" in text
    values = {setting["name"]: setting["value"] for setting in json.loads(run("config", "--json"))}
    assert (values["log.level"], values["workers.devices"], values["retention.days"]) == ("debug", "cpu,cuda:1", "2.5")
    run("config", "--unset", "log.level")
    assert "log.level = info" in run("config")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "log.level=loud"), "it must be one of debug"),
        (("--set", "log.loudness=3"), "no setting 'log.loudness'"),
        (("--set", "log.level"), "sets nothing"),
        (("--set", "log.level=debug", "--unset", "nothing.here"), "no setting 'nothing.here'"),
    ],
)
def test_nothing_is_changed_where_something_is_wrong(home: Path, words: tuple[str, ...], said: str) -> None:
    assert said in run("config", *words, status=1)
    assert not (home / "config.toml").exists()


def test_thumbnails_leave_out_what_is_damaged(home: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(keyframe(1, 128, 96))
    bad.write_bytes(good.read_bytes()[:90])
    said = RUNNER.invoke(cli.app, ["thumbnails", str(good), str(bad), "--side", "32", "--out", "small", "--json"])
    assert said.exit_code == 0 and "bad.png is damaged" in said.stderr
    (found,) = json.loads(said.stdout)
    assert found["file"] == str(good) and size_of(Path(found["thumbnail"]).read_bytes()) == (32, 24)


def test_stills_and_thumbnails_are_not_written_over_other_files(clip: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    some.mkdir()
    mine = some / "clip_000003.png"
    mine.write_bytes(b"painted on")
    assert "is there already" in run("stills", str(clip), "--at", "3", "--out", "some", status=1)
    assert mine.read_bytes() == b"painted on"
    run("stills", str(clip), "--at", "3", "--out", "some", "--overwrite")
    run("stills", str(clip), "--at", "3", "--out", "some")
    thumbnail = some / "0000_still_0.png"
    thumbnail.write_bytes(b"painted on")
    assert "is there already" in run("thumbnails", str(tmp_path / "still_0.png"), "--out", "some", status=1)
    assert thumbnail.read_bytes() == b"painted on"
