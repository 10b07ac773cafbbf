"""Thumbnails of keyframes and frames: asked for once, kept while there is room, and forgotten when nobody looks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QImage
from tweenbridge import ErrorCode
from tweenbridge.protocol.oversight import GetThumbnail, Thumbnail

from ..session import Answer, Session

ROOM = 96 * 1024 * 1024
"""Bytes of decoded pictures that are kept."""
_AT_A_TIME = 4
"""Pictures asked for and not yet there: the server makes one after the other."""
_AGAIN = 2000
"""Milliseconds after which a picture that could not be had may be asked for again."""


@dataclass(frozen=True)
class PictureKey:
    """One picture: a keyframe or a frame of a job, at a size in pixels."""

    job: str
    frame: int | None = None
    keyframe: int | None = None
    side: int = 96


class Pictures(QObject):
    """A cache of thumbnails. Looking for one that is not there asks for it; the newest wish comes first."""

    arrived = Signal(object)
    """A `PictureKey` whose picture is there now."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[PictureKey, QImage] = OrderedDict()
        self._bytes = 0
        self._wished: OrderedDict[PictureKey, None] = OrderedDict()
        self._asked: set[PictureKey] = set()
        self._refused: set[PictureKey] = set()
        session.link_changed.connect(self._start_again)

    def find(self, key: PictureKey) -> QImage | None:
        """The picture, or None, in which case it is asked for and `arrived` follows."""
        image = self._kept.get(key)
        if image is not None:
            self._kept.move_to_end(key)
            return image
        if key not in self._asked and key not in self._refused:
            self._wished[key] = None
            self._wished.move_to_end(key)
            self._ask()
        return None

    def forget(self, job: str | None = None) -> None:
        """Let go of the pictures of a job, or of all."""
        for key in [key for key in self._kept if job is None or key.job == job]:
            self._bytes -= self._kept.pop(key).sizeInBytes()
        for key in [key for key in self._wished if job is None or key.job == job]:
            del self._wished[key]
        self._refused = {key for key in self._refused if job is not None and key.job != job}

    @property
    def size(self) -> int:
        """Bytes that the kept pictures take."""
        return self._bytes

    def _ask(self) -> None:
        while self._wished and len(self._asked) < _AT_A_TIME:
            key, _ = self._wished.popitem()
            self._asked.add(key)
            question = GetThumbnail(key.job, key.frame, key.keyframe, key.side)
            self._session.ask(question, partial(self._take, key))

    def _take(self, key: PictureKey, answer: Answer) -> None:
        self._asked.discard(key)
        image = None
        if isinstance(answer.message, Thumbnail) and answer.data is not None:
            decoded = QImage.fromData(bytes(answer.data))
            image = None if decoded.isNull() else decoded.convertToFormat(QImage.Format.Format_RGB888)
        if image is not None:
            self._keep(key, image)
            self.arrived.emit(key)
        else:
            self._refused.add(key)
            passing = answer.error is not None and answer.error.code in (ErrorCode.NOT_READY, ErrorCode.BUSY)
            if passing or answer.error is None:
                QTimer.singleShot(_AGAIN, self, lambda: self._refused.discard(key))
        self._ask()

    def _keep(self, key: PictureKey, image: QImage) -> None:
        self._kept[key] = image
        self._bytes += image.sizeInBytes()
        while self._bytes > ROOM and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.sizeInBytes()

    def _start_again(self) -> None:
        self._refused.clear()
        self._wished.clear()
