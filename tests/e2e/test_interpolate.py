"""`tweenbridge interpolate` as a user meets it: a real server, the real engine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from .conftest import Studio, draw, frames, picture


def _hashes(paths: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def _place(path: Path) -> float:
    """Where the square stands in a frame: its left edge relative to the first keyframe, in pixels."""
    image = cv2.imread(str(path))
    assert image is not None
    square = picture(0)[60:120, 64:124]
    scores = cv2.matchTemplate(image, square, cv2.TM_CCOEFF_NORMED)
    return float(cv2.minMaxLoc(scores)[3][0] - 64)


def test_two_stills(running: Studio) -> None:
    a, b = draw(running.folder / "a.png", 0), draw(running.folder / "b.png", 24)
    before = _hashes([a, b])
    printed = running.expect("interpolate", "a.png", "b.png", "--video", "film.mp4", "--sheet", "sheet.png")
    made = frames(running.folder / "a-to-b")
    assert len(made) == 7
    assert printed.startswith("7 in-betweens in a-to-b")
    assert "film: film.mp4" in printed
    for number, path in enumerate(made, start=1):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert (image.shape, image.dtype) == ((180, 320, 3), np.uint8)
        assert _place(path) == pytest.approx(24 * number / 8, abs=1.5)
    assert _hashes([a, b]) == before
    with av.open(str(running.folder / "film.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 9
        assert film.streams.video[0].average_rate == 24
    sheet = cv2.imread(str(running.folder / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] > 3 * 320 // 2


def test_the_same_command_again_makes_nothing_again(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0), draw(studio.folder / "b.png", 24)
    command = ("interpolate", "a.png", "b.png", "--count", "3", "--profile", "draft", "--video", "film.mp4")
    studio.expect(*command)
    before = {path: path.stat().st_mtime_ns for path in [*frames(studio.folder / "a-to-b"), studio.folder / "film.mp4"]}
    studio.expect("stop")
    assert "all there already" in studio.expect(*command)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert studio.server() is None, "nothing was missing, so no server was needed"


def test_a_job_in_another_format_and_one_with_another_timing_delete_nothing(studio: Studio) -> None:
    """Finding 01: JPEG results in a folder of PNG results, and another timing in the default folder."""
    for name in ("a.png", "b.png", "c.jpg", "d.jpg"):
        draw(studio.folder / name, 24 * (name[0] in "bd"))
    studio.expect("interpolate", "a.png", "b.png", "-n", 3, "-o", "same", "--profile", "draft")
    before = _hashes(frames(studio.folder / "same"))
    studio.expect("interpolate", "c.jpg", "d.jpg", "-n", 2, "-o", "same", "--profile", "draft")
    assert _hashes(frames(studio.folder / "same")) == before and len(before) == 3
    assert len(frames(studio.folder / "same", "jpg")) == 2
    for timing in ("linear", "ease-in"):
        studio.expect("interpolate", "a.png", "b.png", "-n", 3, "--timing", timing, "--profile", "draft")
    linear, eased = (_hashes(frames(studio.folder / name)) for name in ("a-to-b", "a-to-b-2"))
    assert linear == before and eased != linear and len(eased) == 3


def test_a_lost_frame_comes_back_without_being_computed_again(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0), draw(studio.folder / "b.png", 24)
    studio.expect("interpolate", "a.png", "b.png", "--count", "5", "--profile", "draft")
    made = frames(studio.folder / "a-to-b")
    before = _hashes(made)
    kept = made[0].stat().st_mtime_ns
    made[3].unlink()
    worker = studio.worker()
    assert worker is not None
    worker.kill()
    studio.expect("interpolate", "a.png", "b.png", "--count", "5", "--profile", "draft")
    assert _hashes(made) == before
    assert made[0].stat().st_mtime_ns == kept, "what was there was not written again"
    assert studio.worker() is None, "the frame came from the store"


def test_three_keyframes_with_easing_on_twos(running: Studio) -> None:
    for name, shift in (("k1", 0), ("k2", 20), ("k3", 44)):
        draw(running.folder / f"{name}.png", shift)
    running.expect(
        "interpolate", "k1.png", "k2.png", "k3.png", "--count", 5, "--timing", "ease-in-out", "--hold", 2,
        "--out", "twos",
    )  # fmt: skip
    made = frames(running.folder / "twos")
    assert [path.name for path in made] == [f"inbetween_{n:04d}.png" for n in range(1, 11)]
    contents = _hashes(made)
    # On twos the first slot shows the keyframe again, then every drawing stays for two frames.
    for start in (0, 5):
        assert contents[start + 1] == contents[start + 2]
        assert contents[start + 3] == contents[start + 4]
        assert contents[start + 1] != contents[start + 3]
    assert _place(made[0]) == 0
    assert _place(made[1]) == pytest.approx(20 * 0.25, abs=1.5)
    assert _place(made[3]) == pytest.approx(20 * 0.75, abs=1.5)


def test_a_chart_and_a_loop(running: Studio) -> None:
    draw(running.folder / "l1.png", 0), draw(running.folder / "l2.png", 20)
    running.expect(
        "interpolate", "l1.png", "l2.png", "--chart", "0.1,0.8", "--loop", "--out", "loop", "--video", "loop.mp4",
        "--profile", "draft",
    )  # fmt: skip
    made = frames(running.folder / "loop")
    places = [_place(path) for path in made]
    assert places == pytest.approx([2, 16, 18, 4], abs=1.5)
    with av.open(str(running.folder / "loop.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 6, "a loop does not show its first keyframe twice"


def test_frames_of_a_film_as_keyframes(running: Studio) -> None:
    with av.open(str(running.folder / "clip.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for shift in range(0, 40, 2):
            frame = av.VideoFrame.from_ndarray(picture(shift), format="bgr24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    running.expect("interpolate", "clip.mp4@2", "clip.mp4@00:00.4", "--count", 3, "--profile", "draft", "--out", "clip")
    places = [_place(path) for path in frames(running.folder / "clip")]
    assert places == pytest.approx([8, 12, 16], abs=2)
    result = running.run("interpolate", "clip.mp4@2", "clip.mp4@500")
    assert result.returncode == 1
    assert "clip.mp4" in result.stderr


def test_sixteen_bits_and_another_format(running: Studio) -> None:
    for name, shift in (("d1", 0), ("d2", 16)):
        cv2.imwrite(str(running.folder / f"{name}.png"), picture(shift).astype(np.uint16) * 257)
    running.expect("interpolate", "d1.png", "d2.png", "-n", 1, "--profile", "draft", "--out", "deep")
    deep = cv2.imread(str(frames(running.folder / "deep")[0]), cv2.IMREAD_UNCHANGED)
    assert deep is not None
    assert deep.dtype == np.uint16
    running.expect("interpolate", "d1.png", "d2.png", "-n", 1, "--profile", "draft", "--format", "tiff8", "-o", "tiff")
    assert [path.name for path in (running.folder / "tiff").glob("inbetween*")] == ["inbetween_0001.tif"]


def test_a_cut_is_held_and_said(running: Studio) -> None:
    draw(running.folder / "c1.png", 0)
    other = np.zeros((180, 320, 3), np.uint8)
    cv2.putText(other, "CUT", (40, 120), cv2.FONT_HERSHEY_SIMPLEX, 3, (40, 200, 250), 12)
    cv2.imwrite(str(running.folder / "c2.png"), other)
    result = running.run("interpolate", "c1.png", "c2.png", "-n", 3, "--out", "cut")
    assert result.returncode == 0, result.stderr
    assert "Note:" in result.stderr
    assert "cut" in result.stderr


def test_status_jobs_cancel_and_logs(running: Studio) -> None:
    draw(running.folder / "a.png", 0), draw(running.folder / "b.png", 24)
    running.expect("interpolate", "a.png", "b.png", "--count", 2, "--profile", "draft", "--out", "listed")
    state = json.loads(running.expect("status", "--json"))
    assert state["running"] is True
    assert state["jobs"]["done"] >= 1
    assert "process" in running.expect("status")
    jobs = json.loads(running.expect("jobs", "--json", "--limit", "1"))
    assert (jobs[0]["state"], jobs[0]["done"], jobs[0]["title"]) == ("done", 2, "a.png to b.png")
    assert jobs[0]["job"][:8] in running.expect("jobs")
    assert "done already" in running.run("cancel", jobs[0]["job"][:8]).stderr
    missing = running.run("cancel", "zzzz")
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (1, "Error: There is no job zzzz.")
    assert "session" in running.expect("logs", "-n", 20)


# ---------------------------------------------------------------- what is wrong is said


@pytest.fixture(scope="module")
def material(running: Studio) -> Studio:
    folder = running.folder / "wrong"
    draw(folder / "a.png", 0)
    draw(folder / "b.png", 24)
    draw(folder / "small.png", 0, 160, 96)
    (folder / "text.png").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "b.png").read_bytes()[:2000])
    (folder / "taken").mkdir()
    (folder / "taken.mp4").mkdir()
    (folder / "taken" / "inbetween_0001.png").write_bytes(b"mine")
    return Studio(folder, running.home)


@pytest.mark.parametrize(
    ("arguments", "sentence", "remedy"),
    [
        ("a.png", "at least two keyframes", "two files"),
        ("a.png missing.png", "Keyframe 2 (missing.png) is not there", "clip.mp4@36"),
        ("a.png taken", "Keyframe 2 (taken) is a folder", "images in it"),
        ("a.png text.png", "text.png is not an image that Tweenbridge can read", "PNG, TIFF, OpenEXR, JPEG"),
        ("a.png cut.png", "(cut.png) is damaged", "again"),
        ("a.png small.png", "small.png", ""),
        ("a.png b.png --engine magic", "magic", "flow"),
        ("a.png b.png --profile best", "best", "draft"),
        ("a.png b.png --set colour=1", "colour", ""),
        ("a.png b.png --timing fast", "--timing fast", "ease-in-out"),
        ("a.png b.png --chart 0.5,2", "between 0 and 1", ""),
        ("a.png b.png --hold 0", "1 to 24", ""),
        ("a.png b.png --count 0", "--count 0", "1 or more"),
        ("a.png b.png --format gif", "--format gif", "tiff16"),
        ("a.png b.png --fps 0", "--fps 0", ""),
        ("a.png b.png --out taken", "would be written over", "--overwrite"),
        ("a.png b.png --sheet a.png --overwrite", "never written to", "another file name"),
        ("a.png b.png --video taken.mp4", "is a folder", ""),
        ("a.png b.png --video film.avi", "film.avi", ".mp4"),
        ("a.png b.png --sheet sheet.gif", "sheet.gif", ".png"),
        ("a.png b.png --out text.png", "is not a folder", "--out"),
    ],
)
def test_wrong_arguments_are_answered_in_a_sentence(
    material: Studio, arguments: str, sentence: str, remedy: str
) -> None:
    before = _hashes(sorted(material.folder.glob("*.png")))
    result = material.run("interpolate", *arguments.split())
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines[0].startswith("Error: ")
    assert sentence in lines[0]
    assert remedy in " ".join(lines)
    assert len(lines) == 2, "one sentence and what to do"
    assert _hashes(sorted(material.folder.glob("*.png"))) == before
    assert (material.folder / "taken" / "inbetween_0001.png").read_bytes() == b"mine"


def test_an_unknown_option_is_a_usage_error(running: Studio) -> None:
    result = running.run("interpolate", "a.png", "b.png", "--colour", "red")
    assert result.returncode == 2
    assert "--colour" in result.stderr


def test_without_a_server_the_commands_about_it_say_so(studio: Studio) -> None:
    assert studio.run("status").returncode == 3
    assert json.loads(studio.run("status", "--json").stdout)["running"] is False
    assert studio.run("stop").stderr == "The server is not running.\n"
    result = studio.run("jobs")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "tweenbridge serve" in result.stderr
