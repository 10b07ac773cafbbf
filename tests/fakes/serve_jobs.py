"""A process that runs a job service, to be killed: `python serve_jobs.py HOME JOBS`. Submits jobs 0 to JOBS - 1.

It prints a line for everything it acknowledges: "known ID" for each job found at the start, "left N" for files in tmp/,
"started", "accepted ID", and "done" when all jobs are.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench import Bench, flat, request
from tweenbridge.protocol.messages import JobRequest


def pictures(job: int) -> list[bytes]:
    """Three keyframes; the first is the last one of the job before."""
    return [flat(40 + 3 * job + step, width=20) for step in (0, 1, 3)]


def wanted(job: int) -> JobRequest:
    return request(pictures(job), count=4, settings={"seconds": 0.02})


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    home, jobs = Path(sys.argv[1]), int(sys.argv[2])
    with Bench(home) as bench:
        for info in bench.service.jobs(1000):
            say(f"known {info.job}")
        say(f"left {len(list((home / 'spool' / 'tmp').iterdir()))}")
        say("started")
        for job in range(jobs):
            accepted = bench.submit(f"j{job}", wanted(job))
            say(f"accepted j{job}")
            for index in accepted.need:
                bench.service.put(f"j{job}", index, memoryview(pictures(job)[index]))
        while not all(bench.service.info(f"j{job}").state.is_final for job in range(jobs)):
            time.sleep(0.01)
        states = {bench.service.info(f"j{job}").state.value for job in range(jobs)}
        frames = [bench.bytes_of(f"j{job}", frame) for job in range(jobs) for frame in range(8)]
        say(f"done {' '.join(sorted(states))} {len(frames)}")


if __name__ == "__main__":
    main()
