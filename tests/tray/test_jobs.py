"""The Jobs page against the real server: jobs of others, pictures, pause, another try; a server that goes and comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.pictures import keyframe
from fakes.processor import Stopwatch
from fakes.real_server import RealServer
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from tweenbridge import Client, JobHandle, JobInfo, JobsListed, JobState, KeyframeSource, Priority
from tweenbridge_tray.app import Tray
from tweenbridge_tray.session import Link
from tweenbridge_tray.state.jobs import Group
from tweenbridge_tray.views.jobs_model import JOB
from tweenbridge_tray.views.player import Player

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def editor(online: Tray, home: Path) -> Iterator[Client]:
    """Another client, as an editor's plugin is."""
    with Client(home, name="blender", start_server=False) as client:
        yield client


def submit(client: Client, title: str, steps: tuple[int, ...] = (0, 2), width: int = 64, count: int = 3) -> JobHandle:
    pictures = [KeyframeSource(keyframe(step, width, width * 3 // 4)) for step in steps]
    handle = client.submit(pictures, count=count, profile="draft", title=title)
    end = time.monotonic() + 20
    while handle.info is None or handle.info.state is JobState.RECEIVING:
        client.poll(0.02)
        assert time.monotonic() < end
    return handle


def pressed(tray: Tray, text: str, qtbot: QtBot) -> None:
    def found() -> list[QPushButton]:
        return [b for b in tray.jobs_page.findChildren(QPushButton) if b.text() == text and b.isVisible()]

    qtbot.waitUntil(lambda: len(found()) == 1)
    qtbot.mouseClick(found()[0], Qt.MouseButton.LeftButton)


def listed(tray: Tray) -> list[str]:
    view = tray.jobs_page._list
    return [view.model().index(row, 0).data(JOB).title for row in range(view.model().rowCount())]


def test_a_job_of_an_editor_is_shown_and_its_frames_are_saved(
    online: Tray, editor: Client, until: Until, qtbot: QtBot
) -> None:
    online.window.show()
    online.window.show_page("jobs")
    handle = submit(editor, "Shot 12")
    until(lambda: online.jobs.jobs[handle.id].state is JobState.DONE if handle.id in online.jobs.jobs else False)
    until(lambda: online.look.info is not None and len(online.look.reel) == 5 and len(online.look.ready) == 3)
    assert online.jobs.jobs[handle.id].origin == "blender"
    until(lambda: all(online.look.small(shown) is not None for shown in online.look.reel))
    until(lambda: online.look.large(online.look.reel[1]) is not None)
    pressed(online, "Copy report", qtbot)
    assert "engine flow" in QGuiApplication.clipboard().text()
    pressed(online, "Save frames", qtbot)
    until(lambda: online.preferences.folder_of(handle.id) is not None)
    folder = online.preferences.folder_of(handle.id)
    assert folder is not None and [file.name for file in sorted(folder.iterdir())] == [
        f"inbetween_{number:04d}.png" for number in (1, 2, 3)
    ]
    pressed(online, "Remove from list", qtbot)
    until(lambda: handle.id not in online.jobs.jobs and online.look.info is None)


def test_the_player_loops_and_wipes_against_the_cross_fade(
    online: Tray, editor: Client, until: Until, qtbot: QtBot
) -> None:
    online.window.show()
    online.window.show_page("jobs")
    submit(editor, "Loop", steps=(0, 4))
    look = online.look
    until(lambda: len(look.ready) == 3)
    player = online.jobs_page.findChild(Player)
    assert player is not None
    player.setFocus()
    look.set_rate(60)
    qtbot.keyClick(player, Qt.Key.Key_Space)
    seen: set[int] = set()
    until(lambda: seen.add(look.at) or seen == set(range(5)))
    qtbot.keyClick(player, Qt.Key.Key_Space)
    assert not look.playing
    look.show_at(2)
    until(lambda: look.large(look.reel[2]) is not None and None not in look.ends(look.reel[2]))
    whole = player.grab().toImage()
    for _ in range(10):
        qtbot.keyClick(player, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert look.wipe == pytest.approx(0.5)
    halved = player.grab().toImage()
    middle = player.height() // 2
    differs = [x for x in range(player.width()) if whole.pixel(x, middle - 60) != halved.pixel(x, middle - 60)]
    assert differs and min(differs) >= player.width() // 2 - 2, "left of the wipe nothing changes"
    qtbot.mouseClick(player, Qt.MouseButton.LeftButton, pos=player.rect().topRight())
    assert look.wipe == 1.0


def test_pausing_moving_first_cancelling_and_trying_again(
    online: Tray, editor: Client, until: Until, qtbot: QtBot
) -> None:
    online.window.show()
    online.window.show_page("jobs")
    pressed(online, "Pause queue", qtbot)
    until(lambda: online.jobs.paused)
    assert "paused" in online.jobs_page.banner.text
    first, second = submit(editor, "First"), submit(editor, "Second", steps=(1, 5))
    until(lambda: listed(online) == ["First", "Second"])
    online.jobs_page.choose(second.id)
    pressed(online, "Do this next", qtbot)
    until(lambda: listed(online) == ["Second", "First"])
    assert online.jobs.jobs[second.id].priority is Priority.INTERACTIVE
    pressed(online, "Cancel", qtbot)
    until(lambda: online.jobs.jobs[second.id].state is JobState.CANCELLED)
    assert online.jobs.counts()[Group.FAILED] == 1
    pressed(online, "Try again", qtbot)
    until(lambda: online.jobs.jobs[second.id].state is JobState.QUEUED)
    pressed(online, "Go on", qtbot)
    until(lambda: all(online.jobs.jobs[job].state is JobState.DONE for job in (first.id, second.id)))
    assert online.jobs_page.banner.text == ""


def test_the_server_goes_and_comes_back(
    online: Tray, editor: Client, server: RealServer, until: Until, qtbot: QtBot
) -> None:
    handle = submit(editor, "Before")
    until(lambda: handle.id in online.jobs.jobs and online.jobs.jobs[handle.id].state is JobState.DONE)
    server.kill()
    until(lambda: online.session.link is Link.OFF)
    online.jobs.cancel(handle.id)
    qtbot.wait(50)
    assert "Start it on the Server page" in online.jobs_page.banner._text.text()
    assert handle.id in online.jobs.jobs, "what was seen stays on the page"
    server.start()
    until(lambda: online.session.link is Link.ON)
    online.look.choose(handle.id)
    until(lambda: len(online.look.reel) == 5)
    assert online.desktop.face.text == "Ready"


def test_a_failed_job_says_why_and_the_icon_shows_it(online: Tray, editor: Client, until: Until, qtbot: QtBot) -> None:
    notices: list[str] = []
    online.desktop.notice.connect(lambda heading, sentence, job: notices.append(sentence))
    pictures = [KeyframeSource(keyframe(0)), KeyframeSource(keyframe(1)[:300])]
    handle = editor.submit(pictures, count=2, profile="draft", title="Broken")
    end = time.monotonic() + 20
    while not handle.ended:
        editor.poll(0.02)
        assert time.monotonic() < end
    until(lambda: handle.id in online.jobs.jobs and online.jobs.jobs[handle.id].state is JobState.FAILED)
    until(lambda: notices)
    assert "damaged" in notices[0]
    assert online.desktop.face.mood.value == "problem"
    online.window.bring_up()
    assert online.desktop.face.mood.value == "idle", "once the window was opened it has been noticed"


def many(count: int) -> tuple[JobInfo, ...]:
    states = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
    return tuple(
        JobInfo(
            f"job-{n}", states[n % 3], 7, 7, "flow", "quality", title=f"Shot {n}", finished=1e9 + n, created=1e9 + n
        )
        for n in range(count)
    )


def test_a_history_of_500_jobs_opens_at_once(tray: Tray, qtbot: QtBot) -> None:
    tray.window.show()
    tray.window.show_page("server")
    jobs = many(500)
    watch = Stopwatch()
    tray.session.happened.emit(JobsListed(jobs))
    tray.jobs._flush()
    tray.window.show_page("jobs")
    tray.window.grab()
    took = watch.own()
    print(f"500 jobs are shown after {took * 1000:.0f} ms")
    assert took < 0.5
    assert listed(tray)[:2] == ["Shot 499", "Shot 498"]
    started = time.perf_counter()
    for number in range(100):
        tray.jobs._take(replace(jobs[number], title=f"Renamed {number}"))
    tray.jobs._flush()
    tray.window.grab()
    print(f"100 changes are shown after {(time.perf_counter() - started) * 1000:.0f} ms")
    tray.jobs_page._group.setCurrentIndex(list(Group).index(Group.FAILED))
    assert len(listed(tray)) == 333


def test_whose_jobs_they_are_is_said_where_there_are_several(tray: Tray, qtbot: QtBot) -> None:
    tray.window.show()
    tray.window.show_page("jobs")

    def said() -> set[str]:
        model = tray.jobs_page._list.model()
        role = Qt.ItemDataRole.AccessibleDescriptionRole
        return {str(model.index(row, 0).data(role)).rpartition(", ")[2] for row in range(model.rowCount())}

    jobs = [replace(info, owner="anna") for info in many(4)]
    tray.session.happened.emit(JobsListed(tuple(jobs)))
    tray.jobs._flush()
    assert "anna" not in said()
    jobs[1:3] = [replace(jobs[1], owner="ben"), replace(jobs[2], owner=None)]
    tray.session.happened.emit(JobsListed(tuple(jobs)))
    tray.jobs._flush()
    assert said() == {"anna", "ben", "the server's user"}
    tray.look.choose(jobs[1].job)
    assert tray.jobs_page._panel._facts._whole.endswith(" · ben")


def test_hundreds_of_jobs_of_a_real_server_are_all_listed(
    home: Path, tray: Tray, until: Until, request: pytest.FixtureRequest
) -> None:
    fill_store(home, 420)
    server = RealServer(home)
    request.addfinalizer(server.close)
    server.start()
    until(lambda: len(tray.jobs.jobs) == 420)
    assert tray.jobs.counts()[Group.DONE] == 420


def fill_store(home: Path, count: int) -> None:
    """Write finished jobs into the server's list, as they would be there after weeks."""
    from fakes.bench import flat
    from fakes.bench import request as made
    from tweenbridge_server.jobs.job import JobRecord
    from tweenbridge_server.jobs.plan import Making
    from tweenbridge_server.jobs.store_file import open_store

    store = open_store(home / "jobs.sqlite3")
    wanted = made([flat(1), flat(2)], engine="flow")
    now = time.time()
    with store.transaction():
        for number in range(count):
            making = Making("1", "draft", {}, "", False)
            store.add_job(
                JobRecord(
                    f"old-{number}", "blender", "0", wanted, making, 3, title=f"A shot with a long name, take {number}",
                    origin="blender", state=JobState.DONE, done=3, created=now, started=now, finished=now,
                )
            )  # fmt: skip
    store.close()
