"""The Drop page against the real server: stills and films in, a numbered sequence out, dragged to wherever."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.pictures import keyframe
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from tweenbridge import Encoding, PixelFormat, SampleType
from tweenbridge_tray.app import Tray
from tweenbridge_tray.session import Link
from tweenbridge_tray.state.drop import Stage
from tweenbridge_tray.views import keyframe_list
from tweenbridge_tray.views.drop_page import DropPage
from tweenbridge_tray.views.keyframe_list import SIDE, PictureList

Until = Callable[[Callable[[], object]], None]


def drop_on(page: DropPage, paths: list[Path]) -> None:
    """What the desktop does when files are dropped on the page."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )  # fmt: skip
    page.dropEvent(event)


def pressed(page: DropPage, text: str, qtbot: QtBot) -> None:
    def found() -> list[QPushButton]:
        return [b for b in page.findChildren(QPushButton) if b.text() == text and b.isVisible() and b.isEnabled()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


def made(tray: Tray, until: Until) -> list[str]:
    until(lambda: tray.drop.stage is Stage.DONE)
    assert tray.drop.folder is not None
    return sorted(file.name for file in tray.drop.folder.iterdir())


def test_from_dropped_stills_to_dragged_frames(
    online: Tray, stills: list[Path], until: Until, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = online.drop_page
    online.window.show()
    online.window.show_page("drop")
    drop_on(page, stills)
    online.recipe.set_timing(count=2)
    pressed(page, "Generate", qtbot)
    assert made(online, until) == [f"inbetween_{number:04d}.png" for number in range(1, 5)]
    assert online.drop.folder is not None and online.drop.folder.name == "walk_000-to-walk_002"
    assert all(still.exists() for still in stills)
    dragged: list[list[Path]] = []
    monkeypatch.setattr(keyframe_list, "drag_files", lambda source, files: dragged.append(list(files)))
    pressed(page, "Choose all", qtbot)
    frames = next(each for each in page.findChildren(PictureList) if each.isVisible())
    frames.startDrag(Qt.DropAction.CopyAction)
    assert dragged == [online.drop.files] and len(online.drop.files) == 4
    pressed(page, "Copy all files", qtbot)
    assert [Path(url.toLocalFile()) for url in QGuiApplication.clipboard().mimeData().urls()] == online.drop.files
    until(lambda: any(info.origin == "tray" for info in online.jobs.jobs.values()))
    pressed(page, "Start over", qtbot)
    assert online.drop.stage is Stage.CHOOSING and not online.drop.keyframes


def test_nothing_keeps_the_window_waiting(online: Tray, tmp_path: Path, until: Until, qtbot: QtBot) -> None:
    """Large stills are dropped, sent, made, fetched, written and shown while a clock ticks in the event loop."""
    large = [tmp_path / f"large_{number}.png" for number in range(3)]
    for number, file in enumerate(large):
        file.write_bytes(keyframe(number, 1280, 960))
    gaps: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    clock = QTimer()
    clock.timeout.connect(tick)
    online.window.show()
    online.window.show_page("drop")
    last[0] = time.perf_counter()
    clock.start(5)
    online.drop.add(large)
    online.recipe.set_timing(count=6)
    online.drop.generate()
    assert len(made(online, until)) == 12
    online.window.show_page("jobs")
    until(lambda: online.look.reel and all(online.look.small(shown) is not None for shown in online.look.reel))
    clock.stop()
    print(f"the window waited {max(gaps) * 1000:.0f} ms at the longest, {sorted(gaps)[-5] * 1000:.0f} ms five times")
    assert max(gaps) < 1.0
    assert sorted(gaps)[-5] < 0.2


def test_keyframes_in_the_sequence_and_a_film_of_it(
    online: Tray, stills: list[Path], until: Until, qtbot: QtBot
) -> None:
    online.window.show()
    online.window.show_page("drop")
    online.drop.add(stills[:2])
    online.drop.with_keyframes = True
    online.recipe.set_timing(count=1, loop=True)
    online.drop.generate()
    assert made(online, until) == [f"frame_{number:04d}.png" for number in range(1, 5)]
    assert online.drop.files[0].read_bytes() == stills[0].read_bytes()
    pressed(online.drop_page, "Make a film", qtbot)
    until(lambda: online.drop.movie is not None)
    assert online.drop.movie is not None and online.drop.movie.read_bytes()[4:8] == b"ftyp"


def test_frames_of_a_film_become_keyframes(online: Tray, stills: list[Path], tmp_path: Path, until: Until) -> None:
    from tweenbridge_server.imaging.video import encode

    film = tmp_path / "clip.mp4"
    encode(stills * 4, film, 24)
    drop = online.drop
    drop_on(online.drop_page, [film])
    until(lambda: drop.film is not None and not drop.film.busy)
    assert drop.film is not None
    assert (drop.film.frames, drop.film.rate) == (12, 24.0)
    assert [still.frame for still in drop.film.stills] == list(range(12))
    for frame in (7, 2):
        drop.take_frame(frame)
        until(lambda: drop.film is not None and not drop.film.busy)
    assert [keyframe.label for keyframe in drop.keyframes] == ["clip.mp4, frame 2", "clip.mp4, frame 7"]
    online.recipe.set_timing(count=1)
    drop.generate()
    assert len(made(online, until)) == 1


def test_what_is_no_picture_is_named(online: Tray, tmp_path: Path, until: Until) -> None:
    said: list[str] = []
    online.drop.failed.connect(said.append)
    text, film = tmp_path / "notes.txt", tmp_path / "film.mp4"
    text.write_text("hello")
    film.write_bytes(b"no film")
    drop_on(online.drop_page, [text])
    assert said == ["notes.txt is neither a still nor a film."]
    drop_on(online.drop_page, [film])
    until(lambda: len(said) == 2)
    assert "film.mp4" in said[1] and online.drop.film is None


def test_a_damaged_still_leaves_the_keyframes_there(online: Tray, stills: list[Path], until: Until) -> None:
    said: list[str] = []
    online.drop.failed.connect(said.append)
    stills[1].write_bytes(stills[1].read_bytes()[:200])
    online.drop.add(stills)
    online.drop.generate()
    until(lambda: said)
    assert "walk_001.png" in said[0]
    assert online.drop.stage is Stage.CHOOSING and len(online.drop.keyframes) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="folders are made read-only otherwise there")
def test_a_folder_that_cannot_be_written_is_named(online: Tray, stills: list[Path], until: Until, home: Path) -> None:
    said: list[str] = []
    online.drop.failed.connect(said.append)
    blocked = home.parent / "a file"
    blocked.write_text("in the way")
    online.preferences.results_folder = blocked
    online.drop.add(stills[:2])
    online.drop.generate()
    until(lambda: said)
    assert "a file" in said[0] and "Settings" in said[0]


def test_cancelling_and_choosing_another_order(online: Tray, stills: list[Path], until: Until, qtbot: QtBot) -> None:
    online.window.show()
    online.window.show_page("drop")
    drop = online.drop
    drop.add(stills)
    pictures = online.drop_page._keyframes
    pictures.setFocus()
    pictures.setCurrentRow(2)
    pressed(online.drop_page, "Earlier", qtbot)
    assert [each.path for each in drop.keyframes] == [stills[0], stills[2], stills[1]]
    pictures.setFocus()
    online.window.activateWindow()
    qtbot.waitUntil(online.window.isActiveWindow)
    qtbot.keyClick(pictures, Qt.Key.Key_Delete)
    assert [each.path for each in drop.keyframes] == [stills[0], stills[1]]
    online.jobs.pause(True)
    until(lambda: online.jobs.paused)
    drop.generate()
    pressed(online.drop_page, "Cancel", qtbot)
    until(lambda: drop.stage is Stage.CHOOSING)
    assert len(drop.keyframes) == 2


def test_generating_starts_an_absent_server(tray: Tray, stills: list[Path], qtbot: QtBot) -> None:
    assert tray.session.link is Link.OFF
    tray.drop.add(stills)
    assert not tray.drop.can_generate, "the engines are not known yet"
    assert not tray.drop_page._generate.isEnabled()


def test_stills_that_qt_cannot_read_are_shown_all_the_same(
    online: Tray, stills: list[Path], tmp_path: Path, until: Until
) -> None:
    from tweenbridge_server.imaging import io

    exrs = []
    for still in stills[:2]:
        read = io.read(still, PixelFormat(Encoding.PNG), "a")
        exrs.append(tmp_path / f"{still.stem}.exr")
        io.write(exrs[-1], read.pixels, read, PixelFormat(Encoding.EXR, dtype=SampleType.FLOAT16))
    drop = online.drop
    drop.add(exrs)
    assert [drop.picture_of(path) for path in exrs] == [None, None]
    until(lambda: set(drop.pictures) == set(exrs))
    online.recipe.set_timing(count=1)
    drop.generate()
    assert made(online, until) == ["inbetween_0001.exr"]
    until(lambda: drop.picture_of(drop.files[0]) is not None)
    shown = online.drop_page._frames
    until(lambda: not shown._loading)
    picture = shown.item(0).icon().pixmap(SIDE).toImage()
    assert picture.pixelColor(picture.rect().center()).blue() > 0
