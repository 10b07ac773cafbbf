"""Shots on the fake's timeline, what runs make of them, and how the timeline looks afterwards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from fakes.resolve import pictures
from numpy.typing import NDArray
from tweenbridge import Client
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.host import Host
from tweenbridge_resolve.placement import Keyframe
from tweenbridge_resolve.timeline import Source, keyframes

Pixels = NDArray[np.uint16]


def timeline_of(resolve: Any) -> Any:
    return resolve._manager._project._current


def mark(resolve: Any, *frames: int, colour: str = "Blue") -> None:
    """Set markers, counted from the timeline's start."""
    for frame in frames:
        assert timeline_of(resolve).AddMarker(frame, colour, f"K{frame}", "", 1)


def found(resolve: Any) -> tuple[Host, tuple[Keyframe, ...]]:
    host = Host(resolve)
    return host, keyframes(host, Source.MARKERS)


def run(resolve: Any, client: Client, films: Path, choice: Choice | None = None) -> Run:
    """Make in-betweens between the markers, to the end."""
    host, marked = found(resolve)
    made = Run(host, client, marked, choice or draft(films), colour="Blue")
    made.begin()
    return finish(made)


def draft(films: Path, **options: Any) -> Choice:
    return Choice(profile="draft", folder=str(films), **options)


def finish(made: Run, patience: float = 60.0) -> Run:
    end = time.monotonic() + patience
    while not made.stage.is_final:
        assert time.monotonic() < end, "it did not end"
        made.step(0.05)
    return made


def succeed(resolve: Any, client: Client, films: Path, choice: Choice | None = None) -> Run:
    made = run(resolve, client, films, choice)
    assert made.stage is Stage.DONE, made.error
    return made


def shown(resolve: Any, frame: int) -> Pixels:
    """What the timeline shows at a frame counted from its start."""
    timeline = timeline_of(resolve)
    return as_pixels(timeline._picture(timeline._start + frame))


def as_pixels(samples: Any) -> Pixels:
    return np.array(samples, np.uint16).reshape(pictures.HEIGHT, pictures.WIDTH, 3)


def drawn(frame: int, seed: int = 0) -> Pixels:
    """The clip's own picture."""
    return as_pixels(pictures.draw(frame, seed))


def read(path: Path) -> Pixels:
    buffer = oiio.ImageBuf(str(path))
    assert buffer.spec().format == oiio.UINT16
    pixels: Pixels = buffer.get_pixels(oiio.UINT16)
    return pixels


def layout(resolve: Any) -> dict[str, list[tuple[int, int]]]:
    """Every track's clips, as (start from the timeline's start, frames)."""
    timeline = timeline_of(resolve)
    return {
        track.name: sorted((item._start - timeline._start, item._length) for item in track.items)
        for track in timeline._tracks
    }


def view(resolve: Any) -> tuple[Any, ...]:
    """Page, timeline, playhead and bin, as the user sees them."""
    project, timeline = resolve._manager._project, timeline_of(resolve)
    return resolve._studio.page, timeline._id, timeline._playhead, project._pool._current._id


def check_every_frame(resolve: Any, made: Run, keyframes: tuple[int, ...] = (4, 12), frames: int = 40) -> None:
    """Between keyframes the timeline shows the files in order; everywhere else, at keyframes too, its own clip."""
    assert made.result is not None
    files = sorted(made.result.folder.glob("*_take*.tif"))
    between = [frame for a, b in zip(keyframes, keyframes[1:]) for frame in range(a + 1, b)]
    for frame in range(frames):
        wanted = read(files[between.index(frame)]) if frame in between else drawn(frame)
        assert (shown(resolve, frame) == wanted).all(), frame
