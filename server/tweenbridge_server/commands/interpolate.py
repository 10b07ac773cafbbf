"""`tweenbridge interpolate`: keyframe files in, in-between files out, and a film or a sheet made of them."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import typer
from tweenbridge.client import Client
from tweenbridge.events import Disconnected, FrameArrived, JobEnded, ServerStopping
from tweenbridge.job import JobHandle
from tweenbridge.keyframes import KeyframeSource, Order, job_id_for, make_order
from tweenbridge.pixels import Encoding, PixelFormat, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobRequest, Note, Scalar
from tweenbridge.timing import Schedule, Timing

from .console import INTERRUPTED, duration, in_users_words, plural, say, short_path
from .films import FILM_ENDINGS, tell_alpha
from .output import OutputFolder, default_folder
from .progress import JobDisplay

_PASSING = (ErrorCode.NOT_RUNNING, ErrorCode.TIMED_OUT)
"""Why a session may be lost without the job being lost: the client opens another, and starts the server again."""


@dataclass(frozen=True)
class Options:
    """What the user asks for.

    Attributes:
        keyframes: image files, or frames of films ("clip.mp4@36", "clip.mp4@00:01.5").
        folder: where the in-betweens go; None derives one from the keyframes' names.
        video, sheet: files to make of keyframes and in-betweens together.
        fps: frames each second of the film.
        overwrite: write over files that are not of this job.
        layer: which layer of OpenEXR keyframes is used; "" takes the beauty.
    """

    keyframes: tuple[str, ...]
    timing: Timing
    engine: str = "flow"
    profile: str = ""
    settings: dict[str, Scalar] = field(default_factory=dict)
    output: PixelFormat | None = None
    folder: Path | None = None
    video: Path | None = None
    sheet: Path | None = None
    fps: float = 24.0
    overwrite: bool = False
    layer: str = ""


@dataclass(frozen=True)
class Result:
    """What was made. `frames` are the in-betweens in order, `made` the drawings that were not there before."""

    folder: Path
    frames: tuple[Path, ...]
    notes: tuple[Note, ...]
    made: int
    seconds: float


def run(options: Options, home: Path) -> Result:
    """Make what the options ask for, going on where an interrupted run of the same command stopped.

    Raises:
        TweenbridgeError: what is wrong with the options or went wrong on the way.
        typer.Exit: the user stopped, which was answered; the server goes on with the job.
    """
    started = time.monotonic()
    _check(options)
    with tempfile.TemporaryDirectory(prefix="tweenbridge-") as scratch:
        sources = _sources(options.keyframes, options.layer, Path(scratch))
        order = make_order(
            sources, timing=options.timing, engine=options.engine, profile=options.profile, settings=options.settings,
            output=options.output,
        )  # fmt: skip
        request = order.request()
        job = _job_id(request, home)
        files = [Path(str(source.data)) for source in sources]
        folder = _folder(options, job, request, order.plan, files)
        extras = [path for path in (options.video, options.sheet) if path is not None]
        present = folder.check(extras)
        notes: tuple[Note, ...] = ()
        missing = len(order.plan.drawings) - len(present)
        if missing:
            notes = _fetch(order, job, folder, present, home)
        removed = folder.remove_leftovers()
        if removed:
            say(f"Removed {plural(removed, 'frame')} of the earlier job that would follow the last one.")
        sequence = _sequence(folder, order, files)
        _make_extras(options, folder, sequence)
    frames = tuple(path for gap in folder.gaps for path in gap)
    return Result(folder.folder, frames, notes, missing, time.monotonic() - started)


def report(result: Result, options: Options) -> None:
    """Say what was made and where it is."""
    what = plural(len(result.frames), "in-between")
    took = f"in {duration(result.seconds)}" if result.made else "all there already"
    print(f"{what} in {short_path(result.folder)}, {took}")
    for name, path in (("film", options.video), ("contact sheet", options.sheet)):
        if path is not None:
            print(f"{name}: {short_path(path)}")


def _check(options: Options) -> None:
    if len(options.keyframes) < 2:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, "In-betweens need at least two keyframes.", remedy="Name two files or more."
        )
    if not 0 < options.fps <= 1000:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"--fps {options.fps:g} makes no film.", remedy="Give a number between 1 and 1000."
        )
    _check_ending("--video", options.video, FILM_ENDINGS)
    _check_ending("--sheet", options.sheet, (".png", ".jpg", ".jpeg"))


def _check_ending(option: str, path: Path | None, endings: tuple[str, ...]) -> None:
    if path is not None and path.suffix.lower() not in endings:
        raise TweenbridgeError(
            ErrorCode.BAD_REQUEST, f"{option} {path} cannot be made.", remedy=f"Let the name end in {endings[0]}."
        )


def _job_id(request: JobRequest, home: Path) -> str:
    """The same for the same work: keyframes, settings, and the model's files."""
    from ..engines import registry

    job = job_id_for(request)
    try:
        profile, settings = registry.check(request.engine, request.profile, request.settings)
        identity = registry.resolve(request.engine, profile, settings, home).identity
    except TweenbridgeError:
        # The server says what is wrong.
        return job
    return hashlib.sha256(f"{job} {identity}".encode()).hexdigest()[:32] if identity else job


def _sources(arguments: tuple[str, ...], layer: str, scratch: Path) -> list[KeyframeSource]:
    """Keyframe files; what is a frame of a film, a page, a layer or in another format is written to `scratch` first."""
    sources = []
    for number, argument in enumerate(arguments, start=1):
        folder = scratch / f"{number:04d}"
        folder.mkdir()
        path = _taken(argument, layer, folder)
        if path is None:
            raise _no_keyframe(number, argument)
        sources.append(KeyframeSource(path, name=Path(argument).name))
    return sources


def _no_keyframe(number: int, argument: str) -> TweenbridgeError:
    name = f"Keyframe {number} ({argument})"
    if Path(argument).is_dir():
        return TweenbridgeError(ErrorCode.BAD_KEYFRAME, f"{name} is a folder.", remedy="Name the images in it.")
    return TweenbridgeError(
        ErrorCode.BAD_KEYFRAME,
        f"{name} is not there.",
        remedy="Check the file's name. A frame of a film is written like clip.mp4@36 or clip.mp4@00:01.5.",
    )


def _taken(argument: str, layer: str, folder: Path) -> Path | None:
    """The file of a keyframe; None where the argument names nothing that is there."""
    path = Path(argument)
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(16)
        encoding = sniff(head)
        if encoding is Encoding.EXR and layer:
            from ..imaging import taken

            return taken.layer(path, layer, folder)
        if encoding is not None or not head:
            return path
        from ..imaging import taken

        still, remarks = taken.still(path, folder)
        for remark in remarks:
            say(f"Note: {remark.message}")
        return still
    return _grab(argument, folder) if "@" in argument else None


def _grab(argument: str, folder: Path) -> Path | None:
    """Write the film's frame, or the page, that an argument names to a file; None where it names none."""
    from ..imaging import taken
    from ..imaging.video import grab, parse_keyframe_argument

    wanted = parse_keyframe_argument(argument)
    if wanted is None:
        return None
    if wanted.number is not None and taken.has_pages(wanted.path):
        return taken.page(wanted.path, wanted.number, folder)
    target = folder / "keyframe.png"
    grab(wanted, target)
    return target


def _folder(options: Options, job: str, request: JobRequest, plan: Schedule, files: list[Path]) -> OutputFolder:
    names = [Path(argument.replace("@", "-").replace(":", ".")).stem for argument in options.keyframes]
    folder = options.folder or default_folder(names[0], names[-1], job, options.overwrite)
    wanted = [(options.output or request.keyframes[gap.a].format).encoding for gap in plan.gaps]
    keyframes = [*files, *(Path(argument) for argument in options.keyframes)]
    return OutputFolder(folder, job, plan, wanted, keyframes, options.overwrite)


def _fetch(order: Order, job: str, folder: OutputFolder, present: frozenset[int], home: Path) -> tuple[Note, ...]:
    """Have the server make the drawings and write them as they arrive. Returns the job's notes."""
    title = f"{order.sources[0].label} to {order.sources[-1].label}"
    with Client(home, name="command line") as client:
        handle = client.submit(
            order.sources, timing=order.timing, engine=order.engine, profile=order.profile, settings=order.settings,
            output=order.output, title=title, job=job, have=present,
        )  # fmt: skip
        try:
            with JobDisplay(handle.total) as display:
                display.frame(len(present))
                _follow(client, handle, folder, display)
                display.tell(handle.notes)
        except KeyboardInterrupt:
            say(
                f"\nStopped after {handle.received} of {handle.total} frames; the server goes on with the rest.\n"
                + in_users_words(f"Run the same command again to collect them, or `tweenbridge cancel {job[:8]}`.")
            )
            raise typer.Exit(INTERRUPTED) from None
    if handle.error is not None:
        raise TweenbridgeError.from_info(handle.error)
    return handle.notes


def _follow(client: Client, handle: JobHandle, folder: OutputFolder, display: JobDisplay) -> None:
    """Write the job's frames until it has ended."""
    client.connect()
    while True:
        for event in client.poll(0.2):
            if isinstance(event, FrameArrived):
                folder.save(event.frame)
                display.frame(handle.received)
            elif isinstance(event, JobEnded):
                return
            elif isinstance(event, Disconnected) and event.error.code not in _PASSING:
                raise TweenbridgeError.from_info(event.error)
            elif isinstance(event, ServerStopping):
                raise TweenbridgeError(
                    ErrorCode.NOT_RUNNING,
                    "The server was stopped in the middle of the job.",
                    remedy="Run the same command again to go on.",
                )
            else:
                display.event(event, handle)


@dataclass(frozen=True)
class Shown:
    """One picture of the finished sequence. `t` is the in-between's time in its gap, None for a keyframe."""

    path: Path
    name: str
    t: float | None = None


def _sequence(folder: OutputFolder, order: Order, keyframes: list[Path]) -> list[Shown]:
    """Keyframes and in-betweens as they are shown one after the other. A loop does not repeat its first keyframe."""
    shown: list[Shown] = []
    for gap, files in zip(order.plan.gaps, folder.gaps):
        shown.append(Shown(keyframes[gap.a], order.sources[gap.a].label))
        times = [order.plan.drawings[drawing].t for drawing in gap.exposures]
        shown += [Shown(path, path.stem.rpartition("_")[2].lstrip("0"), t) for path, t in zip(files, times)]
    last = order.plan.gaps[-1].b
    return shown if last == 0 else [*shown, Shown(keyframes[last], order.sources[last].label)]


def _make_extras(options: Options, folder: OutputFolder, sequence: list[Shown]) -> None:
    if options.video is not None:
        from ..imaging.video import encode

        paths = [shown.path for shown in sequence]
        _make(
            folder, options.video, f"film at {options.fps:g}", lambda path: tell_alpha(encode(paths, path, options.fps))
        )
    if options.sheet is not None:
        from ..imaging.sheet import Cell, contact_sheet

        cells = [
            Cell(shown.path, shown.name if shown.t is None else f"{shown.name}   t = {shown.t:.2f}", shown.t is None)
            for shown in sequence
        ]
        _make(folder, options.sheet, "sheet", lambda path: contact_sheet(cells, path))


def _make(folder: OutputFolder, path: Path, detail: str, make: Callable[[Path], object]) -> None:
    """Make a file beside its place, so that nobody sees half of it, unless it is there already."""
    if folder.has_made(path, detail):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tweenbridge-", dir=path.parent) as scratch:
        made = Path(scratch) / path.name
        make(made)
        folder.adopt(made, path, detail)
