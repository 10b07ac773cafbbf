"""What the tests of this folder and of tests/chaos go by where something is promised in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import processor
import pytest

from .conftest import Command

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="only Linux counts for how long a thread waits for a processor"
)


def test_who_waits_for_a_processor_is_given_that_time() -> None:
    """Two programs on one processor: each waits for about half of the time."""
    one = sorted(os.sched_getaffinity(0))[0]
    spin = f"import os\nos.sched_setaffinity(0, {{{one}}})\nwhile True: pass"
    both = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
    try:
        pid = both[0].pid
        patience = processor.Patience(0.5, lambda: [pid])
        began, before = time.monotonic(), processor.waits(pid)
        while not patience.is_over:
            assert time.monotonic() < began + 60
            time.sleep(0.02)
        passed, after = time.monotonic() - began, processor.waits(pid)
    finally:
        for process in both:
            process.kill()
            process.wait()
    [waited] = [after[thread] - before.get(thread, 0.0) for thread in after]
    assert waited > 0.2
    assert passed > 0.5 + 0.8 * waited


def test_a_command_is_killed_where_its_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), Command([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        raise ZeroDivisionError
    assert process.poll() is not None


def test_who_sleeps_waits_for_no_processor() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        patience = processor.Patience(0.1, lambda: [process.pid])
        time.sleep(0.1)
        while not patience.is_over:
            time.sleep(0.01)
        process.kill()
    assert processor.Patience(0.0, list).is_over
