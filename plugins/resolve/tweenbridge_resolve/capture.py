"""Capturing keyframes: of their clips' tracks alone where there are such, and without the timeline's own grade."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Tuple

from .alone import tracks_alone
from .clips import tracks_of
from .errors import PluginError, Trouble
from .grade import STAYED, switch, without_grade
from .host import Host
from .placement import Keyframe
from .stills import Stills, differing


@dataclass(frozen=True)
class Captured:
    """The keyframes' pictures.

    Attributes:
        files: one for each keyframe.
        notes: what should be known of them.
    """

    files: Tuple[Path, ...]
    notes: Tuple[str, ...] = ()


def capture(host: Host, keyframes: Sequence[Keyframe], folder: Path, only: Tuple[str, ...] = ()) -> Captured:
    """Capture keyframes into a folder. Call it inside `Host.view_kept`.

    Args:
        only: clips whose tracks alone give the pictures; () for what the viewer shows.

    Raises:
        PluginError: PLAYHEAD, STILL or FOLDER, saying which keyframe.
    """
    tracks, notes = tracks_of(host, only), []
    with without_grade(host) as view, tracks_alone(view.host, tracks):
        graded: Tuple[Path, ...] = ()
        if view.nodes and switch(view.host, view.nodes, on=True):
            graded = Stills(view.host, folder / "graded").take_all(keyframes)
            switch(view.host, view.nodes, on=False)
        stills = Stills(view.host, folder)
        files = stills.take_all(keyframes)
        # No call tells whether a node is off. Where the pictures do not tell either, it may still be on.
        unseen = bool(view.nodes) and not differing(graded, files)
    shutil.rmtree(folder / "graded", ignore_errors=True)
    if view.note or unseen:
        notes.append(view.note or STAYED)
    if stills.alpha:
        notes.append("These stills have alpha, and so have the in-betweens.")
    if stills.shallow:
        notes.append("Keyframes came as 8 bit, not 16, so fine gradients may show bands.")
    return Captured(files, tuple(notes))


def changed_since(
    host: Host, keyframes: Sequence[Keyframe], kept: Sequence[Path], folder: Path, only: Tuple[str, ...] = ()
) -> Tuple[int, ...]:
    """Which keyframes (from 0) do not look any more as they were captured. Call it inside `Host.view_kept`.

    Args:
        kept: their pictures.
        folder: for new ones; gone afterwards.

    Raises:
        PluginError: PLAYHEAD, STILL or FOLDER.
    """
    tracks = tracks_of(host, only)
    try:
        with without_grade(host) as view, tracks_alone(view.host, tracks):
            stills = Stills(view.host, folder)
            changed = differing(kept, stills.take_all(keyframes))
            again = [folder / f"keyframe_{i + 1:03}.tif" for i in changed]
            for i, path in zip(changed, again):
                # A viewer that lags behind has to be told from a picture that was changed, and a render never lags.
                stills.render(keyframes[i].frame, path)
        changed = [changed[i] for i in differing([kept[i] for i in changed], again)]
        if changed and view.note:
            raise PluginError(Trouble.STILL, "the timeline’s own grade could not be left out this time.")
        return tuple(changed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
