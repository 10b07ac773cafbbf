"""`--engine dreammover` as a user has it: from keyframe files through server and worker to in-between files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tweenbridge_server.engines.dreammover.builtin import NANO

from .conftest import PATIENCE, Studio, draw, frames, interrupt, picture, until

pytest.importorskip("torch", reason="the diffusion engine's libraries are not installed")
pytest.importorskip("diffusers", reason="the diffusion engine's libraries are not installed")

COUNT = 40
"""So many in-betweens that they are drawn in several groups."""
MINUTES = 600
"""So many that they take minutes on any machine."""

ENGINE = ("--engine", "dreammover", "--set", "working_size=128")


def read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def job(studio: Studio) -> dict[str, Any]:
    """The newest job."""
    listed: dict[str, Any] = json.loads(studio.expect("jobs", "--json"))[0]
    return listed


@pytest.mark.slow
def test_in_betweens_of_the_keyframes_size_and_the_same_again(running: Studio) -> None:
    draw(running.folder / "a.png", 0, 200, 130)
    draw(running.folder / "b.png", 60, 200, 130)
    command = ("interpolate", "a.png", "b.png", "-n", 3, *ENGINE, "--model", "nano", "--prompt", "a square")
    printed = running.expect(*command, "--out", "out")
    assert "3 in-betweens" in printed
    made = [read(path) for path in frames(running.folder / "out")]
    assert [image.shape for image in made] == [(130, 200, 3)] * 3
    fade = (read(running.folder / "a.png").astype(float) + read(running.folder / "b.png")) / 2
    truth = picture(30, 200, 130).astype(float)
    assert np.abs(made[1] - truth).mean() < 0.6 * np.abs(fade - truth).mean()
    assert job(running)["profile"] == "standard"
    (worker,) = json.loads(running.expect("status", "--json"))["workers"]
    assert worker["model"] == str(NANO) and 10_000_000 < worker["model_memory"] < 100_000_000
    # Frames are addressed by what they are made of: nothing is computed again.
    running.expect(*command, "--out", "again")
    assert [path.read_bytes() for path in frames(running.folder / "again")] == [
        path.read_bytes() for path in frames(running.folder / "out")
    ]


@pytest.mark.slow
def test_it_works_at_once_on_a_fresh_data_folder_without_a_network(studio: Studio) -> None:
    nowhere = "http://127.0.0.1:9"
    studio.environment.update(dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere))
    a, b = draw(studio.folder / "a.png", 0, 256, 256), draw(studio.folder / "b.png", 80, 256, 256)
    began = time.monotonic()
    result = studio.run("interpolate", a, b, "-n", 3, "--engine", "dreammover", "--out", "out")
    seconds, waited = time.monotonic() - began, studio.waited()
    print(f"3 in-betweens of 256 x 256 from nothing to files: {seconds:.1f} s ({waited:.1f} s without a processor)")
    assert result.returncode == 0, result.stderr
    assert [read(path).shape for path in frames(studio.folder / "out")] == [(256, 256, 3)] * 3
    assert "simple artwork only" in result.stderr
    # A minute on two cores that have nothing else to do.
    assert seconds - waited < 2 * 60


@pytest.mark.slow
def test_what_is_wrong_is_said_in_a_sentence_with_a_remedy(running: Studio, tmp_path: Path) -> None:
    draw(running.folder / "c.png", 0, 64, 64)
    draw(running.folder / "d.png", 9, 64, 64)
    corrupt = tmp_path / "corrupt.safetensors"
    corrupt.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00not a header at all")
    pickled = tmp_path / "old.ckpt"
    pickled.write_bytes(b"\x80\x02}q\x00.")

    def refusal(*arguments: object) -> str:
        result = running.run("interpolate", "c.png", "d.png", "-n", 1, *ENGINE, "--out", tmp_path / "out", *arguments)
        assert result.returncode == 1, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        assert not frames(tmp_path / "out")
        return result.stderr

    assert "nowhere" in refusal("--model", tmp_path / "nowhere")
    assert "corrupt.safetensors" in refusal("--model", corrupt)
    assert "safetensors" in refusal("--model", pickled)
    assert "sparkle" in refusal("--model", "nano", "--set", "sparkle=1")
    assert "Strength" in refusal("--model", "nano", "--set", "strength=7")


@pytest.mark.slow
def test_a_worker_killed_while_denoising_loses_nothing(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0, 128, 128)
    draw(studio.folder / "b.png", 40, 128, 128)
    command = ("interpolate", "a.png", "b.png", "-n", COUNT, *ENGINE, "--model", "nano", "--out", "out")
    with studio.start(*command) as process:
        until(lambda: frames(studio.folder / "out"))
        worker = studio.worker()
        assert worker is not None
        # It stands still until it is killed: nobody has to hurry.
        worker.suspend()
        before = {path: path.read_bytes() for path in frames(studio.folder / "out")}
        standing = job(studio)
        assert (standing["state"], standing["stage"]) == ("running", "drawing in-betweens")
        worker.kill()
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    made = frames(studio.folder / "out")
    assert len(made) == COUNT
    assert all(path.read_bytes() == content for path, content in before.items())
    # Frames made before and after the kill belong to one movement: the middle of what is bright goes right.
    centres = [read(path).astype(float).sum((0, 2)) @ np.arange(128) / read(path).sum() for path in made]
    assert np.corrcoef(centres, np.arange(COUNT))[0, 1] > 0.9


@pytest.mark.slow
def test_cancelling_stops_it_soon(studio: Studio) -> None:
    draw(studio.folder / "a.png", 0, 128, 128)
    draw(studio.folder / "b.png", 40, 128, 128)
    with studio.start(
        "interpolate", "a.png", "b.png", "-n", MINUTES, *ENGINE, "--model", "nano", "--out", "out"
    ) as process:
        until(lambda: frames(studio.folder / "out"))
        interrupt(process)
        process.communicate(timeout=PATIENCE)
    worker = studio.worker()
    before = job(studio)
    assert before["state"] == "running", "the server goes on when the command has ended"
    studio.expect("cancel", before["job"])
    until(lambda: job(studio)["state"] != "running")
    after = job(studio)
    assert after["state"] == "cancelled"
    # It stopped where it was, instead of going on to the end.
    print(f"cancelled after {before['done']}, stopped after {after['done']} of {MINUTES} frames")
    assert after["done"] < MINUTES / 2
    # The worker stopped by itself: it keeps the model for the next job.
    assert worker is not None and worker.is_running()
