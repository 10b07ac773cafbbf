"""Sequences of edits that a seed chooses, on the fake's timeline, while frames are made; and what has to hold after.

    .venv/bin/python tests/plugins/resolve/many_edits.py 1000 [FIRST]

runs a thousand, from the seed FIRST on, and says how they ended. Every sequence is done twice: beside a run, and on a
twin without one. All that the run did not make is the same on both afterwards.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[3]
    sys.path[:0] = [str(ROOT / folder) for folder in ("plugins/resolve", "tests", "shared")]

from fakes.instant_client import InstantClient, colour
from fakes.resolve import Quirks, edits, make_resolve, pictures, shots
from fakes.resolve.timelines import TimelineItem, Track
from tweenbridge_resolve import host as hosts
from tweenbridge_resolve import placing, stills
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.finding import best
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.host import Host
from tweenbridge_resolve.placement import is_ours

FAILING = (
    "AddTrack", "AppendToTimeline", "DeleteClips", "DeleteTrack", "GetItemListInTrack", "GetTrackCount", "GetMarkers",
    "ImportMedia", "SetClipProperty", "OpenPage", "SetCurrentTimecode", "GetCurrentFolder", "SetTrackName",
    "SetTrackEnable", "ExportCurrentFrameAsStill", "GetUniqueId", "SaveAsNewRenderPreset", "LoadRenderPreset",
    "DuplicateTimeline", "DeleteTimelines", "SetNodeEnabled", "GetTimelineByIndex", "SetCurrentTimeline",
)  # fmt: skip


def quick() -> None:
    """Patience for a Resolve that shows everything at once."""
    hosts._PATIENCE, placing._LISTED, stills._PAUSE = 0.05, 0.02, 0.0


def world(chance: random.Random) -> tuple[Any, Quirks]:
    """A project, and how its Resolve behaves. Twice with the same seed gives the same."""
    quirks = Quirks(
        has_stills=chance.random() < 0.8,
        exclusive_end=chance.random() < 0.7,
        inserts_tracks=chance.random() < 0.7,
        none_in_lists=chance.random() < 0.2,
        overlaps=chance.choice(["dropped", "ghost"]),
        misplaces=chance.choice([0] * 9 + [1]),
        renders_on_deliver_only=chance.random() < 0.5,
        timeline_nodes=chance.choice([(((), ""),)] * 3 + [((("Lift Gamma Gain",), ""), ((), "Film look.cube"))]),
    )
    if chance.random() < 0.4:
        quirks.fails = {chance.choice(FAILING): (chance.randint(1, 8),)}
        quirks.fails_with = chance.choice([None, False])
    resolve = make_resolve(quirks)
    timeline = resolve._manager._project._current
    timeline._switches[2] = chance.random() < 0.5
    kind = chance.choice(["markers", "gap", "cut"])
    if kind == "markers":
        for frame in (4, 12):
            timeline._markers[float(frame)] = {"color": "Blue", "name": f"K{frame}", "note": "", "customData": ""}
    else:
        shots.two_clips(resolve, second=(16, 14) if kind == "gap" else (10, 20))
        timeline._playhead = timeline._start + (12 if kind == "gap" else 10)
    if chance.random() < 0.4:
        shots.title(resolve, 0, 30)
    if chance.random() < 0.3:
        timeline._tracks.append(Track("In-betweens"))
        timeline._tracks[-1].is_the_users = True
    if chance.random() < 0.6:
        timeline._set_marks(0, 25, chance.choice(["all", "video"]))
    pool = resolve._manager._project._pool
    pool._current = pool._root if chance.random() < 0.5 else pool.AddSubFolder(pool._root, "Rushes")
    resolve._studio.page = chance.choice(["edit", "color", "deliver", "cut"])
    return resolve, quirks


# ---------------------------------------------------------------- edits


def edit(resolve: Any, chance: random.Random) -> str:
    """One edit; returns its name."""
    name = chance.choice(list(_EDITS))
    _EDITS[name](resolve, chance)
    return name


def _timeline(resolve: Any) -> Any:
    return resolve._manager._project._timelines[0]


def _users(resolve: Any) -> list[tuple[Any, Any]]:
    """The user's own clips: what a run has placed is there on one of the twins only."""
    return [(track, item) for track, item in edits.everything(_timeline(resolve)) if not _placed(item)]


def _with_clip(act: Any) -> Any:
    def wrapped(resolve: Any, chance: random.Random) -> None:
        there, number = _users(resolve), chance.random()
        if there:
            act(resolve, chance, *there[int(number * len(there))])

    return wrapped


def _trim(resolve: Any, chance: random.Random, track: Any, item: Any) -> None:
    act = chance.choice([edits.trim_head, edits.trim_tail])
    act(item, chance.randint(0, max(0, item._length - 1)))


def _rename(resolve: Any, chance: random.Random) -> None:
    what = chance.choice(["timeline", "track", "clip"])
    if what == "timeline":
        _timeline(resolve)._name = "Shot 12 new"
    elif what == "track":
        _timeline(resolve)._tracks[0].name = "Hero"
    elif _users(resolve) and _users(resolve)[0][1]._media:
        _users(resolve)[0][1]._media._name = "renamed.mov"


def _rate(resolve: Any, chance: random.Random) -> None:
    timeline = _timeline(resolve)
    timeline._rate = chance.choice(["25", "30"])
    moved = timeline._frames("01:00:00:00") - timeline._start
    timeline._start, timeline._playhead = timeline._start + moved, timeline._playhead + moved
    for _, item in edits.everything(timeline):
        item._start += moved


def _move_marker(resolve: Any, chance: random.Random) -> None:
    timeline = _timeline(resolve)
    if timeline._markers:
        frame = sorted(timeline._markers)[0]
        timeline._markers[frame + 1] = timeline._markers.pop(frame)


def _another_timeline(resolve: Any, chance: random.Random) -> None:
    resolve._manager._project._pool.CreateEmptyTimeline("Other")


def _start_timecode(resolve: Any, chance: random.Random) -> None:
    timeline = _timeline(resolve)
    before = timeline._start
    timeline.SetStartTimecode(chance.choice(["02:00:00:00", "00:59:50:00"]))
    timeline._playhead += timeline._start - before


def _page(resolve: Any, chance: random.Random) -> None:
    resolve._studio.page = chance.choice(["edit", "color", "deliver", "cut", "fairlight"])


def _track(resolve: Any, chance: random.Random) -> None:
    track = _timeline(resolve)._tracks[0]
    setattr(track, chance.choice(["locked", "enabled"]), chance.random() < 0.5)


def _insert_track(resolve: Any, chance: random.Random) -> None:
    _timeline(resolve)._tracks.insert(0, Track("Below"))


def _put_over(resolve: Any, chance: random.Random) -> None:
    timeline = _timeline(resolve)
    media = resolve._manager._project._pool._root._clips[0]
    timeline._tracks.append(Track("Inserts"))
    timeline._tracks[-1].items.append(TimelineItem(media, timeline._start + chance.randint(0, 30), 6, 20, 2))


_EDITS = {
    "ripple at the head": lambda r, c: edits.ripple(_timeline(r), 0, c.randint(1, 12), c.random() < 0.5),
    "ripple later on": lambda r, c: edits.ripple(_timeline(r), c.randint(0, 20), c.randint(1, 9), c.random() < 0.5),
    "delete": _with_clip(lambda r, c, track, item: track.items.remove(item)),
    "trim": _with_clip(_trim),
    "slip": _with_clip(lambda r, c, track, item: edits.slip(item, c.randint(1, 5))),
    "blade": _with_clip(lambda r, c, track, item: edits.split(_timeline(r), track, item, c.randint(1, 30))),
    "lock or switch off": _track,
    "rename": _rename,
    "rate": _rate,
    "page": _page,
    "playhead": lambda r, c: setattr(_timeline(r), "_playhead", _timeline(r)._start + c.randint(0, 30)),
    "move a marker": _move_marker,
    "add a marker": lambda r, c: _timeline(r).AddMarker(c.randint(20, 30), "Red", "note", "", 1),
    "In and Out": lambda r, c: _timeline(r)._set_marks(c.randint(0, 5), c.randint(6, 20)),
    "another timeline": _another_timeline,
    "start timecode": _start_timecode,
    "a track below": _insert_track,
    "a clip over it": _put_over,
    "render settings": lambda r, c: r._manager._project._render.update(settings={"CustomName": f"v{c.randint(1, 9)}"}),
}  # fmt: skip


# ---------------------------------------------------------------- what has to hold


def snapshot(resolve: Any) -> dict[str, Any]:
    """Everything but what runs make."""
    project = resolve._manager._project
    timeline = _timeline(resolve)
    tracks = [
        (track.name, track.locked, track.enabled, sorted(_as_seen(item) for item in track.items if not _placed(item)))
        for track in timeline._tracks
        if track.is_the_users or not is_ours(track.name)
    ]
    return {
        "page": resolve._studio.page,
        "timelines": [each._name for each in project._timelines],
        "shown": project._current._name,
        "playhead": timeline._playhead,
        "start": timeline._start,
        "In and Out": {kind: dict(marks) for kind, marks in timeline._marks.items()},
        "grade": dict(timeline._switches),
        "markers": {frame: marker["color"] for frame, marker in timeline._markers.items()},
        "render": dict(project._render),
        "presets": sorted(project._presets),
        "jobs": sorted(project._jobs),
        "bin": project._pool._current._name,
        "bins": [folder._name for folder in project._pool._root._folders if folder._name != "Tweenbridge"],
        "clips": [clip._name for clip in project._pool._root._clips],
        "tracks": tracks,
    }


def _placed(item: Any) -> bool:
    return bool(item._media and item._media._files)


def _as_seen(item: Any) -> tuple[Any, ...]:
    return item._start, item._length, item._source, item._title or item._media._name


def placed(resolve: Any) -> list[tuple[Any, Any]]:
    """(track, item) of what runs placed."""
    return [(track, item) for track, item in edits.everything(_timeline(resolve)) if _placed(item)]


def below(resolve: Any, frame: int) -> Any:
    """The picture at a frame without in-betweens, titles, and tracks that were put over it."""
    timeline = _timeline(resolve)
    for track in reversed(timeline._tracks):
        for item in track.items:
            over = item._start <= frame < item._start + item._length
            if over and not _placed(item) and not item._title and track.name != "Inserts":
                return item._media._picture(item._source + frame - item._start)
    return pictures.black()


def sequence(seed: int, folder: Path) -> str:
    """One run with its edits; returns how it ended.

    Raises:
        AssertionError: something that has to hold does not.
    """
    resolve, _ = world(random.Random(seed))
    twin, _ = world(random.Random(seed))
    twin._studio.quirks.fails = {}
    chance = random.Random(-seed - 1)
    client: Any = InstantClient()
    made: Run | None = None
    said = ""
    try:
        host = Host(resolve)
        found = best(host)
        keys = [below(resolve, keyframe.frame) for keyframe in found.keyframes]
        made = Run(host, client, found.keyframes, Choice(folder=str(folder)), colour=found.colour, only=found.only)
        made.begin()
    except PluginError as error:
        said = f"{error} {error.remedy}"
    done: list[str] = []
    asked = False
    if made is not None and not said:
        for _ in range(chance.randint(0, 5)):
            done.append(_both(resolve, twin, chance))
            for _ in range(chance.randint(0, 2)):
                if made.stage is Stage.GENERATING and len(list(made.folder.glob("*.tif"))) < made.plan.frames:
                    made.step()
        while made.stage is Stage.GENERATING:
            made.step()
        asked = made.stage is Stage.ASKING
        if asked:
            if chance.random() < 0.3:
                done.append(_both(resolve, twin, chance))
            made.answer(chance.random() < 0.5)
        said = " ".join([*(made.error or ()), *(made.result.notes if made.result else ())])
    where = f"seed {seed}: {done}, {resolve._studio.quirks.fails}, {made and made.stage}, {said}"
    lies = placed(resolve)
    if made is not None and made.stage is Stage.DONE:
        _check_placed(made, lies, where)
        if not asked:
            first, last = lies[0][1]._start, max(item._start + item._length for _, item in lies)
            assert (below(resolve, first - 1), below(resolve, last)) == (keys[0], keys[1]), where
    else:
        assert lies == [], where
        assert said or (made is not None and made.stage is Stage.KEPT), where
    now, wanted = snapshot(resolve), snapshot(twin)
    for name, value in wanted.items():
        assert now[name] == value, f"{name} was {value}, is {now[name]}; {where}"
    if made is None or not asked:
        return "not begun" if made is None or made.folder == Path() else made.stage.value
    return f"asked, {made.stage.value}"


def _both(resolve: Any, twin: Any, chance: random.Random) -> str:
    """The same edit on both."""
    state = chance.getstate()
    edit(twin, chance)
    chance.setstate(state)
    return edit(resolve, chance)


def _check_placed(made: Run, lies: list[tuple[Any, Any]], where: str) -> None:
    """One clip of the right length, alone on its track there, that shows the frames in order."""
    assert made.result is not None
    [(track, item)] = lies
    assert item._length == made.plan.frames, where
    assert track.name == made.result.name, where
    others = [other for other in track.items if other is not item]
    assert not any(o._start < item._start + item._length and item._start < o._start + o._length for o in others), where
    for number in range(item._length):
        assert tuple(item._media._picture(item._source + number)[:3]) == colour(number), where


def main() -> None:
    quick()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    ended: Counter[str] = Counter()
    failed = 0
    for seed in range(first, first + count):
        folder = Path(tempfile.mkdtemp(prefix="tweenbridge-edits-"))
        try:
            ended[sequence(seed, folder)] += 1
        except AssertionError as error:
            failed += 1
            print(f"FAILED {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(", ".join(f"{ending}: {number}" for ending, number in sorted(ended.items())))
    print(f"{count} sequences, {failed} failed.")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
