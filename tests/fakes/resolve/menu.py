"""Workspace > Scripts > Tweenbridge, in a process of its own: runs the launcher as Resolve does.

    python menu.py LAUNCHER [--windows | --no-window]

The launcher gets `resolve`, `fusion` and `bmd`, no `__file__`, and whatever Python this is. With windows, a user
presses Generate, waits, and closes; with --no-window there is all that windows are made with, and none comes. Prints
the tracks and what is on them as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fakes.resolve import Quirks, make_resolve
from fakes.resolve.windows import Bmd, Fusion


class User:
    """Presses Generate once, and closes when it has ended."""

    def __init__(self):
        self.said = []
        self.pressed = False
        self.ends = time.monotonic() + 60

    def __call__(self, window):
        assert time.monotonic() < self.ends, "it does not end"
        items = window.GetItems()
        if window.name == "TweenbridgeMessage":
            self.said.append(items["Text"].Text)
            window.press("Close")
        elif "Generate" in items and not self.pressed:
            self.pressed = window.press("Generate")
        elif "Generate" in items and items["Generate"].Enabled and items["Status"].Text:
            self.said.append(items["Status"].Text)
            window.close()


def main():
    windows, none_comes = "--windows" in sys.argv, "--no-window" in sys.argv
    resolve = make_resolve(Quirks(studio=windows))
    timeline = resolve.GetProjectManager().GetCurrentProject().GetCurrentTimeline()
    for frame in (3, 9):
        timeline.AddMarker(frame, "Blue", f"K{frame}", "", 1)
    launcher, user = sys.argv[1], User()
    given = {
        "resolve": resolve,
        "fusion": Fusion(windows or none_comes),
        "bmd": Bmd(user, 0 if none_comes else 99),
        "__name__": "__main__",
    }
    sys.path = [entry for entry in sys.path if "site-packages" not in entry]
    sys.argv = [""]
    exec(compile(Path(launcher).read_text(encoding="utf-8"), launcher, "exec"), given)
    tracks = {t.name: [(i._start - timeline._start, i._length) for i in t.items] for t in timeline._tracks}
    print(json.dumps({"tracks": tracks, "said": user.said}))


main()
