"""The Drop page's state: stills and frames of films that were dropped, the job that is made of them, and its files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from tweenbridge import (
    ErrorInfo,
    Event,
    FrameArrived,
    JobEnded,
    JobHandle,
    JobProgress,
    JobState,
    Note,
    TweenbridgeError,
)
from tweenbridge.keyframes import KeyframeSource

from ..command import Commands, Outcome
from ..preferences import Preferences
from ..session import Session
from ..words import problem, tr
from .recipe import Recipe
from .saving import Saver, folder_for

HARD = (".exr",)
"""Stills that Qt cannot read: pictures of them are made by the command line."""
STILLS = (".png", ".tif", ".tiff", ".exr", ".jpg", ".jpeg")
FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".mxf", ".mpg", ".mpeg")
OVERVIEW = 12
"""Frames of a film that are shown to choose from at first."""
_OVERVIEW_SIDE = 240


class Stage(Enum):
    """How far the page is."""

    CHOOSING = "choosing"
    MAKING = "making"
    DONE = "done"


@dataclass(frozen=True)
class Dropped:
    """One keyframe: its file, and what it is called."""

    path: Path
    label: str


@dataclass(frozen=True)
class FilmStill:
    """One frame of a film to choose from."""

    frame: int
    picture: Path


@dataclass(frozen=True)
class Film:
    """A film that was dropped: its length in frames, its rate, and the stills looked at so far."""

    path: Path
    frames: int = 0
    rate: float = 0.0
    stills: tuple[FilmStill, ...] = ()
    busy: bool = True


class DropState(QObject):
    """Keyframes in, a folder of in-betweens out."""

    changed = Signal()
    """Anything but progress."""
    progressed = Signal()
    failed = Signal(str)
    """One paragraph: what did not work, and what to do."""

    def __init__(
        self, session: Session, recipe: Recipe, commands: Commands, preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.recipe = recipe
        self.stage = Stage.CHOOSING
        self.keyframes: list[Dropped] = []
        self.film: Film | None = None
        self.with_keyframes = False
        self.handle: JobHandle | None = None
        self.files: list[Path] = []
        self.folder: Path | None = None
        self.movie: Path | None = None
        self.notes: tuple[Note, ...] = ()
        self._session = session
        self._commands = commands
        self._preferences = preferences
        self.pictures: dict[Path, Path] = {}
        """Small pictures of files that Qt cannot read."""
        self._saver: Saver | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="tweenbridge-drop-", ignore_cleanup_errors=True)
        session.happened.connect(self._hear)

    # ------------------------------------------------------------ keyframes

    def add(self, paths: list[Path]) -> None:
        """Take what was dropped: stills in their order, or one film to choose frames of."""
        if self.stage is Stage.DONE:
            self.start_anew()
        stills = [path for path in paths if path.suffix.lower() in STILLS and path.is_file()]
        films = [path for path in paths if path.suffix.lower() in FILMS and path.is_file()]
        self.keyframes += [Dropped(path, path.name) for path in stills]
        self._picture(stills)
        strangers = [path.name for path in paths if path not in stills and path not in films]
        if strangers:
            self.failed.emit(tr("{name} is neither a still nor a film.").format(name=strangers[0]))
        self.changed.emit()
        if films:
            self._open_film(films[0])

    def picture_of(self, path: Path) -> Path | None:
        """A picture of a file that Qt can read; None while there is none."""
        return self.pictures.get(path) if path.suffix.lower() in HARD else path

    def _picture(self, paths: list[Path]) -> None:
        hard = [str(path) for path in paths if path.suffix.lower() in HARD and path not in self.pictures]
        if hard:
            folder = self._scratch_folder(f"thumbnails {len(self.pictures)}")
            self._commands.run(["thumbnails", *hard, "--out", folder, "--json"], self._pictured)

    def _pictured(self, outcome: Outcome) -> None:
        found: Any = outcome.read_json()
        if isinstance(found, list):
            self.pictures |= {Path(each["file"]): Path(each["thumbnail"]) for each in found}
            self.changed.emit()

    def remove(self, index: int) -> None:
        """Take a keyframe away again."""
        if 0 <= index < len(self.keyframes):
            del self.keyframes[index]
            self.changed.emit()

    def move(self, index: int, by: int) -> None:
        """Let a keyframe come earlier or later."""
        other = index + by
        if 0 <= index < len(self.keyframes) and 0 <= other < len(self.keyframes):
            self.keyframes[index], self.keyframes[other] = self.keyframes[other], self.keyframes[index]
            self.changed.emit()

    def start_anew(self) -> None:
        """Forget keyframes and result; what was written stays."""
        self.stage, self.keyframes, self.film, self.handle = Stage.CHOOSING, [], None, None
        self.files, self.folder, self.movie, self.notes = [], None, None, ()
        self.changed.emit()

    # ------------------------------------------------------------ films

    def _open_film(self, path: Path) -> None:
        self.film = Film(path)
        self.changed.emit()
        self._grab(path, ["--spread", str(OVERVIEW)])

    def look_at_frame(self, frame: int) -> None:
        """Show another frame of the film to choose."""
        if self.film is not None and not self.film.busy:
            self.film = replace(self.film, busy=True)
            self.changed.emit()
            self._grab(self.film.path, ["--at", str(frame)])

    def take_frame(self, frame: int) -> None:
        """Make a frame of the film a keyframe, in its full size; frames of one film stay in their order."""
        film = self.film
        if film is None or film.busy:
            return
        self.film = replace(film, busy=True)
        self.changed.emit()
        arguments = ["stills", str(film.path), "--at", str(frame), "--out", self._scratch_folder("keyframes"), "--json"]
        self._commands.run(arguments, lambda outcome: self._took(film.path, outcome))

    def close_film(self) -> None:
        """Choose no more frames."""
        self.film = None
        self.changed.emit()

    def _grab(self, path: Path, which: list[str]) -> None:
        arguments = ["stills", str(path), *which, "--side", str(_OVERVIEW_SIDE)]
        arguments += ["--out", self._scratch_folder("small"), "--json"]
        self._commands.run(arguments, lambda outcome: self._grabbed(path, outcome))

    def _grabbed(self, path: Path, outcome: Outcome) -> None:
        if self.film is None or self.film.path != path:
            return
        found = _read_stills(outcome)
        if found is None:
            self.film = replace(self.film, busy=False) if self.film.stills else None
            self.failed.emit(outcome.problem)
        else:
            frames, rate, stills = found
            known = {still.frame: still for still in (*self.film.stills, *stills)}
            self.film = Film(path, frames, rate, tuple(known[frame] for frame in sorted(known)), busy=False)
        self.changed.emit()

    def _took(self, path: Path, outcome: Outcome) -> None:
        if self.film is not None and self.film.path == path:
            self.film = replace(self.film, busy=False)
        found = _read_stills(outcome)
        if found is None:
            self.failed.emit(outcome.problem)
        else:
            _, _, stills = found
            for still in stills:
                label = tr("{film}, frame {frame}").format(film=path.name, frame=still.frame)
                self._insert(Dropped(still.picture, label), path.name, still.frame)
        self.changed.emit()

    def _insert(self, dropped: Dropped, film: str, frame: int) -> None:
        """Behind the film's earlier frames, before its later ones; one that is there already is not taken twice."""
        if any(keyframe.path == dropped.path for keyframe in self.keyframes):
            return
        place = len(self.keyframes)
        for index, keyframe in enumerate(self.keyframes):
            if keyframe.label.startswith(f"{film}, ") and _number(keyframe.path) > frame:
                place = index
                break
        self.keyframes.insert(place, dropped)

    def _scratch_folder(self, name: str) -> str:
        return str(Path(self._scratch.name) / name)

    # ------------------------------------------------------------ making

    @property
    def can_generate(self) -> bool:
        """Whether there is all that a job needs."""
        return self.stage is Stage.CHOOSING and len(self.keyframes) >= 2 and self.recipe.is_ready

    @property
    def fraction(self) -> float:
        """How far the job is, 0 to 1."""
        return self.handle.info.fraction if self.handle is not None and self.handle.info is not None else 0.0

    def generate(self) -> None:
        """Ask for the in-betweens; they are written to a new folder as they arrive."""
        recipe = self.recipe
        if not self.can_generate or recipe.engine is None:
            return
        sources = [KeyframeSource(keyframe.path, name=keyframe.label) for keyframe in self.keyframes]
        first, last = self.keyframes[0].label, self.keyframes[-1].label
        try:
            handle = self._session.submit(
                sources, timing=recipe.timing, engine=recipe.engine.name, profile=recipe.profile,
                settings=recipe.settings, title=tr("{first} to {last}").format(first=first, last=last),
            )  # fmt: skip
        except TweenbridgeError as error:
            self.failed.emit(problem(error.info))
            return
        self.handle = handle
        self.folder = folder_for(self._preferences.results_folder, first, last)
        self.files, self.movie, self.notes = [], None, ()
        self._saver = Saver(self.folder, handle.plan, self.with_keyframes, self)
        self._saver.saved.connect(self._saved)
        self._saver.failed.connect(self._cannot_save)
        self._saver.finished.connect(self._finished)
        self.stage = Stage.MAKING
        self.changed.emit()

    def cancel(self) -> None:
        """Stop the job; what is written stays."""
        if self.stage is Stage.MAKING and self.handle is not None:
            self.handle.cancel()

    def _hear(self, event: Event) -> None:
        handle, saver = self.handle, self._saver
        if handle is None or saver is None or self.stage is not Stage.MAKING:
            return
        if isinstance(event, FrameArrived) and event.job == handle.id:
            saver.save(event.frame)
        elif isinstance(event, JobProgress) and event.job == handle.id:
            self.progressed.emit()
        elif isinstance(event, JobEnded) and event.job == handle.id:
            self.notes = event.notes
            if event.state is JobState.DONE:
                for index, keyframe in enumerate(self.keyframes):
                    saver.copy_keyframe(index, keyframe.path)
                saver.finish()
            else:
                self._give_up(event.error)

    def _saved(self, path: Path) -> None:
        self.files = sorted([*self.files, path])
        self.progressed.emit()

    def _cannot_save(self, reason: str) -> None:
        if self.stage is Stage.MAKING and self.handle is not None:
            self.handle.cancel()
            self.stage = Stage.CHOOSING
            self.failed.emit(
                tr(
                    "The in-betweens could not be written to {folder}: {reason}. Choose another folder in Settings."
                ).format(folder=self.folder, reason=reason)
            )
            self.changed.emit()

    def _finished(self) -> None:
        if self.stage is not Stage.MAKING or self.folder is None or self.handle is None:
            return
        self.stage = Stage.DONE
        self._picture(self.files)
        self._preferences.remember_result(self.handle.id, self.folder)
        self.changed.emit()

    def _give_up(self, error: ErrorInfo | None) -> None:
        self.stage = Stage.CHOOSING
        self.changed.emit()
        if error is not None and error.code.value != "cancelled":
            self.failed.emit(problem(error))

    # ------------------------------------------------------------ a film of it

    def make_movie(self, rate: float) -> None:
        """Make an MP4 of keyframes and in-betweens, beside the frames."""
        if self.stage is not Stage.DONE or self.folder is None or self.handle is None:
            return
        out = self.folder / f"{self.folder.name}.mp4"
        arguments = ["film", *map(str, self._sequence()), "--out", str(out), "--fps", f"{rate:g}", "--overwrite"]
        self._commands.run(arguments, lambda outcome: self._made_movie(out, outcome))

    def _sequence(self) -> list[Path]:
        """Keyframes and in-betweens as they are shown one after the other."""
        if self.with_keyframes:
            return self.files
        assert self.handle is not None
        between = iter(self.files)
        sequence: list[Path] = []
        for gap in self.handle.plan.gaps:
            sequence.append(self.keyframes[gap.a].path)
            sequence += [next(between) for _ in gap.exposures]
        last = self.handle.plan.gaps[-1].b
        return sequence if last == 0 else [*sequence, self.keyframes[last].path]

    def _made_movie(self, out: Path, outcome: Outcome) -> None:
        if outcome.ok:
            self.movie = out
            self.changed.emit()
        else:
            self.failed.emit(outcome.problem)

    def close(self) -> None:
        """Remove what was unpacked of films."""
        if self._saver is not None:
            self._saver.close()
        self._scratch.cleanup()


def _read_stills(outcome: Outcome) -> tuple[int, float, tuple[FilmStill, ...]] | None:
    """What `tweenbridge stills --json` says: frames in all, frames a second, and the files."""
    content: Any = outcome.read_json() if outcome.ok else None
    try:
        stills = tuple(FilmStill(int(still["frame"]), Path(still["file"])) for still in content["stills"])
        return int(content["frames"]), float(content["fps"]), stills
    except (TypeError, KeyError, ValueError):
        return None


def _number(path: Path) -> int:
    digits = path.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0
