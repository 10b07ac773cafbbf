"""The actors of the cluster and the gaps they make: who does what, started when work comes, ended when idle.

One thread owns all state, as in the executor for one machine; everybody else posts into its inbox. No Ray here.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tweenbridge.protocol.messages import WorkerInfo

from ..base import FINAL, Computed, Died, Failed, Finished, GapTask, KeyframeFile, Noted, Stopped, TaskEvent
from ..errands import Errands
from ..pipe import Prepare
from .costs import Costs, kind_of
from .layer import Layer
from .messages import NodeInfo, Standing, Wanted
from .parting import part as sizes_of_parts
from .roster import Roster
from .seat import Seat
from .storing import already_there
from .usable import places, threads
from .whole import MOST_LOSSES, Part, Whole
from .wishes import Wishes

log = logging.getLogger(__name__)

_SETTLING_SECONDS = 0.01
"""After a task comes, others may follow at once: who knows how many there are parts better."""
_GRACE_SECONDS = 5.0
"""How much longer than a worker itself an actor may take to stop."""
_ENDING_SECONDS = 1.5
"""How long actors may take to clear up when the server ends."""
_MOURNING_SECONDS = 5.0
"""How long a node that lost an actor gets no new one: it may be about to be lost itself."""
_STANDING_SECONDS = 0.2
"""Between two reports of how the actors are."""
_WAKING_SECONDS = 1.0
"""The longest sleep: nodes that were left alone are tried again about then."""

Report = Callable[[str, TaskEvent | Standing], None]


class Pool:
    """All actors. Events go to `report`, from the pool's thread."""

    def __init__(self, layer: Layer, wanted: Wanted, report: Report) -> None:
        self._layer = layer
        self._wanted = wanted
        self._report = report
        self._costs = Costs(Path(wanted.home) / "cache" / "cluster-costs.json")
        self._wishes = Wishes(Path(wanted.home))
        self._roster = Roster(wanted.cluster)
        self._errands = Errands(self._until_deadline, self._tend)
        self._seats: list[Seat] = []
        self._wholes: dict[str, Whole] = {}
        self._undivided: deque[Whole] = deque()
        self._waiting: deque[Part] = deque()
        self._divide_at = 0.0
        self._standing = Standing(-1)
        self._told_at = 0.0
        self._untold = False

    # ------------------------------------------------------------ from any thread

    def post(self, call: Callable[[], None]) -> None:
        """Have something done on the pool's thread."""
        self._errands.put(call)

    def run_task(self, task: GapTask) -> None:
        """Do a task."""
        self.post(lambda: self._take(task))

    def cancel(self, task: str) -> None:
        """Stop a task; it still reports its last event."""
        self.post(lambda: self._cancel(task))

    def prepare(self, command: Prepare) -> None:
        """Have an actor ready, with what the engine needs."""
        self.post(lambda: self._prepare(command))

    def expect(self, keyframe: KeyframeFile, spool: str) -> None:
        """Bring a keyframe to an actor that is idle, if there is one."""
        self.post(lambda: self._expect(keyframe, Path(spool)))

    def unload(self) -> None:
        """End the actors that have nothing to do."""
        self.post(lambda: self._release(lambda seat: True))

    def nodes_are(self, nodes: tuple[NodeInfo, ...]) -> None:
        """These nodes are alive, each with the reason why it cannot be used, if there is one."""
        self.post(lambda: self._roster.see(nodes))

    def close(self) -> None:
        """End all actors, and `run`."""
        self.post(self._end)

    def run(self) -> None:
        """Work until closed."""
        self._errands.run()

    def _tend(self, now: float) -> None:
        """Do what is to be done after anything happened, once nothing more waits."""
        if not self._errands.is_empty():
            return
        for seat in list(self._seats):
            if seat.cancel_by is not None and now >= seat.cancel_by:
                self.lost(seat, f"The actor on node {seat.node.name} did not stop a cancelled task and is ended.")
        self._release(lambda seat: now >= seat.idle_since + self._wanted.idle_seconds)
        if now >= self._divide_at:
            self._dispatch()
        self._tell(now)

    def _until_deadline(self) -> float:
        """Seconds until something is to be done without being asked."""
        times = [seat.cancel_by for seat in self._seats if seat.cancel_by is not None]
        times += [seat.idle_since + self._wanted.idle_seconds for seat in self._seats if seat.is_idle]
        times += [self._divide_at] if self._undivided else []
        times += [self._told_at + _STANDING_SECONDS] if self._untold else []
        now = time.monotonic()
        return max(0.001, min([_WAKING_SECONDS, *(at - now for at in times if at > now)]))

    # ------------------------------------------------------------ tasks

    def _take(self, task: GapTask) -> None:
        whole = Whole(task, kind_of(task), already_there(task))
        self._wholes[task.id] = whole
        self._undivided.append(whole)
        self._divide_at = time.monotonic() + _SETTLING_SECONDS

    def _cancel(self, task: str) -> None:
        whole = self._wholes.get(task)
        if whole is None:
            return
        whole.cancelled = True
        if whole in self._undivided:
            self._undivided.remove(whole)
            self._report_all(whole, whole.end(Stopped()))
        self._stop(whole)

    def _dispatch(self) -> None:
        """Give what waits to actors that are free, and start as many more as are needed and fit."""
        free, room = [seat for seat in self._seats if seat.part is None], self._room()
        while self._undivided and len(free) + len(room) > len(self._waiting):
            whole = self._undivided.popleft()
            self._waiting += whole.divide(self._sizes(whole, free, room))
        for part in list(self._waiting):
            if part.whole.over or part.whole.cancelled:
                self._waiting.remove(part)
                self._tell_of(part, Stopped())
            elif (error := self._roster.nowhere(_model_of(part))) is not None:
                self._waiting.remove(part)
                self._tell_of(part, error)
            else:
                self._place(part)
        starting = sum(not seat.ready for seat in self._seats)
        for part in list(self._waiting)[starting:]:
            fit = {node.id for node in self._roster.usable(_model_of(part))}
            node = next((node for node in self._room() if node.id in fit), None)
            if node is not None:
                self._hire(node)

    def _sizes(self, whole: Whole, free: list[Seat], room: list[NodeInfo]) -> list[int]:
        """Into parts of which sizes a task goes, given the actors that no other task needs now."""
        kind, count = whole.kind, len(whole.frames)
        cost = self._costs.find(kind)
        spare = len(free) + len(room) - len(self._waiting) - len(self._undivided)
        if cost is None or spare < 2:
            return [count]
        starting = max((seat.warming or 0.0 for seat in self._seats), default=0.0)
        delays = [0.0 if kind in seat.warm else cost.loading for seat in free]
        # How long an actor takes to start is not known before one has.
        delays += [starting + cost.loading for _ in room] if starting else []
        sizes = sizes_of_parts(count, cost, sorted(delays)[:spare])
        if len(sizes) > 1:
            log.info("Gap %d of job %s goes to %d actors: %s.", whole.task.gap + 1, whole.task.job, len(sizes), sizes)
        return sizes

    def _place(self, part: Part) -> None:
        """Give a waiting part to an actor that is free, rather to one that holds its model."""
        task = part.task
        fit = {node.id for node in self._roster.usable(_model_of(part))}
        free = [seat for seat in self._seats if seat.ready and seat.part is None and seat.node.id in fit]
        if free:
            seat = min(free, key=lambda seat: (part.whole.kind not in seat.warm, len(seat.storing)))
            self._waiting.remove(part)
            seat.run(part, lambda: self._wishes.find(task.engine, task.profile, task.settings, task.identity))

    def _stop(self, whole: Whole) -> None:
        """Have all actors stop that are still at a task."""
        for seat in self._seats:
            if seat.part is not None and seat.part.whole is whole:
                seat.cancel(seat.part, self._wanted.cancel_seconds + _GRACE_SECONDS)

    # ------------------------------------------------------------ actors

    def _room(self) -> list[NodeInfo]:
        return self._roster.room([seat.node.id for seat in self._seats])

    def _hire(self, node: NodeInfo) -> Seat:
        names = {seat.name for seat in self._seats}
        kind, several = "GPU" if node.gpus else "CPU", places(node, self._wanted.cluster) > 1
        numbers = [f" {number}" for number in range(1, len(names) + 2)] if several else [""]
        name = next((f"{node.name} {kind}{number}" for number in numbers if f"{node.name} {kind}{number}" not in names),
                    f"{node.name} {kind}")  # fmt: skip
        hand = self._layer.hire(node, name, self._wanted.threads or threads(node, self._wanted.cluster))
        seat = Seat(node, name, hand, self)
        self._seats.append(seat)
        seat.start()
        return seat

    def _prepare(self, command: Prepare) -> None:
        seat = next((seat for seat in self._seats if seat.is_idle), None)
        if seat is None:
            room = self._room()
            if not room or any(not seat.ready for seat in self._seats):
                return
            seat = self._hire(room[0])
        engine, profile, settings, hand = command.engine, command.profile, command.settings, seat.hand
        seat.aside(lambda: hand.prepare(engine, profile, settings, self._wishes.find(engine, profile, settings)))

    def _expect(self, keyframe: KeyframeFile, spool: Path) -> None:
        seat = next((seat for seat in self._seats if seat.is_idle), None)
        if seat is not None:
            hand = seat.hand
            seat.aside(lambda: hand.expect(keyframe.file, spool))

    def _release(self, which: Callable[[Seat], bool]) -> None:
        for seat in [seat for seat in self._seats if seat.is_idle and which(seat)]:
            log.info("Actor %s was idle and is released.", seat.name)
            self._seats.remove(seat)
            seat.aside(seat.hand.close)
            self._costs.save()

    # ------------------------------------------------------------ what actors say

    def ready(self, seat: Seat, pid: int) -> None:
        """An actor has started."""
        seat.ready, seat.pid = True, pid
        seat.idle_since = time.monotonic()
        seat.warming = seat.idle_since - seat.began
        log.info("Actor %s started, process %d.", seat.name, pid)

    def heard(self, seat: Seat, part: Part, event: TaskEvent, worker: WorkerInfo | None) -> None:
        """Something happened to a part."""
        if seat not in self._seats:
            return
        seat.worker = worker or seat.worker
        if isinstance(event, Computed):
            kind = part.whole.kind
            # Engines hold one model: where one was loaded, the last one went.
            seat.warm = {kind} if event.cost.loading else {*seat.warm, kind}
            if event.cost.each:
                self._costs.learn(kind, event.cost)
            seat.computed(part)
        if isinstance(event, FINAL):
            seat.leave(part)
        if isinstance(event, Stopped) and not part.whole.cancelled and not part.whole.over:
            # The worker had ended before the part reached it.
            self._again(part)
        else:
            self._tell_of(part, event)

    def broken(self, part: Part, error: Failed) -> None:
        """A part's frames could not be stored here."""
        self._report_all(part.whole, part.whole.end(error))
        self._stop(part.whole)

    def refused(self, seat: Seat, part: Part, error: Failed) -> None:
        """The node lacks the part's model: others may have it."""
        log.warning("%s", error.error.message)
        self._roster.lacks(seat.node.id, _model_of(part), error)
        seat.leave(part)
        if self._roster.usable(_model_of(part)):
            note = Noted("cluster_node", f"{error.error.message} Other nodes do the work.")
            self._report_all(part.whole, part.whole.hear(part, note))
        self._waiting.appendleft(part)

    def lost(self, seat: Seat, reason: str) -> None:
        """An actor is gone; what it was at goes to others, but for what it has delivered."""
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        seat.aside(seat.hand.kill)
        log.warning("%s", reason)
        # Ray takes a node for alive for seconds after it is gone.
        self._roster.leave_alone(seat.node.id, _MOURNING_SECONDS)
        if not seat.ready:
            self._roster.leave_alone(seat.node.id)
            for part in self._waiting:
                said = f"{reason} Perhaps Ray has given what it needs to other work; it is tried again."
                self._report_all(part.whole, part.whole.hear(part, Noted("cluster_node", said)))
        for part in seat.parts:
            whole = part.whole
            whole.losses += 1
            if whole.cancelled or whole.over:
                self._tell_of(part, Stopped())
            elif whole.losses > MOST_LOSSES:
                self._tell_of(part, Died(reason))
            else:
                log.info("Job %s, gap %d: %d frames go to another actor.", whole.task.job, whole.task.gap + 1,
                         len(part.left))  # fmt: skip
                self._again(part)

    def _again(self, part: Part) -> None:
        """Have what is left of a part made by another actor."""
        if not part.left and part.whole.related:
            self._tell_of(part, Finished())
        else:
            self._waiting.appendleft(part.whole.again(part))

    def _tell_of(self, part: Part, event: TaskEvent) -> None:
        whole = part.whole
        self._report_all(whole, whole.hear(part, event))
        if whole.over:
            self._stop(whole)

    def _report_all(self, whole: Whole, events: list[TaskEvent]) -> None:
        for event in events:
            if isinstance(event, FINAL):
                self._wholes.pop(whole.task.id, None)
            self._report(whole.task.id, event)

    # ------------------------------------------------------------ how it stands

    def _tell(self, now: float) -> None:
        """Tell the server how the cluster is, when that is news."""
        if not self._roster.seen:
            return
        workers = tuple(seat.info() for seat in self._seats)
        standing = Standing(self._roster.capacity(), self._roster.trouble(), workers)
        changed = (standing.slots, standing.trouble) != (self._standing.slots, self._standing.trouble)
        self._untold = standing != self._standing
        if changed or (self._untold and now >= self._told_at + _STANDING_SECONDS):
            self._standing, self._told_at, self._untold = standing, now, False
            self._report("", standing)

    def _end(self) -> None:
        self._errands.end()
        self._costs.save()
        closing = [seat.aside(seat.hand.close) for seat in self._seats]
        give_up = time.monotonic() + _ENDING_SECONDS
        for thread in closing:
            thread.join(max(0.0, give_up - time.monotonic()))


def _model_of(part: Part) -> str:
    """What nodes may lack for a part."""
    return f"{part.task.engine}/{part.task.identity}"
