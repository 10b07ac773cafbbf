"""One era of faults from beginning to end: rounds, then looks, and what was found."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from tweenbridge.keyframes import make_order
from tweenbridge.protocol.messages import JobRequest
from tweenbridge_server.imaging import io
from tweenbridge_server.jobs.admission import making_of
from tweenbridge_server.jobs.plan import Plan, make_plan

from .checker import Excuses, Violation, check
from .evidence import Accounts, FrameFile, gather
from .faults import Faults, Undo
from .journal import entries
from .pictures import keyframes
from .plan import Action, ClientPlan, Job, Kind, Round, described, era
from .site import Site

THROUGH_SECONDS = 120.0
"""Within which all clients have what they want once nothing disturbs them any more."""
SETTLE_SECONDS = 8.0
"""Within which housekeeping has put everything in order."""


@dataclass
class Outcome:
    """What an era came to."""

    seed: int
    happened: Counter[Kind] = field(default_factory=Counter)
    rounds: list[Round] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    jobs: int = 0
    frames: int = 0
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        """How many happened."""
        return sum(self.happened.values())

    def sentence(self) -> str:
        """What was wrong, in a line."""
        count = len(self.violations)
        promises = "1 promise was" if count == 1 else f"{count} promises were"
        return f"seed {self.seed}, round {self.rounds[-1].number}: {promises} not kept, first: {self.violations[0]}."

    def report(self) -> str:
        """The seed, the plan and what was wrong: enough to run it again alone."""
        command = f"python -m pytest tests/chaos/test_faults.py --faults {max(1, self.faults)} --seed {self.seed}"
        found = "\n".join(f"  {violation}" for violation in self.violations[:40])
        return f"Again: {command}\n{described(self.rounds)}\n{len(self.violations)} violations:\n{found}"


class Era:
    """A site, and the account of what happens there."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.faults = Faults(site)
        self.outcome = Outcome(seed)
        self._accounts = Accounts(site.home, site.engine_log)
        self.faults.before = self._accounts.look
        self._known: dict[tuple[str, int, int], FrameFile] = {}
        self._plans: dict[str, tuple[Job, Plan]] = {}
        self._before: Counter[Kind] = Counter()
        self._excused_frames: set[str] = set()
        self._excused_keyframes: set[str] = set()
        self._first: tuple[int, int] | None = None

    def round(self, each: Round) -> None:
        """Let one round happen, and look."""
        self.outcome.rounds.append(each)
        self.site.note(f"round {each.number} begins")
        self._before = Counter(self.faults.happened)
        self.site.journals.append([])
        self._expect(job for crowd in each.crowds for client in crowd for job in client.jobs)
        for number, clients in enumerate(each.crowds):
            self.site.send(f"r{each.number}c{number}", clients, through_proxy=bool(number % 2))
        self._let_happen(each)
        self.site.note("nothing disturbs anybody any more")
        self.site.ensure_server()
        self._wait_for_crowds()
        self.site.note("the clients are through")
        self._ask_again(each.number)
        self._settle()

    def end(self) -> None:
        """Stop the server in order: nothing may stay behind."""
        self.site.stop_in_order()
        self._settle()
        left = [self.site.home / "run" / "server.json"]
        assert not [path for path in left if path.exists()], "a server that ended says that it runs"

    # ------------------------------------------------------------ what happens

    def _let_happen(self, each: Round) -> None:
        begin = time.monotonic()
        undos: list[tuple[float, Undo, str]] = []

        def undo_until(moment: float | None) -> None:
            undos.sort(key=lambda item: item[0])
            while undos and (moment is None or undos[0][0] <= moment):
                due, undo, what = undos.pop(0)
                time.sleep(max(0.0, begin + due - time.monotonic()))
                undo()
                self.site.note(f"{what} is over")

        for fault in each.faults:
            undo_until(fault.at)
            time.sleep(max(0.0, begin + fault.at - time.monotonic()))
            what = fault.kind.value
            self.site.note(what)
            undo = self.faults.inflict(fault)
            if undo is None:
                self.site.note(f"{what}: there was nobody it could happen to")
            else:
                undos.append((time.monotonic() - begin + fault.lasts, undo, what))
        undo_until(None)
        damage = self.faults.damage
        self._accounts.forget(damage.frames)

    def _wait_for_crowds(self) -> None:
        end = time.monotonic() + THROUGH_SECONDS
        while busy := [crowd for crowd in self.site.crowds if not crowd.is_through]:
            failed = [crowd for crowd in busy if crowd.process is not None and crowd.process.poll() not in (None, 0)]
            assert not failed, f"clients broke: {failed[0].log.read_text()[-2000:]}"
            assert time.monotonic() < end, f"clients still wait: {[crowd.log.name for crowd in busy]}"
            self.site.ensure_server()
            time.sleep(0.05)
        self.site.crowds.clear()

    def _ask_again(self, number: int) -> None:
        """Have somebody look at every job once more whose files were damaged: what is damaged must be noticed."""
        damage = self.faults.damage
        jobs: dict[str, Job] = {}
        for job, plan in list(self._plans.values()):
            if damage.frames & set(plan.keys):
                jobs[job.id] = job
            if damage.keyframes & _names(job):
                # Other in-betweens of the same keyframes: only they make a worker read them.
                other = replace(job, id=f"{job.id}-again{number}", count=job.count + 7 + number)
                jobs[other.id] = other
        self._excused_keyframes |= damage.keyframes
        damage.keyframes.clear()
        if not jobs:
            return
        self._expect(jobs.values())
        seen = {key for job in jobs for key in self._plans[job][1].keys}
        again = ClientPlan(f"again{number}", tuple(replace(job, action=Action.PLAIN) for job in jobs.values()))
        self.site.send(again.name, (again,), through_proxy=False)
        self._wait_for_crowds()
        self._excused_frames |= damage.frames - seen
        damage.frames.clear()

    # ------------------------------------------------------------ what is seen

    def _expect(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            plan = plan_of(job, self.site.home)
            self._plans[job.id] = (job, plan)
            if job.engine == "blend":
                self._accounts.expect(_engine_lines(job, plan, self.site.base))

    def _settle(self) -> None:
        """Look until all is well, or patience ends."""
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            found = self._look()
            if not found or time.monotonic() >= end:
                break
            time.sleep(0.25)
        self.site.note(f"looked: {len(found)} promises are not kept")
        self.outcome.violations += found

    def _look(self) -> list[Violation]:
        descriptors, threads = self._counts()
        evidence = gather(
            self.site.home, [path for of_round in self.site.journals for path in of_round], self._known,
            computed_again=self._accounts.computed_again(),
            left_running=tuple(self.site.left_running()),
            refusals=tuple(self.site.refusals),
            descriptors=descriptors, threads=threads,
        )  # fmt: skip
        damage = self.faults.damage
        excuses = Excuses(
            set(self.faults.happened),
            damage.listed,
            self._excused_frames | damage.frames,
            self._excused_keyframes | damage.keyframes,
        )
        self.outcome.jobs, self.outcome.frames = len(evidence.jobs), len(evidence.frames)
        self.outcome.happened = self.faults.happened
        # What clients saw in this round, only the faults of this round justify.
        in_round = set(self.faults.happened - self._before)
        seen = replace(evidence, journals=tuple(entries(self.site.journals[-1])), refusals=())
        return list(dict.fromkeys([*check(evidence, excuses), *check(seen, replace(excuses, kinds=in_round))]))

    def _counts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if not self.site.is_up or self.site.process is None:
            return (), ()
        process = psutil.Process(self.site.process.pid)
        now = (process.num_fds(), process.num_threads())
        if self._first is None:
            self._first = now
        return (self._first[0], now[0]), (self._first[1], now[1])


def run_era(seed: int, faults: int, base: Path, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run an era from its seed until so many faults have happened, or to the first round that shows a violation."""
    begin = time.monotonic()
    with Site(base, name=f"seed{seed}") as site:
        site.ensure_server()
        this = Era(site, seed)
        outcome = this.outcome
        for planned in era(seed):
            each = replace(planned, faults=planned.faults[: faults - outcome.faults])
            try:
                this.round(each)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, round {each.number}: {error}\n{outcome.report()}") from error
            say(f"seed {seed}, round {each.number}: {outcome.faults} faults, {outcome.jobs} jobs")
            if outcome.violations or outcome.faults >= faults:
                break
        if not outcome.violations:
            this.end()
        outcome.seconds = time.monotonic() - begin
        assert not outcome.violations, f"{outcome.sentence()}\n{outcome.report()}"
        return outcome


# ---------------------------------------------------------------- what jobs come to


def request_of(job: Job) -> JobRequest:
    """What a client asks for."""
    settings = {"seconds": job.seconds} if job.engine == "blend" else {}
    order = make_order(
        keyframes(job.seed, job.keyframes, job.side, job.engine), count=job.count, timing=None, engine=job.engine,
        profile="" if settings else "draft", settings=settings, output=None,
    )  # fmt: skip
    return order.request()


def plan_of(job: Job, home: Path) -> Plan:
    """The frames that a job makes."""
    request = request_of(job)
    return make_plan(request, making_of(request, home)[0])


def _names(job: Job) -> set[str]:
    return {f"{keyframe.sha256}.png" for keyframe in request_of(job).keyframes}


def _engine_lines(job: Job, plan: Plan, scratch: Path) -> dict[str, str]:
    """What the blend engine writes down for each of a job's frames."""
    sums = []
    path = scratch / "keyframe.png"
    request = request_of(job)
    for data, keyframe in zip(keyframes(job.seed, job.keyframes, job.side), request.keyframes):
        path.write_bytes(data)
        sums.append(zlib.crc32(io.read(path, keyframe.format, "it").pixels.tobytes()))
    return {frame.key: f"{sums[gap.a]:08x}-{sums[gap.b]:08x} {frame.t!r}" for gap in plan.gaps for frame in gap.frames}
