"""A grade on the timeline itself: keyframes are captured without it where Resolve can, and it stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve, shots
from resolve_shots import as_pixels, drawn, finish, found, layout, mark, read, run, shown, succeed, timeline_of, view
from tweenbridge import Client
from tweenbridge_resolve import capture
from tweenbridge_resolve.cautions import cautions
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.finding import best
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.grade import COPY, STAYED, without_grade
from tweenbridge_resolve.host import Host

GRADE = ((("Lift Gamma Gain",), ""), ((), ""), ((), "Film look.cube"))
WITHOUT = "Keyframes are captured without it, from a copy of the timeline that is deleted again."


def graded(**options: Any) -> Any:
    """A timeline with three nodes of its own: one with tools, an empty one, and one with a LUT, which is off."""
    resolve = make_resolve(Quirks(timeline_nodes=GRADE, **options))
    timeline_of(resolve)._switches[3] = False
    mark(resolve, 4, 12)
    return resolve


def names(resolve: Any) -> list[str]:
    return [timeline._name for timeline in resolve._manager._project._timelines]


def said_before(resolve: Any) -> str:
    host = Host(resolve)
    return "\n".join(cautions(host, best(host).keyframes, alone=False))


def held(resolve: Any) -> None:
    """All that the clip shows from one keyframe to the other is one picture, and so are in-betweens of it."""
    media = timeline_of(resolve)._tracks[0].items[0]._media
    media._kept.update({frame: media._picture(4) for frame in range(4, 13)})


def as_put_out(resolve: Any, frame: int) -> Any:
    """A frame under the timeline's grade."""
    timeline = timeline_of(resolve)
    return as_pixels(timeline._graded(timeline._start + frame))


@pytest.mark.parametrize("has_stills", [True, False])
def test_in_betweens_get_the_grade_once_and_it_stays_as_it_was(has_stills: bool, client: Client, films: Path) -> None:
    resolve = graded(has_stills=has_stills)
    held(resolve)
    before, switches = view(resolve), dict(timeline_of(resolve)._switches)
    made = succeed(resolve, client, films)
    assert (shown(resolve, 8) == drawn(4)).all()
    assert (as_put_out(resolve, 8) == as_put_out(resolve, 4)).all()
    assert STAYED not in made.result.notes
    assert timeline_of(resolve)._switches == switches
    assert (view(resolve), names(resolve)) == (before, ["Shot 12"])


def test_what_is_going_to_happen_is_said_before() -> None:
    assert said_before(graded()) == f"The timeline has a grade of its own. {WITHOUT}"


@pytest.mark.parametrize("nodes", [(((), ""),), ()])
def test_without_a_grade_nothing_is_copied(nodes: Any, client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(timeline_nodes=nodes, duplicates="raises"))
    mark(resolve, 4, 12)
    assert said_before(resolve) == ""
    assert succeed(resolve, client, films).result.notes == ()


@pytest.mark.parametrize("options", [{"nodes_switch": "missing"}, {"duplicates": "missing"}])
def test_a_version_that_cannot_says_so_before_and_after(options: Any, client: Client, films: Path) -> None:
    resolve = graded(**options)
    assert "Bypass it on the Color page" in said_before(resolve)
    assert STAYED in succeed(resolve, client, films).result.notes
    assert names(resolve) == ["Shot 12"]


@pytest.mark.parametrize(
    "options",
    [{"nodes_switch": how} for how in ("ignored", "refused", "raises")]
    + [{"duplicates": how} for how in ("nothing", "raises")],
    ids=str,
)
def test_a_grade_that_stays_is_said_with_the_result(options: Any, client: Client, films: Path) -> None:
    resolve = graded(**options)
    before, switches = view(resolve), dict(timeline_of(resolve)._switches)
    made = succeed(resolve, client, films)
    assert STAYED in made.result.notes
    assert timeline_of(resolve)._switches == switches
    assert (view(resolve), names(resolve)) == (before, ["Shot 12"])


def test_a_copy_that_is_made_without_a_word_is_found_and_deleted(client: Client, films: Path) -> None:
    resolve = graded(duplicates="unsaid")
    held(resolve)
    assert STAYED not in succeed(resolve, client, films).result.notes
    assert (shown(resolve, 8) == drawn(4)).all()
    assert names(resolve) == ["Shot 12"]


def test_a_copy_that_stays_is_said(client: Client, films: Path) -> None:
    resolve = graded(keeps_timelines=True)
    before = view(resolve)
    made = succeed(resolve, client, films)
    assert f"A copy of your timeline, “{COPY}”, is still in the Media Pool: delete it." in made.result.notes
    assert view(resolve) == before


def test_after_a_failure_the_copy_is_gone_and_the_timeline_is_shown(client: Client, films: Path) -> None:
    resolve = graded(has_stills=False, render_fails=True)
    before, tracks = view(resolve), layout(resolve)
    with pytest.raises(PluginError, match="could not render the frame"):
        run(resolve, client, films)
    assert (view(resolve), layout(resolve), names(resolve)) == (before, tracks, ["Shot 12"])


def test_a_script_that_is_killed_leaves_the_timeline_alone_and_its_copy_is_named(client: Client, films: Path) -> None:
    resolve = graded()
    user = timeline_of(resolve)
    switches = dict(user._switches)
    host = Host(resolve)
    killed = without_grade(host)
    killed.__enter__()
    assert user._switches == switches
    assert f"“{COPY}” is a copy that an interrupted run left behind: open your own timeline." in said_before(resolve)
    resolve._manager._project._current = user
    assert f"“{COPY}” in the Media Pool is a copy that an interrupted run left behind." in said_before(resolve)
    # It may have been worked in by now: another one is made, and only that is deleted.
    succeed(resolve, client, films)
    assert names(resolve) == ["Shot 12", COPY]


def test_titles_stay_out_of_it_as_well(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(timeline_nodes=GRADE))
    shots.two_clips(resolve)
    shots.title(resolve, 0, 30)
    timeline_of(resolve).SetCurrentTimecode("01:00:00:12")
    host = Host(resolve)
    chosen = best(host)
    with host.view_kept():
        captured = capture.capture(host, chosen.keyframes, films, chosen.only)
    assert captured.notes == ()
    assert [(read(path) == drawn(frame)).all() for path, frame in zip(captured.files, (9, 16))] == [True, True]
    assert all(track.enabled for track in timeline_of(resolve)._tracks)


def test_a_grade_that_is_set_meanwhile_is_no_change_of_the_clips(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(timeline_nodes=(((), ""),)))
    mark(resolve, 4, 12)
    host, marked = found(resolve)
    made = Run(host, client, marked, Choice(profile="draft", folder=str(films)), colour="Blue")
    made.begin()
    resolve._studio.quirks.timeline_nodes = GRADE
    assert finish(made).stage is Stage.DONE, made.question or made.error


def test_a_copy_that_is_refused_once_is_asked_for_again(client: Client, films: Path) -> None:
    resolve = graded(fails={"DuplicateTimeline": (1,)})
    held(resolve)
    assert STAYED not in succeed(resolve, client, films).result.notes
    assert (shown(resolve, 8) == drawn(4)).all()


def test_a_grade_that_stays_the_second_time_is_no_change_of_the_picture(client: Client, films: Path) -> None:
    resolve = graded(fails={"DuplicateTimeline": range(2, 99)})
    host, marked = found(resolve)
    made = Run(host, client, marked, Choice(profile="draft", folder=str(films)), colour="Blue")
    made.begin()
    while made.stage is Stage.GENERATING:
        made.step(0.05)
    assert made.question == (
        "The keyframes could not be checked again: the timeline’s own grade could not be left out this time."
    )
    made.answer(place=True)
    assert made.stage is Stage.DONE
