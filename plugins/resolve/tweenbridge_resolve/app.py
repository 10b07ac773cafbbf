"""The way in: finds keyframes, asks, makes, places, and says what happened. Never raises."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Any, Callable, Optional

from tweenbridge import TweenbridgeError, data_dir
from tweenbridge.client import Client
from tweenbridge.timing import Timing

from . import choice as choices
from . import confirm, estimate, finding
from .cautions import cautions
from .dialog import Dialog
from .errors import PluginError, Trouble
from .flow import Run, Stage
from .host import Host
from .lock import Lock
from .placement import make_plan
from .watch import Watch
from .window import NoWindow
from .words import NO_ALPHA, NOTHING_MADE, progress, summary, trouble

NAME = "DaVinci Resolve"
_TICK = 0.05
_ALIVE = 2.0
"""Seconds between two looks whether Resolve still runs."""


def run(
    resolve: Any,
    fusion: Any = None,
    bmd: Any = None,
    *,
    edit: bool = False,
    say: Callable[[str], None] = print,
    alert: Optional[Callable[[str], None]] = None,
) -> int:
    """Make in-betweens on the current timeline, asking the user first.

    Args:
        resolve, fusion, bmd: what Resolve gives a menu script; `fusion` and `bmd` make windows, where there are any.
        edit: begin with the in-betweens under the playhead, and their settings.
        say: where sentences go beside windows.
        alert: where errors go that no window of ours shows; None says them.

    Returns:
        0 where it was done or declined, 1 where something is wrong; that was said.
    """
    lock = Lock(data_dir())
    try:
        if not lock.is_held:
            raise PluginError(
                Trouble.BUSY,
                "Tweenbridge is at work in another window already.",
                "Finish there, or close that window, then try again.",
            )
        with Watch(lambda text: say(f"Tweenbridge: {text}")) as watch:
            return _ask(Host(resolve), fusion, bmd, edit, say, watch)
    except Exception as error:  # noqa: BLE001 - the last resort: it is reported, and kept in a file
        text = trouble(error)
        if not isinstance(error, (PluginError, TweenbridgeError)):
            text = f"{text}\n{_kept(data_dir())}".strip()
        (alert or say)(text)
    finally:
        lock.release()
    return 1


def _ask(host: Host, fusion: Any, bmd: Any, edit: bool, say: Callable[[str], None], watch: Watch) -> int:
    """In a window of Resolve's where it makes one, else through the tray."""
    ui = _windows(fusion, bmd)
    if ui is not None:
        pick = getattr(fusion, "RequestDir", None)
        try:
            return Dialog(host, ui, bmd, data_dir(), edit, say, pick if callable(pick) else None, watch.beat).run()
        except NoWindow:
            # Some free editions have all that windows are made with, and make none.
            pass
    return _through_the_tray(host, data_dir(), edit, say, watch)


def _windows(fusion: Any, bmd: Any) -> Any:
    """Fusion's UIManager; None in editions that have none for scripts."""
    ui = getattr(fusion, "UIManager", None)
    return ui if ui is not None and callable(getattr(bmd, "UIDispatcher", None)) else None


def _kept(home: Path) -> str:
    path = home / "logs" / "resolve.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(traceback.format_exc() + "\n")
    except OSError:
        return ""
    return f"Please report it with the end of {path}."


def _through_the_tray(host: Host, home: Path, edit: bool, say: Callable[[str], None], watch: Watch) -> int:
    before = choices.load(home)
    found = finding.best(host, edit, before.bridge)
    before = found.choice or before
    plan = make_plan(found.keyframes, Timing())
    title = f"{host.timeline.GetName() or 'Timeline'}: {found.title}"
    frames, rate = found.between, float(host.rate.exact)
    each = estimate.speed(home, before.engine, before.profile, host.size())
    cost = estimate.in_words(frames, rate, host.size(), each)
    notes = (cost, NO_ALPHA, *cautions(host, found.keyframes, bool(found.only)))

    def is_alive() -> bool:
        watch.beat()
        return host.is_alive()

    chosen = confirm.ask(home, confirm.description(title, plan, before, notes), before, is_alive)
    if chosen is None:
        say(f"Tweenbridge: {NOTHING_MADE}")
        return 0
    if finding.changed(host, found, before.bridge):
        raise PluginError(
            Trouble.NO_KEYFRAMES, "The timeline has changed since you were asked.", "Start Tweenbridge again."
        )
    choices.save(chosen, home)
    with Client(home, name=NAME) as client:
        client.connect()
        run = Run(host, client, found.keyframes, chosen, colour=found.colour, only=found.only)
        run.begin()
        confirm.show_tray(home)
        drive(run, host, say, watch.beat)
    return report(run, say)


def drive(run: Run, host: Host, say: Callable[[str], None], beat: Callable[[], None] = lambda: None) -> None:
    """Step a run to its end, saying how far it is. Cancels it when Resolve ends."""
    last, looked = "", time.monotonic()
    try:
        while not run.stage.is_final:
            beat()
            run.step(_TICK)
            if run.stage is Stage.ASKING:
                # Nobody can be asked here: what is on the timeline goes first.
                say(f"Tweenbridge: {run.question}")
                run.answer(place=False)
            shown = progress(run)
            if shown != last and not run.stage.is_final:
                say(f"Tweenbridge: {shown}")
                last = shown
            if time.monotonic() > looked + _ALIVE:
                looked = time.monotonic()
                if not host.is_alive():
                    run.cancel()
    except BaseException:
        run.abandon()
        raise


def report(run: Run, say: Callable[[str], None]) -> int:
    """Say what came of a run; returns the exit status."""
    for line in summary(run).splitlines():
        say(f"Tweenbridge: {line}")
    return 1 if run.stage is Stage.FAILED else 0
