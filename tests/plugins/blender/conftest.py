"""Tests of the Blender extension. Those in host/ run inside Blender: test_hosts.py sees to that."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

collect_ignore = ["host"]
