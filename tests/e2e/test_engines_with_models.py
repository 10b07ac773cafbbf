"""Engines with models through the real command line, server and worker: the blend engine stands in for a large one."""

from __future__ import annotations

import json
import time

import bench
import cv2
import numpy as np
import pytest
from tweenbridge import Client, FrameArrived, JobEnded, JobHandle, PreviewArrived
from tweenbridge.events import Event

from .conftest import Studio, draw, frames


@pytest.fixture
def stills(blending: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio with the blend engine and three stills, for clients of this process, too."""
    for name, value in blending.environment.items():
        monkeypatch.setenv(name, value)
    for shift, name in ((0, "a"), (20, "b"), (40, "c")):
        draw(blending.folder / f"{name}.png", shift)
    return blending


def events_of(client: Client, handle: JobHandle) -> list[Event]:
    events: list[Event] = []
    end = time.monotonic() + 60
    while not any(isinstance(event, JobEnded) for event in events):
        assert time.monotonic() < end, "the job did not end in time"
        events += client.poll(0.1)
    return events


def test_previews_and_notes_reach_who_asked(stills: Studio) -> None:
    paths = [stills.folder / f"{name}.png" for name in "abc"]
    with Client(stills.home) as asker, Client(stills.home) as other:
        handle = asker.submit(paths, count=2, engine="blend", settings={"says": "preview"}, previews=True)
        events = events_of(asker, handle)
        assert handle.error is None
        previews = [event for event in events if isinstance(event, PreviewArrived)]
        assert {(shown.gap, shown.t) for shown in previews} == {(0, 0.25), (1, 0.25)}
        for shown in previews:
            picture = cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert picture.shape == (144, 256, 3)
        handle = other.submit(paths, count=3, engine="blend", settings={"says": "preview"})
        events = events_of(other, handle)
        assert not any(isinstance(event, PreviewArrived) for event in events)
        assert sum(isinstance(event, FrameArrived) for event in events) == 6
        handle = other.submit(paths, count=1, engine="blend", settings={"says": "note"})
        events_of(other, handle)
        assert [(note.message, note.gap) for note in handle.notes] == [("This could be better.", None)]


def test_the_command_line_with_a_model(stills: Studio) -> None:
    model = stills.folder / "weights"
    model.write_text("one")
    command = ["interpolate", "a.png", "b.png", "-n", "3", "--engine", "blend", "--model", "weights", "-o", "out"]
    command += ["--set", "says=note"]
    first = stills.run(*command)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("Note: This could be better.") == 1
    made = [path.read_bytes() for path in frames(stills.folder / "out")]
    assert len(made) == 3
    assert "all there already" in stills.expect(*command)
    model.write_text("other weights")
    refused = stills.run(*command)
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    stills.expect(*command, "--overwrite")
    log = bench.engine_log(stills.home).read_text()
    assert log.count("frame ") == 6
    assert f"plain {model}\n" in log, "the engine was given the model's whole path"


def test_what_a_model_lacks_is_said_in_a_sentence(stills: Studio) -> None:
    result = stills.run("interpolate", "a.png", "b.png", "--engine", "blend", "--model", "nothing")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no model nothing.\n")
    result = stills.run("interpolate", "a.png", "b.png", "--engine", "dreammover", "--model", "nobody/nothing")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    result = stills.run("interpolate", "a.png", "b.png", "--model", "nothing")
    assert "Engine flow has no setting 'model'" in result.stderr


def test_devices_are_shown(stills: Studio) -> None:
    stills.environment["TWEENBRIDGE_WORKERS_DEVICES"] = "cpu"
    stills.expect("interpolate", "a.png", "b.png", "-n", "1", "--engine", "blend")
    status = json.loads(stills.expect("status", "--json"))
    assert [worker["device"] for worker in status["workers"]] == ["cpu"]
    settled = [line for line in bench.engine_log(stills.home).read_text().splitlines() if line.startswith("settle")]
    assert [line.split()[2:] for line in settled] == [["cpu", str(stills.home / "cache"), "plain"]]


def test_engines_are_listed(stills: Studio) -> None:
    said = stills.expect("engines")
    assert "dreammover: DreamMover" in said
    assert "blend: Blend" in said
    assert [info["name"] for info in json.loads(stills.expect("engines", "--json"))] == [
        "flow",
        "dreammover",
        "blend",
    ]
