"""The job that is looked at: what it is made of, how far its gaps are, and its pictures one after the other."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage
from tweenbridge import ErrorInfo, JobInfo, JobState, TweenbridgeError
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.oversight import GapInfo, GetDetails

from ..session import Answer, Link, Session
from .jobs import JobsState
from .pictures import PictureKey, Pictures
from .reel import Shown, reel

EVERY = 1000
"""Milliseconds between two questions about an unfinished job."""
STRIP_SIDE = 128
LARGE_SIDE = 720
SMALL_SIDE = 360
_MANY = 90
"""Pictures of a reel from which on the player shows them smaller, so that a whole loop stays in memory."""
_SNAP = 0.02
AHEAD = 6
"""Pictures fetched before they are shown."""


class Look(QObject):
    """At most one job. Nothing is asked of the server while no job is looked at."""

    changed = Signal()
    """Another job, or other details of it."""
    moved = Signal()
    """Another picture of the reel is shown, or the same one now has come."""
    picture_arrived = Signal(object)

    def __init__(self, session: Session, jobs: JobsState, pictures: Pictures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.info: JobInfo | None = None
        self.request: wire.JobRequest | None = None
        self.gaps: tuple[GapInfo, ...] = ()
        self.ready: frozenset[int] = frozenset()
        self.reel: tuple[Shown, ...] = ()
        self.error: ErrorInfo | None = None
        self.at = 0
        self.playing = False
        self.wipe = 1.0
        """How much of the picture's width shows the in-between; the rest shows the cross-fade. 0 to 1."""
        self._rate = 12.0
        self._session = session
        self._jobs = jobs
        self._pictures = pictures
        self._clock = QTimer(self)
        self._clock.timeout.connect(lambda: self.step(1))
        self._asking = QTimer(self)
        self._asking.setInterval(EVERY)
        self._asking.timeout.connect(self._ask)
        jobs.changed.connect(self._follow)
        pictures.arrived.connect(self._arrived)
        session.link_changed.connect(self._ask_again)

    # ------------------------------------------------------------ choosing

    def choose(self, job: str | None) -> None:
        """Look at a job, or at none."""
        if job == (self.info.job if self.info else None):
            return
        if self.info is not None:
            self._pictures.forget(self.info.job)
        self.info = self._jobs.jobs.get(job) if job is not None else None
        self.request, self.gaps, self.ready, self.reel, self.error, self.at = None, (), frozenset(), (), None, 0
        self.play(False)
        self._ask()
        self.changed.emit()

    def _follow(self, came: list[str], dirty: list[str], gone: list[str]) -> None:
        if self.info is None:
            return
        job = self.info.job
        if job in gone:
            self.choose(None)
        elif job in dirty or job in came:
            before, self.info = self.info, self._jobs.jobs[job]
            if self.info.state.is_final or self.info.done != before.done:
                self._ask()
            self.changed.emit()

    def _ask_again(self) -> None:
        if self._session.link is Link.ON:
            self._ask()

    def _ask(self) -> None:
        info = self.info
        if info is None:
            self._asking.stop()
            return
        if info.state.is_final:
            self._asking.stop()
        elif not self._asking.isActive():
            self._asking.start()
        self._session.ask(GetDetails(job=info.job), lambda answer: self._take(info.job, answer))

    def _take(self, job: str, answer: Answer) -> None:
        if self.info is None or self.info.job != job:
            return
        self.error = answer.error
        if isinstance(answer.message, wire.Details):
            details = answer.message
            if details.request != self.request:
                self.request = details.request
                self.reel = _reel_of(details.request)
            self.gaps = details.gaps
            self.ready = frozenset(details.ready)
            if self.info.state is JobState.DONE:
                self.ready = frozenset(range(self.info.total))
        self.changed.emit()

    # ------------------------------------------------------------ playing

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self._rate

    def set_rate(self, rate: float) -> None:
        """Play so many pictures a second."""
        self._rate = min(60.0, max(1.0, rate))
        self._clock.setInterval(round(1000 / self._rate))

    def play(self, on: bool) -> None:
        """Loop through the pictures, or hold."""
        self.playing = on and len(self.reel) > 1
        if self.playing:
            self._clock.start(round(1000 / self._rate))
        else:
            self._clock.stop()
        self.moved.emit()

    def step(self, by: int) -> None:
        """Go on by so many pictures, around the ends; those that are not made yet are passed over."""
        count = len(self.reel)
        if not count:
            return
        at = self.at
        for _ in range(count):
            at = (at + (1 if by > 0 else -1)) % count
            if self.is_ready(self.reel[at]):
                break
        self.show_at(at)

    def show_at(self, at: int) -> None:
        """Show one picture of the reel."""
        if 0 <= at < len(self.reel):
            self.at = at
            self.moved.emit()

    def set_wipe(self, wipe: float) -> None:
        """Show so much of the in-between, from the left; the rest is the cross-fade of its keyframes.

        Close to an end it snaps to it: nobody wants to compare a hair's breadth.
        """
        self.wipe = 1.0 if wipe > 1 - _SNAP else 0.0 if wipe < _SNAP else wipe
        self.moved.emit()

    @property
    def shown(self) -> Shown | None:
        """The picture of the reel that is shown."""
        return self.reel[self.at] if self.at < len(self.reel) else None

    def is_ready(self, shown: Shown) -> bool:
        """Whether there is a picture to show."""
        return shown.frame is None or shown.frame in self.ready

    # ------------------------------------------------------------ pictures

    def small(self, shown: Shown) -> QImage | None:
        """A picture of the reel for the strip; None while it is not there."""
        return self._find(shown.keyframe, shown.frame, STRIP_SIDE) if self.is_ready(shown) else None

    def large(self, shown: Shown) -> QImage | None:
        """A picture of the reel for the player; None while it is not there. Fetches the next ones, too."""
        for further in range(AHEAD, 0, -1) if self.playing else ():
            following = self.reel[(self.at + further) % len(self.reel)]
            if self.is_ready(following):
                self._find(following.keyframe, following.frame, self._side)
        return self._find(shown.keyframe, shown.frame, self._side) if self.is_ready(shown) else None

    def ends(self, shown: Shown) -> tuple[QImage | None, QImage | None]:
        """The keyframes around a picture, for the cross-fade."""
        return self._find(shown.a, None, self._side), self._find(shown.b, None, self._side)

    @property
    def _side(self) -> int:
        return LARGE_SIDE if len(self.reel) <= _MANY else SMALL_SIDE

    def _find(self, keyframe: int | None, frame: int | None, side: int) -> QImage | None:
        if self.info is None:
            return None
        if keyframe is not None:
            return self._pictures.find(PictureKey(self.info.job, keyframe=keyframe, side=side))
        return self._pictures.find(PictureKey(self.info.job, frame=frame, side=side))

    def _arrived(self, key: PictureKey) -> None:
        if self.info is None or key.job != self.info.job:
            return
        if key.side == STRIP_SIDE:
            self.picture_arrived.emit(key)
        else:
            self.moved.emit()


def _reel_of(request: wire.JobRequest) -> tuple[Shown, ...]:
    try:
        return reel(request)
    except TweenbridgeError:
        return ()
