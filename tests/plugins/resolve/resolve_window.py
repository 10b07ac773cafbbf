"""A user who presses and chooses in the main window, one step each time that the loop comes round."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from fakes.resolve import base
from fakes.resolve.windows import Bmd, Fusion
from tweenbridge_resolve import app

Step = Callable[[Any, dict[str, Any]], Any]


class User:
    """Goes through steps with the main window, one each time that the loop comes round; waits where one gives False."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self._ends = time.monotonic() + 60
        self.threads: set[int] = set()

    def __call__(self, window: Any) -> None:
        self.threads.add(threading.get_ident())
        assert time.monotonic() < self._ends, "it does not end"
        items = window.GetItems()
        if "Generate" not in items:
            return
        if not self._steps:
            window.close()
        elif self._steps[0](window, items) is not False:
            del self._steps[0]


def press(name: str) -> Step:
    return lambda window, items: window.press(name)


def choose(name: str, word: str) -> Step:
    return lambda window, items: window.choose(name, word)


def put(name: str, what: str, value: Any) -> Step:
    return lambda window, items: setattr(items[name], what, value)


def until(text: str) -> Step:
    return lambda window, items: text in items["Status"].Text


def close_box(window: Any, items: Any) -> None:
    window.close()


def see(seen: list[Any], name: str, what: str) -> Step:
    return lambda window, items: seen.append(getattr(items[name], what))


def show(resolve: Any, *steps: Step, edit: bool = False, picked: str = "") -> tuple[int, Bmd, list[str]]:
    """Open the window, go through the steps, close it; returns the exit status, the windows, and what was said."""
    user, said = User(*steps), []
    bmd, fusion = Bmd(user), Fusion()
    fusion.picked = picked
    status = app.run(resolve, fusion, bmd, edit=edit, say=said.append)
    assert user.threads == base.CALLED_FROM == {threading.get_ident()}
    assert not any(window.shown for window in bmd.windows)
    return status, bmd, said
