"""What only a real Resolve can settle, tried on a scratch timeline: `tweenbridge resolve --selfcheck`.

Each line says what was tried and how it went. "ok" is as the plugin expects it; "note" is worth knowing, and provided
for; "FAIL" means that in-betweens would go wrong here.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Sequence, Tuple

from tweenbridge import TweenbridgeError, data_dir
from tweenbridge.client import Client

from . import media, tiff, timeline
from .api import has
from .choice import Choice
from .errors import PluginError, Trouble
from .flow import Run, Stage
from .host import Host
from .placement import Clip, Keyframe, Target
from .placing import Placer
from .recipe import KeptKeyframe, Recipe
from .render import render_frame
from .scratch import FRAMES, NAME, colour, scratch_timeline
from .selfcheck_live import LiveChecks, Note
from .stills import Stills
from .timecode import AbsoluteFrame
from .timeline import Source

if TYPE_CHECKING:
    from .api import MediaPoolItem, Resolve

_SERVER_SECONDS = 120.0
_CLOSE = 1.5 / 255
"""A colour that comes back within this is the same: stills may be 8 bit."""


def run(resolve: Resolve, say: Callable[[str], None] = print) -> int:
    """Try everything and report, line by line; returns the exit status: 1 where something fails."""
    counts = {"ok": 0, "note": 0, "FAIL": 0}

    def tell(outcome: str, title: str, sentence: str) -> None:
        counts[outcome] += 1
        say(f"{outcome:4}  {title}: {sentence}")

    try:
        before = _view(Host(resolve))
        with scratch_timeline(resolve) as (host, clip, folder):
            say(f"Checking {host.version} on a timeline of its own, at {host.rate} frames per second.")
            for title, check in Checks(host, clip, folder).all():
                try:
                    tell("ok", title, check())
                except Note as note:
                    tell("note", title, str(note))
                except (PluginError, TweenbridgeError) as error:
                    tell("FAIL", title, f"{error} {error.remedy}".strip())
        after = _view(Host(resolve))
        kept = before == after
        tell("ok" if kept else "FAIL", "Your view", "page, timeline, playhead and bin are as before" if kept else
             f"{before} has become {after}.")  # fmt: skip
    except (PluginError, TweenbridgeError) as error:
        tell("FAIL", "Scratch timeline", f"{error} {error.remedy}".strip())
    say(f"{counts['ok']} ok, {counts['note']} to note, {counts['FAIL']} failed.")
    return 1 if counts["FAIL"] else 0


def _view(host: Host) -> Tuple[object, ...]:
    folder = host.pool.GetCurrentFolder()
    bin_name = None if folder is None else folder.GetName()
    return host.resolve.GetCurrentPage(), host.timeline.GetName(), host.playhead(), bin_name


class Checks:
    """The checks, in an order in which each can build on those before."""

    def __init__(self, host: Host, clip: MediaPoolItem, folder: Path) -> None:
        self._host, self._media, self._folder = host, clip, folder
        self._placer = Placer(host)
        # Across a full minute, where drop frame leaves out numbers.
        self._at = 60 * host.rate.nominal - 6
        self._start = AbsoluteFrame(host.start + self._at)

    def all(self) -> Sequence[Tuple[str, Callable[[], str]]]:
        """Title and check of each. A check returns what it found, or raises."""
        return (
            ("Frame spaces", self.spaces),
            ("Importing a sequence", self.importing),
            ("Placing", self.placing),
            ("Playhead", self.playhead),
            ("Stills", self.stills),
            ("Alpha", self.alpha),
            ("Rendering one frame", self.rendering),
            ("Upper tracks", self.upper_tracks),
            ("Occupied track", self.occupied),
            ("Markers", self.markers),
            ("In and Out", self.in_out),
            ("Selected clips", self.selected),
            ("Recipe", self.recipe),
            *LiveChecks(self._host, self._media, self._folder, self._placer, self._start).all(),
            ("A whole run", self.whole_run),
        )

    def spaces(self) -> str:
        return f"the timeline starts at {self._host.text(self._host.start)}, which is frame {self._host.start}"

    def importing(self) -> str:
        frames = timeline.frame_count(self._media)
        if frames is None:
            raise Note("Resolve does not say how many frames a clip has.")
        return f"{frames} frames at {self._media.GetClipProperty('FPS')}, from a folder of its own"

    def _clip(self, source: int, length: int, record: int) -> Clip:
        return Clip(0, "A", "B", source, length, AbsoluteFrame(record))

    def placing(self) -> str:
        # All but the last frame, so that a wrong idea of `endFrame` shows.
        clip = self._clip(0, FRAMES - 1, self._start)
        self._placer.place(self._media, [clip], Target(None, "In-betweens", 1))
        meaning = "the frame after the last one" if self._placer.exclusive else "the last frame"
        return f"frame-accurate; endFrame is {meaning}"

    def playhead(self) -> str:
        for frame in range(self._start, self._start + FRAMES - 1):
            self._host.seek(frame)
        return "goes to every frame that it is sent to"

    def _centre(self, path: Path) -> Tuple[float, ...]:
        still = tiff.read(path.read_bytes())
        pixel = None if still is None else still.pixel(still.width // 2, still.height // 2)
        if pixel is None:
            raise Note(
                "pictures come compressed, so that their colours cannot be compared here; look at them yourself."
            )
        return pixel[:3]

    def _shown(self, pixel: Tuple[float, ...]) -> Tuple[int, float]:
        """Which frame of the sequence a colour belongs to, and how far it is off."""
        off = [max(abs(a - b) for a, b in zip(pixel, colour(frame))) for frame in range(FRAMES)]
        return off.index(min(off)), min(off)

    def stills(self) -> str:
        if not has(self._host.project, "ExportCurrentFrameAsStill"):
            raise Note("this version exports no stills; every keyframe is rendered, which takes a little longer.")
        stills, worst, took = Stills(self._host, self._folder / "stills"), 0.0, time.monotonic()
        for frame in range(FRAMES - 1):
            pixel = self._centre(stills.take(self._start + frame, f"still_{frame}"))
            self._expect(frame, pixel)
            worst = max(worst, self._shown(pixel)[1])
        each = 1000 * (time.monotonic() - took) / (FRAMES - 1)
        if stills.rendered:
            raise Note(f"{len(stills.rendered)} of {FRAMES - 1} stills were not to be trusted, and were rendered.")
        if worst > _CLOSE:
            raise Note(
                f"colours come back {100 * worst:.1f} % off. Set the bin's clips and the project to the same colour "
                "space, or in-betweens will not match their keyframes."
            )
        return f"every frame shows itself, with its own colours; {each:.0f} ms each"

    def _expect(self, frame: int, pixel: Tuple[float, ...]) -> None:
        shown = self._shown(pixel)[0]
        if shown != frame:
            raise _failed(f"frame {frame} of the sequence was asked for, and frame {shown} is in the picture")

    def alpha(self) -> str:
        if not has(self._host.project, "ExportCurrentFrameAsStill"):
            raise Note("this version exports no stills, and renders have no alpha.")
        still = tiff.read(Stills(self._host, self._folder / "alpha").take(self._start, "alpha").read_bytes())
        if still is not None and still.channels == 4:
            return "stills have it, and so have in-betweens"
        return "stills have none: transparent areas become black"

    def rendering(self) -> str:
        path = render_frame(self._host, self._start + 5, self._folder)
        still = tiff.read(path.read_bytes())
        if still is None:
            raise _failed("the render is not a whole TIFF file")
        if self._host.size() not in (None, (still.width, still.height)):
            raise _failed(f"the render is {still.width} x {still.height}, not the timeline's {self._host.size()}")
        self._expect(5, self._centre(path))
        return f"{still.width} x {still.height}, {still.bits} bit, the right frame"

    def upper_tracks(self) -> str:
        above = self._clip(9, 2, self._start + 2)
        self._placer.place(self._media, [above], Target(None, "In-betweens take 2", 2))
        self._expect(9, self._centre(Stills(self._host, self._folder / "upper").take(self._start + 2, "upper")))
        return "the picture shows the topmost track"

    def occupied(self) -> str:
        before = timeline.tracks(self._host)
        try:
            self._placer.place(self._media, [self._clip(4, 3, self._start + 1)], Target(before[-1].index, "x", 2))
        except PluginError:
            pass
        else:
            raise _failed("a clip was placed over another one on the same track")
        if [track.spans for track in timeline.tracks(self._host)] != [track.spans for track in before]:
            raise _failed("other clips have changed")
        return "placing over a clip is refused, and taken back"

    def markers(self) -> str:
        for frame in (self._at, self._at + 6):
            self._host.timeline.AddMarker(frame, "Purple", "Check", "", 1, "")
        found = timeline.keyframes(self._host, Source.MARKERS, "Purple")
        if [keyframe.frame for keyframe in found] != [self._start, self._start + 6]:
            raise _failed(
                f"markers at {self._at} and {self._at + 6} were found at {[k.frame - self._host.start for k in found]}"
            )
        return "count from the timeline's start"

    def in_out(self) -> str:
        if not has(self._host.timeline, "GetMarkInOut"):
            raise Note("this version does not tell In and Out; use markers.")
        self._host.timeline.SetMarkInOut(self._at, self._at + 6, "video")
        found = timeline.in_out(self._host)
        self._host.timeline.ClearMarkInOut("video")
        if found != (self._start, self._start + 6):
            raise _failed(f"In and Out at {self._at} and {self._at + 6} were read as {found}")
        return "count from the timeline's start"

    def selected(self) -> str:
        if not has(self._host.timeline, "GetSelectedClips"):
            raise Note("this version does not tell which clips are selected (21.0.4 does); use markers or In and Out.")
        self._host.timeline.GetSelectedClips()
        return "can be asked for"

    def recipe(self) -> str:
        wanted = Recipe(Choice(profile="draft"), (KeptKeyframe(int(self._start), "“A” é"),), 2, "check", "0")
        if not media.keep_recipe(self._media, wanted):
            raise Note("a clip keeps no recipe here: its settings cannot be brought back later.")
        return "a clip keeps how it was made"

    def whole_run(self) -> str:
        keyframes: List[Keyframe] = [Keyframe(AbsoluteFrame(self._start + frame), f"frame {frame}") for frame in (0, 6)]
        try:
            with Client(data_dir(), name="DaVinci Resolve, self-check") as client:
                client.connect()
                choice = Choice(profile="draft", folder=str(self._folder))
                made = Run(self._host, client, keyframes, choice, NAME)
                made.begin()
                end = time.monotonic() + _SERVER_SECONDS
                while not made.stage.is_final and time.monotonic() < end:
                    made.step(0.05)
                made.cancel()
        except TweenbridgeError as error:
            raise Note(f"there is no server to try it with. {error} {error.remedy}") from error
        if made.stage is not Stage.DONE or made.result is None:
            raise _failed(" ".join(made.error or ("the run did not end in time",)))
        return f"5 in-betweens came from the server and lie on V{made.result.track}, {made.result.name}"


def _failed(sentence: str) -> PluginError:
    return PluginError(Trouble.PLACEMENT, f"{sentence}.")
