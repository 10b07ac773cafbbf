"""Inside a worker: one gap's keyframes to stored frames. The engine computes while a thread stores what it has made."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tweenbridge.pixels import PixelFormat
from tweenbridge.protocol.messages import Scalar

from ..engines import registry
from ..engines.base import Cancelled, Engine, Gap, Held, Holds, Image, Parts, Settles, WarmsUp, Workplace
from ..imaging import alpha, io, scenes
from ..jobs.plan import Relation, Source, source
from ..jobs.spool import Spool, hash_file
from .base import Cost, FrameOrder, GapTask, KeyframeFile, Made, Noted, Related, TaskEvent
from .shot import Shot
from .spent import Spent
from .stills import Stills, read_keyframe
from .storing import Batch, Storing
from .telling import Telling

log = logging.getLogger(__name__)

Report = Callable[[str, TaskEvent], None]

_LAST_FRAME_THREADS: Final = min(4, os.cpu_count() or 1)


def use_threads(threads: int) -> None:
    """Limit what this process computes with to that many threads."""
    import OpenImageIO as oiio

    oiio.attribute("threads", threads)
    oiio.attribute("exr_threads", threads)
    os.environ["OPENCV_FOR_THREADS_NUM"] = str(threads)


class Renderer:
    """Does gap tasks, keeping engines and the last gap's keyframes between them.

    Attributes:
        report: where events go.
        home: the server's data folder.
        stills: keyframes, decoded.
        cost: of the last task that was rendered.
    """

    def __init__(self, report: Report, device: str, home: Path, compile_models: bool) -> None:
        self.report = report
        self.home = home
        self._storing = Storing()
        self._workplace = Workplace(device, home / "cache", compile_models)
        self._engines: dict[str, Engine] = {}
        self.stills = Stills()
        self.cost = Cost()

    def prepare(self, engine: str, profile: str, settings: Mapping[str, Scalar]) -> None:
        """Import and warm an engine."""
        made = self.engine(engine)
        if isinstance(made, WarmsUp):
            made.warm_up(profile, settings)

    @property
    def held(self) -> Held | None:
        """The model that an engine holds in memory; where several do, the last engine's."""
        held = [engine.held for engine in self._engines.values() if isinstance(engine, Holds)]
        return next((one for one in reversed(held) if one is not None), None)

    def engine(self, name: str) -> Engine:
        """The engine of that name, made when it is first asked for."""
        if name not in self._engines:
            made = registry.create(name)
            if isinstance(made, Settles):
                made.settle(self._workplace)
            self._engines[name] = made
        return self._engines[name]

    def render(self, task: GapTask, is_cancelled: Callable[[], bool]) -> Batch:
        """Make the frames of a task that the spool does not have yet, reporting each once it is stored.

        Returns:
            the frames; the last of them are still being stored.

        Raises:
            TweenbridgeError: what the job fails with.
            Cancelled: when `is_cancelled` said so.
        """
        batch = Batch(self._storing)
        try:
            _Rendering(self, task, is_cancelled, batch).run()
        except BaseException as error:
            if isinstance(error, MemoryError):
                self.stills.clear()
            # Frames that are being stored may finish; the task's own error counts, not theirs.
            lost = batch.wait()
            if lost is not None and lost is not error:
                log.warning("A frame could not be stored: %s", lost)
            raise
        return batch


class _Rendering:
    """One task on its way."""

    def __init__(self, renderer: Renderer, task: GapTask, is_cancelled: Callable[[], bool], batch: Batch) -> None:
        self._renderer = renderer
        self._batch = batch
        self._task = task
        self._is_cancelled = is_cancelled
        self._spool = Spool(Path(task.spool))
        self._spent = Spent()
        self._progress = Telling(self._event, is_cancelled, self._spent.stage)

    def run(self) -> None:
        task = self._task
        self._renderer.cost = Cost()
        self._progress(0.0, "reading keyframes")
        a, b = self._renderer.stills.pair(task.a, task.b, self._spool)
        pair = io.pair(a, b, (task.a.name, task.b.name))
        for remark in (*pair.remarks, *io.remarks_on_results(pair.like, task.output)):
            self._event(Noted(remark.code, remark.message))
        gap = Gap(pair.a, pair.b, Shot(task.shot, self._pixels))
        relation = Relation(scenes.classify(gap.a, gap.b).value)
        self._event(Related(relation))
        missing = [frame for frame in task.frames if not self._adopt(frame, relation)]
        orders = []
        for frame in missing:
            kind = source(relation, frame.t)
            if kind is Source.ENGINE:
                orders.append(frame)
            else:
                self._progress(0.0, "copying")
                self._copy(frame, relation, pair, kind is Source.A)
        if orders:
            self._interpolate(gap, orders, relation, pair.like)

    def _event(self, event: TaskEvent) -> None:
        self._renderer.report(self._task.id, event)

    def _pixels(self, keyframe: KeyframeFile) -> Image:
        return read_keyframe(keyframe, self._spool).pixels

    def _check_model(self) -> None:
        """Frames' keys stand for one model: refuse to store what another one made."""
        task = self._task
        if task.identity:
            found = registry.resolve(task.engine, task.profile, task.settings, self._renderer.home)
            registry.check_identity(task.identity, found.identity)

    def _adopt(self, frame: FrameOrder, relation: Relation) -> bool:
        """Report a frame that a worker stored and did not live to report."""
        found = self._spool.intact_frame(frame.key)
        if found is None:
            return False
        self._event(Made(frame.key, found.format, found.sha256, found.size, relation))
        return True

    def _interpolate(self, gap: Gap, orders: list[FrameOrder], relation: Relation, like: io.Still) -> None:
        task = self._task
        ordered = sorted(orders, key=lambda frame: frame.t)
        self._check_model()
        engine = self._renderer.engine(task.engine)
        frames = engine.interpolate(gap, [frame.t for frame in ordered], task.profile, task.settings, self._progress)
        opaque = alpha.is_opaque(gap.a) and alpha.is_opaque(gap.b)
        remaining = iter(ordered)
        for made in frames:
            order = next(remaining, None)
            if order is None or made.t != order.t or made.pixels.shape != gap.a.shape:
                raise RuntimeError(f"engine {task.engine} made a frame that nobody asked for")
            if order is ordered[0]:
                # Once more: it may have been changed while the engine was about to load it.
                self._check_model()
            # Nothing else is left to compute when the last one is stored.
            threads = _LAST_FRAME_THREADS if order is ordered[-1] else 1
            pixels = alpha.opaque(made.pixels) if opaque else made.pixels
            self._store(order, relation, _writer(pixels, like, task.output, threads))
            del made, pixels
            if self._is_cancelled():
                raise Cancelled
        if next(remaining, None) is not None:
            raise RuntimeError(f"engine {task.engine} left frames out")
        together = engine.together if isinstance(engine, Parts) else 0
        self._renderer.cost = self._spent.cost(len(ordered), together)

    def _copy(self, frame: FrameOrder, relation: Relation, pair: io.Pair, is_first: bool) -> None:
        """Store a keyframe as a frame: its very bytes, or at least samples, where they are what results are."""
        keyframe = self._task.a if is_first else self._task.b
        still = self._renderer.stills.pair(self._task.a, self._task.b, self._spool)[0 if is_first else 1]
        output, path = self._task.output, self._spool.keyframe_path(keyframe.file)
        alike = not pair.changed[0 if is_first else 1] and still.format == io.result_format(pair.like.format, output)

        def copy(place: Path) -> PixelFormat:
            shutil.copyfile(path, place)
            return still.format

        if alike and still.is_plain:
            self._store(frame, relation, copy)
        elif alike and still.is_raw:
            self._store(frame, relation, lambda place: io.rewrite(place, path, still, keyframe.name))
        else:
            self._store(frame, relation, _writer(pair.a if is_first else pair.b, pair.like, output))

    def _store(self, frame: FrameOrder, relation: Relation, write: Callable[[Path], PixelFormat]) -> None:
        def store() -> None:
            with self._spool.new_file(".part") as path:
                form = write(path)
                digest, size = hash_file(path), path.stat().st_size
                self._spool.publish(path, self._spool.frame_path(frame.key, form, digest))
            self._event(Made(frame.key, form, digest, size, relation))

        self._batch.put(store)


def _writer(
    pixels: Image, like: io.Still, output: PixelFormat | None, threads: int = 1
) -> Callable[[Path], PixelFormat]:
    def write(path: Path) -> PixelFormat:
        return io.write(path, pixels, like, output, threads)

    return write
