"""Kill -9 at seeded moments, of server and worker: nothing acknowledged is lost, nothing stored is made twice."""

from __future__ import annotations

import queue
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from bench import FAKES, Bench, computed, flat, request
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs.service import Retention


class Server:
    """The process that runs a job service, and what it said."""

    def __init__(self, home: Path, jobs: int) -> None:
        command = [sys.executable, str(FAKES / "serve_jobs.py"), str(home), str(jobs)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._arrived: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.strip())
            self._arrived.put(line.strip())

    def expect(self, start: str) -> str:
        while True:
            line = self._arrived.get(timeout=60)
            if line.startswith(start):
                return line

    def kill(self) -> None:
        """End the process; its workers end by themselves."""
        workers = psutil.Process(self.process.pid).children() if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        self._reader.join()
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive, "a killed server leaves no worker behind"

    def said(self, word: str) -> list[str]:
        return [line.split()[1] for line in self.lines if line.startswith(f"{word} ")]


def stored(home: Path) -> int:
    return sum(1 for _ in (home / "spool" / "frames").rglob("*.png"))


def kill_and_check(home: Path, seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    for number in range(rounds):
        server = Server(home, jobs=1 + number // 2)
        if chance.random() < 0.8:
            server.expect("started")
        time.sleep(chance.uniform(0.0, 0.8))
        server.kill()
        if "started" in server.lines:
            assert acknowledged <= set(server.said("known"))
            assert server.said("left") == ["0"]
        acknowledged |= set(server.said("accepted"))
        # A frame that was computed and not stored may be computed again: at most the few that were under way.
        assert sum(computed(home).values()) - stored(home) <= 4 * (number + 1)
    jobs = 1 + rounds // 2
    server = Server(home, jobs)
    assert server.expect("done") == f"done done {8 * jobs}"
    server.process.wait()
    assert acknowledged <= set(server.said("known"))
    assert list((home / "spool" / "tmp").iterdir()) == []
    assert stored(home) == len(computed(home))


def test_a_server_killed_many_times_loses_nothing(tmp_path: Path) -> None:
    kill_and_check(tmp_path / "home", seed=1, rounds=20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_a_server_killed_very_many_times_loses_nothing(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path / "home", seed, rounds=50)


def test_what_was_stored_when_the_server_was_killed_is_not_computed_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    chance = random.Random(7)
    for _ in range(5):
        server = Server(home, jobs=3)
        server.expect("started")
        time.sleep(chance.uniform(0.45, 0.7))
        server.kill()
        had, was = stored(home), computed(home)
        again = Server(home, jobs=3)
        again.expect("started")
        time.sleep(0.6)
        again.kill()
        repeated = sum((computed(home) - was).values()) - (len(computed(home)) - len(was))
        assert repeated <= sum(was.values()) - had


def test_a_frame_file_that_nobody_noted_is_adopted(tmp_path: Path) -> None:
    """A worker of a killed server may store a frame that its server does not live to hear of."""
    home = tmp_path / "home"
    pictures = [flat(10), flat(90)]
    with Bench(home) as bench:
        bench.send("j", pictures)
        bench.wait("j")
        first = [bench.bytes_of("j", frame) for frame in range(3)]
    for path in home.glob("jobs.sqlite3*"):
        path.unlink()
    with Bench(home) as bench:
        assert bench.send("j", pictures).done == (0, 1, 2)
        assert bench.wait("j").state is JobState.DONE
        assert [bench.bytes_of("j", frame) for frame in range(3)] == first
        assert set(bench.computed().values()) == {1}


def test_a_frame_that_appears_while_the_server_runs_is_adopted(tmp_path: Path) -> None:
    """The last worker of a killed server may store a frame after the next server has looked."""
    pictures = [flat(10), flat(90)]
    with Bench(tmp_path / "home", retention=Retention(max_bytes=0)) as bench:
        bench.send("j", pictures)
        bench.wait("j")
        files = {path: path.read_bytes() for path in (bench.home / "spool" / "frames").rglob("*.png")}
        bench.service.keep_house()
        assert not any(path.exists() for path in files)
        for path, data in list(files.items())[:2]:
            path.write_bytes(data)
        assert bench.send("j", pictures).done == ()
        assert bench.wait("j").done == 3
        assert {path: path.read_bytes() for path in files} == files
        assert sum(bench.computed().values()) == 4


def test_a_note_survives_adoption(tmp_path: Path) -> None:
    home = tmp_path / "home"
    pictures = [flat(10), flat(10)]
    with Bench(home) as bench:
        bench.send("j", pictures)
        notes = bench.wait("j").notes
    for path in home.glob("jobs.sqlite3*"):
        path.unlink()
    with Bench(home) as bench:
        bench.send("j", pictures)
        assert bench.wait("j").notes == notes != ()


def test_a_worker_killed_at_any_moment_costs_only_what_was_under_way(tmp_path: Path) -> None:
    chance = random.Random(3)
    with Bench(tmp_path / "home") as bench:
        for number in range(10):
            pictures = [flat(20 * number + level, width=24) for level in (0, 5, 10)]
            bench.send(f"j{number}", pictures, request(pictures, count=4, settings={"seconds": 0.02}))
            time.sleep(chance.uniform(0.0, 0.5))
            for worker in bench.service.workers():
                psutil.Process(worker.pid).kill()
            done = bench.wait(f"j{number}")
            assert done.state is JobState.DONE, done
            assert len([bench.bytes_of(f"j{number}", frame) for frame in range(8)]) == 8
        assert len(bench.computed()) == 80
        assert max(bench.computed().values()) <= 2
        assert sum(bench.computed().values()) <= 80 + 3 * 10
        assert list((bench.home / "spool" / "tmp").glob("*.part")) == []
