"""The output folder: names, holds, what is there already, and nobody else's files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge.results import Frame
from tweenbridge.timing import Schedule, Timing, schedule
from tweenbridge_server.commands.output import LIST_NAME, OutputFolder, default_folder, write_own


def _plan(count: int = 4, keyframes: int = 2, hold: int = 1) -> Schedule:
    return schedule([i * (count + 1) for i in range(keyframes)], Timing(count=count, hold=hold))


def _open(
    folder: Path,
    plan: Schedule,
    job: str = "job",
    overwrite: bool = False,
    keyframe: Path | None = None,
    encoding: Encoding = Encoding.PNG,
) -> OutputFolder:
    keyframes = [keyframe] if keyframe else []
    return OutputFolder(folder, job, plan, [encoding] * len(plan.gaps), keyframes, overwrite)


def _frame(plan: Schedule, index: int, job: str = "job", encoding: Encoding = Encoding.PNG) -> Frame:
    drawing = plan.drawings[index]
    data = f"{job} {index}".encode()
    slots = plan.slots_of(drawing)
    digest = hashlib.sha256(data).hexdigest()
    return Frame(job, index, drawing.gap, drawing.t, slots, slots, PixelFormat(encoding), digest, memoryview(data))


def _fill(
    folder: Path, plan: Schedule, job: str = "job", overwrite: bool = False, encoding: Encoding = Encoding.PNG
) -> int:
    output = _open(folder, plan, job, overwrite, encoding=encoding)
    output.check()
    for drawing in plan.drawings:
        output.save(_frame(plan, drawing.index, job, encoding))
    return output.remove_leftovers()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LIST_NAME)


def test_slots_are_numbered_through_all_gaps_and_holds_are_copies(tmp_path: Path) -> None:
    plan = _plan(count=4, keyframes=3, hold=2)
    _fill(tmp_path / "out", plan)
    assert _names(tmp_path / "out") == [f"inbetween_{n:04d}.png" for n in range(1, 9)]
    contents = [(tmp_path / "out" / name).read_bytes() for name in _names(tmp_path / "out")]
    assert contents[1] == contents[2]
    assert contents[3] != contents[4]


def test_what_is_there_is_recognised(tmp_path: Path) -> None:
    plan = _plan()
    output = _open(tmp_path, plan)
    assert output.check() == frozenset()
    output.save(_frame(plan, 1))
    output.save(_frame(plan, 3))
    assert _open(tmp_path, plan).check() == {1, 3}


def test_a_folder_that_was_moved_is_still_recognised(tmp_path: Path) -> None:
    _fill(tmp_path / "a", _plan())
    (tmp_path / "a").rename(tmp_path / "b")
    assert _open(tmp_path / "b", _plan()).check() == {0, 1, 2, 3}


def test_a_drawing_of_which_one_hold_is_missing_is_not_there(tmp_path: Path) -> None:
    plan = _plan(count=4, hold=2)
    _fill(tmp_path, plan)
    (tmp_path / "inbetween_0003.png").unlink()
    assert 1 not in _open(tmp_path, plan).check()


@pytest.mark.parametrize("content", [b"mine", b""])
def test_somebody_elses_file_is_never_written_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "inbetween_0002.png").write_bytes(content)
    with pytest.raises(TweenbridgeError, match="would be written over") as error:
        _open(tmp_path, _plan()).check()
    assert "--overwrite" in error.value.remedy
    assert _open(tmp_path, _plan(), overwrite=True).check() == frozenset()


def test_a_frame_that_the_user_painted_on_is_not_ours_any_more(tmp_path: Path) -> None:
    _fill(tmp_path, _plan())
    (tmp_path / "inbetween_0001.png").write_bytes(b"retouched")
    with pytest.raises(TweenbridgeError, match="inbetween_0001"):
        _open(tmp_path, _plan()).check()


def test_frames_of_another_job_are_not_written_over_unasked(tmp_path: Path) -> None:
    _fill(tmp_path, _plan(count=6))
    with pytest.raises(TweenbridgeError, match="and 3 more"):
        _open(tmp_path, _plan(), job="other").check()
    _fill(tmp_path, _plan(), job="other", overwrite=True)
    assert _names(tmp_path) == [f"inbetween_{n:04d}.png" for n in range(1, 5)]
    assert (tmp_path / "inbetween_0001.png").read_bytes() == b"other 0"


def test_what_the_user_changed_is_not_cleared_away(tmp_path: Path) -> None:
    _fill(tmp_path, _plan(count=6))
    (tmp_path / "inbetween_0006.png").write_bytes(b"retouched")
    _fill(tmp_path, _plan(), job="other", overwrite=True)
    assert "inbetween_0006.png" in _names(tmp_path)
    assert "inbetween_0005.png" not in _names(tmp_path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_job_in_another_format_leaves_the_earlier_jobs_frames_alone(tmp_path: Path, overwrite: bool) -> None:
    _fill(tmp_path, _plan(count=3))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert _fill(tmp_path, _plan(count=2), "other", overwrite, Encoding.JPEG) == 0
    assert {path: path.read_bytes() for path in before} == before and len(before) == 3
    assert len(list(tmp_path.glob("*.jpg"))) == 2


def test_a_job_whose_frames_were_moved_away_is_not_cleared_away_either(tmp_path: Path) -> None:
    _fill(tmp_path, _plan(count=6))
    for number in range(1, 5):
        (tmp_path / f"inbetween_{number:04d}.png").unlink()
    assert _fill(tmp_path, _plan(count=4), "other") == 0
    assert "inbetween_0006.png" in _names(tmp_path)


def test_a_list_that_names_files_elsewhere_removes_nothing_there(tmp_path: Path) -> None:
    precious = tmp_path / "precious.png"
    precious.write_bytes(b"drawn by hand")
    folder = tmp_path / "out"
    _fill(folder, _plan())
    digest = hashlib.sha256(b"drawn by hand").hexdigest()
    line = json.dumps({"job": "job", "file": "inbetween_0001.png/../../precious.png", "sha256": digest, "detail": ""})
    with (folder / LIST_NAME).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    _fill(folder, _plan(), "other", overwrite=True)
    assert precious.exists()


def test_a_file_that_comes_in_the_way_while_the_job_runs_is_left_alone(tmp_path: Path) -> None:
    plan = _plan()
    output = _open(tmp_path, plan)
    output.check()
    (tmp_path / "inbetween_0002.png").write_bytes(b"put there meanwhile")
    output.save(_frame(plan, 0))
    with pytest.raises(TweenbridgeError, match="inbetween_0002"):
        output.save(_frame(plan, 1))
    assert (tmp_path / "inbetween_0002.png").read_bytes() == b"put there meanwhile"


def test_another_timing_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = []
    for job in ("linear", "eased", "linear", "eased", "third"):
        folder = default_folder("a", "b", job, overwrite=False)
        _fill(tmp_path / folder, _plan(), job)
        chosen.append(folder.name)
    assert chosen == ["a-to-b", "a-to-b-2", "a-to-b", "a-to-b-2", "a-to-b-3"]
    assert default_folder("a", "b", "fourth", overwrite=True).name == "a-to-b"
    assert default_folder("a", "b", "eased", overwrite=True).name == "a-to-b-2"
    for path in (tmp_path / "a-to-b").glob("*.png"):
        path.unlink()
    assert default_folder("a", "b", "fifth", overwrite=False).name == "a-to-b", "what was taken away is in nobody's way"


@pytest.mark.parametrize("name", ["x" * 240, "ü" * 120, "画" * 80, "a. . . " * 30])
def test_long_names_make_a_folder_that_file_systems_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = default_folder(name, name, "job", overwrite=False)
    _fill(folder, _plan())
    assert len(_names(folder)) == 4 and folder.name[:3] == name[:3]


def test_other_contents_are_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "still.png"
    write_own(file, b"one", overwrite=False)
    write_own(file, b"one", overwrite=False)
    with pytest.raises(TweenbridgeError, match="is there already") as error:
        write_own(file, b"two", overwrite=False)
    assert file.read_bytes() == b"one" and "--overwrite" in error.value.remedy
    write_own(file, b"two", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["still.png"] and file.read_bytes() == b"two"


def test_a_keyframe_is_never_written_over_even_when_asked(tmp_path: Path) -> None:
    keyframe = tmp_path / "inbetween_0001.png"
    keyframe.write_bytes(b"drawn by hand")
    with pytest.raises(TweenbridgeError, match="keyframes, which are never written to"):
        _open(tmp_path, _plan(), overwrite=True, keyframe=keyframe).check()


def test_a_film_is_made_again_only_when_it_would_differ(tmp_path: Path) -> None:
    film = tmp_path / "films" / "film.mp4"
    film.parent.mkdir()
    output = _open(tmp_path / "out", _plan())
    output.check([film])
    made = tmp_path / "made.mp4"
    made.write_bytes(b"24 pictures")
    output.adopt(made, film, "film at 24")
    again = _open(tmp_path / "out", _plan())
    again.check([film])
    assert again.has_made(film, "film at 24")
    assert not again.has_made(film, "film at 12")
    film.write_bytes(b"the user's own film")
    with pytest.raises(TweenbridgeError, match=r"film\.mp4"):
        _open(tmp_path / "out", _plan()).check([film])


def test_a_list_cut_off_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    plan = _plan()
    _fill(tmp_path, plan)
    text = (tmp_path / LIST_NAME).read_text(encoding="utf-8")
    (tmp_path / LIST_NAME).write_text(text[:-20], encoding="utf-8")
    with pytest.raises(TweenbridgeError, match="inbetween_0004"):
        _open(tmp_path, plan).check()
