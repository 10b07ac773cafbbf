"""The window's logic, where Resolve has windows for scripts: what is found, a run and its questions, progress.

One loop, on one thread, does everything: it lets the window work (`StepLoop`), listens to the server for a moment, and
acts on what the user pressed. Handlers only take note, so nothing happens inside another thing.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from tweenbridge import TweenbridgeError
from tweenbridge.client import Client
from tweenbridge.protocol.messages import EngineInfo

from . import choice as choices
from . import estimate, finding, removal
from .cautions import cautions
from .choice import Choice
from .errors import PluginError
from .finding import Found
from .flow import Run, Stage
from .folders import chosen_folder, usual_folder
from .form import Form, Value, make_form, read_form
from .host import Host
from .placement import Keyframe
from .preview import write_preview
from .timeline import Source
from .waiting import wait_for_engines
from .window import BUTTONS, EVENTS, Question, Windows, fill, show_preview, values
from .words import NO_ALPHA, progress, summary, trouble

_TICK = 0.05
_ALIVE = 2.0
"""Seconds between two looks whether Resolve still runs."""


class Dialog:
    """One window, from opening to closing.

    Args:
        ui, bmd: Fusion's UIManager, and the module that has its dispatcher.
        home: the data folder, in which the server is found and choices are remembered.
        edit: begin with the in-betweens under the playhead.
        say: where what came of it goes as well.
        pick: asks for a folder, beginning with one; None where this version has no way to.
        beat: called at every turn of the loop.
    """

    def __init__(
        self, host: Host, ui: Any, bmd: Any, home: Path, edit: bool, say: Callable[[str], None],
        pick: Optional[Callable[[str], Any]] = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._host = host
        self._windows = Windows(ui, bmd.UIDispatcher(ui))
        self._home = home
        self._edit = edit
        self._say = say
        self._pick = pick
        self._beat = beat
        self._found: Tuple[Found, ...] = ()
        self._told: Dict[Tuple[Keyframe, ...], Tuple[str, ...]] = {}
        """What was found to be known of keyframes, since the last look at the timeline."""
        self._engines: Tuple[EngineInfo, ...] = ()
        self._form = Form((), ())
        self._items: Dict[str, Any] = {}
        self._window: Any = None
        self._run: Optional[Run] = None
        self._question: Optional[Question] = None
        self._begun = self._looked = time.monotonic()
        self._closed = False
        self._status = 0

    def run(self) -> int:
        """Show the window until it is closed; returns the exit status, 1 where the last thing said was an error.

        Raises:
            TweenbridgeError: there is no server and none can be started, or it does not answer.
            NoWindow: this edition makes none.
        """
        with Client(self._home, name="DaVinci Resolve") as client:
            engines = wait_for_engines(client, self._windows, self._home, self._goes_on)
            if engines is not None:
                self._engines = engines
                self._open(client)
        return self._status

    def _turn(self, client: Client) -> None:
        """One turn of the loop: the window, then the server."""
        self._windows.dispatcher.StepLoop(False)
        if self._run is None:
            client.poll(_TICK)
        else:
            self._run.step(_TICK)
        self._closed = self._closed or not self._goes_on()

    def _goes_on(self) -> bool:
        """Whether Resolve still runs, as far as that was looked at lately."""
        self._beat()
        if time.monotonic() <= self._looked + _ALIVE:
            return True
        self._looked = time.monotonic()
        return self._host.is_alive()

    # ------------------------------------------------------------ the window

    def _open(self, client: Client) -> None:
        """The main window, until it is closed."""
        choice = self._look()
        self._form = self._make_form(choice)
        self._window = self._windows.main(self._form)
        self._items = self._window.GetItems()
        self._show_choice(choice, 0)
        self._window.Show()
        try:
            while not self._closed:
                self._turn(client)
                self._show_run()
                if self._windows.closed:
                    self._close()
                for name in self._taken():
                    self._act(name, client)
        finally:
            if self._run is not None and not self._run.stage.is_final:
                self._run.abandon()
                self._say(f"Tweenbridge: {summary(self._run)}")
            self._window.Hide()

    def _close(self) -> None:
        """The close box: in mid-run it asks, for all that was made so far would be lost."""
        self._windows.closed = False
        if self._run is None or self._run.stage.is_final or self._question is not None:
            self._closed = True
            return
        # Closing has hidden it.
        self._window.Show()
        self._ask(
            "In-betweens are being made. Closing this window stops them.",
            Generate=("Go on", lambda: None),
            Cancel=("Stop and close", self._stop),
        )

    def _stop(self) -> None:
        self._closed = True

    def _taken(self) -> List[str]:
        pressed = list(self._windows.pressed)
        self._windows.pressed.clear()
        return pressed

    def _look(self) -> Choice:
        """Look for keyframes anew; returns the settings to show."""
        kept = choices.load(self._home)
        self._told.clear()
        self._found = finding.look(self._host, kept.bridge)
        if self._edit:
            self._found = tuple(sorted(self._found, key=lambda found: found.source is not Source.TAKE))
        first = self._found[0].choice if self._edit and self._found else None
        return first or kept

    def _make_form(self, choice: Choice) -> Form:
        titles = [found.title for found in self._found] or ["None on this timeline yet"]
        return make_form(titles, self._engines, choice, choice.folder or str(usual_folder()))

    def _show_choice(self, choice: Choice, source: int) -> None:
        self._form = self._make_form(choice)
        fill(self._items, self._form)
        self._items["Source"].CurrentIndex = source
        self._items["Pages"].CurrentIndex = self._items["Engine"].CurrentIndex
        # Changes that filling the controls has set off are no wish of the user's.
        self._windows.dispatcher.StepLoop(False)
        self._windows.pressed[:] = [name for name in self._windows.pressed if EVENTS[name] == "Clicked"]
        self._show_found()

    def _values(self) -> Dict[str, Value]:
        return values(self._items, self._form)

    def _chosen(self) -> Optional[Found]:
        index = int(self._items["Source"].CurrentIndex)
        found = self._found[index] if 0 <= index < len(self._found) else None
        return None if found is None else found.bridged(self._host, int(self._items["Bridge"].Value))

    def _show_found(self) -> None:
        """The list of keyframes, what they would make, and what should be known before."""
        chosen = self._chosen()
        self._items["Generate"].Enabled = chosen is not None and self._run is None
        self._items["Remove"].Enabled = chosen is not None and chosen.source is Source.TAKE
        self._items["Bridge"].Enabled = chosen is not None and chosen.source is Source.BRIDGE
        if chosen is None:
            nothing = finding.nothing_found(self._host)
            self._items["Found"].PlainText = f"{nothing.sentence}\n{nothing.remedy}"
            return
        if chosen.keyframes not in self._told:
            self._told[chosen.keyframes] = cautions(self._host, chosen.keyframes, bool(chosen.only))
        told = self._told[chosen.keyframes]
        lines = [chosen.listing(self._host), "", self._cost(chosen), NO_ALPHA, *(f"Note: {each}" for each in told)]
        self._items["Found"].PlainText = "\n".join(lines)

    def _cost(self, chosen: Found) -> str:
        number = int(self._items["Engine"].CurrentIndex)
        engine = self._engines[number]
        titles = [profile.name for profile in engine.profiles]
        profile = titles[int(self._items[f"Profile{number}"].CurrentIndex)] if titles else ""
        each = estimate.speed(self._home, engine.name, profile, self._host.size())
        return estimate.in_words(chosen.between, float(self._host.rate.exact), self._host.size(), each)

    # ------------------------------------------------------------ what the user pressed

    def _act(self, name: str, client: Client) -> None:
        if self._question is not None:
            self._answer(name)
        elif name == "Cancel" and self._run is not None:
            self._run.cancel()
        elif name == "Cancel":
            self._closed = True
        elif name == "Engine":
            self._items["Pages"].CurrentIndex = self._items["Engine"].CurrentIndex
            self._show_found()
        elif self._run is not None:
            return
        elif name == "Source":
            self._take_over()
        elif name == "Bridge":
            self._show_found()
        else:
            does = {"Refresh": self._refresh, "Browse": self._browse, "Remove": self._ask_removal,
                    "Generate": lambda: self._generate(client)}  # fmt: skip
            self._guarded(does[name])

    def _take_over(self) -> None:
        """Another source: show its keyframes, and for in-betweens also the settings they were made with."""
        chosen = self._chosen()
        if chosen is not None and chosen.choice is not None:
            self._show_choice(chosen.choice, int(self._items["Source"].CurrentIndex))
        self._show_found()

    def _refresh(self) -> None:
        choice = read_form(self._values(), self._engines, str(usual_folder()))
        # Another timeline may be open by now.
        self._host = Host(self._host.resolve)
        self._look()
        self._show_choice(choice, 0)

    def _browse(self) -> None:
        chosen = self._pick(str(chosen_folder(self._items["Folder"].Text))) if self._pick is not None else None
        if chosen:
            self._items["Folder"].Text = str(chosen)
        elif self._pick is None:
            self._tell("This version of DaVinci Resolve has no folder window for scripts. Type the folder instead.")

    def _generate(self, client: Client) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        choice = read_form(self._values(), self._engines, str(usual_folder()))
        if finding.changed(self._host, chosen, choice.bridge):
            self._refresh()
            self._tell(
                "The timeline has changed, so this list was made again. Check it, then press Generate in-betweens."
            )
            return
        choices.save(choice, self._home)
        if chosen.between > estimate.MANY:
            self._ask(
                f"This makes {self._cost(chosen)}. Is that what you want?",
                Generate=(f"Make {chosen.between:,} in-betweens", lambda: self._guarded(self._begin(client, chosen))),
                Cancel=("Back", lambda: None),
            )
            return
        self._begin(client, chosen)()

    def _begin(self, client: Client, chosen: Found) -> Callable[[], None]:
        choice = read_form(self._values(), self._engines, str(usual_folder()))

        def begin() -> None:
            run = Run(self._host, client, chosen.keyframes, choice, colour=chosen.colour, only=chosen.only)
            self._items["Status"].Text = "Capturing keyframes…"
            show_preview(self._windows.ui, self._items, None)
            self._show_busy(True)
            try:
                # While Resolve gives the pictures it lets no window work, so this has to be seen before.
                self._windows.dispatcher.StepLoop(False)
                run.begin()
            except BaseException:
                self._show_busy(False)
                raise
            self._run, self._status, self._begun = run, 0, time.monotonic()

        return begin

    # ------------------------------------------------------------ questions

    def _ask(self, text: str, **answers: Tuple[str, Callable[[], None]]) -> None:
        self._question = Question(text, answers)
        self._items["Status"].Text = text
        for name in ("Generate", "Cancel", "Refresh", "Remove"):
            self._items[name].Enabled = name in answers
            if name in answers:
                self._items[name].Text = answers[name][0]

    def _answer(self, name: str) -> None:
        question = self._question
        if question is None or name not in question.answers:
            return
        self._question = None
        self._items["Status"].Text = ""
        self._show_busy(self._run is not None)
        question.answers[name][1]()

    def _ask_removal(self) -> None:
        what = removal.removable(self._host)
        if what is None:
            self._tell("There are no in-betweens under the playhead any more. Press Refresh.")
            return
        found = what

        def remove(with_files: bool) -> None:
            def act() -> None:
                said = removal.remove(self._host, found, with_files)
                self._refresh()
                self._tell(said)

            self._guarded(act)

        answers = {"Remove": ("Remove", lambda: remove(False)), "Cancel": ("Keep it", lambda: None)}
        if what.files:
            answers["Remove"] = ("Remove, keep files", lambda: remove(False))
            answers["Generate"] = ("Remove with files", lambda: remove(True))
        self._ask(what.question, **answers)

    def _show_busy(self, busy: bool) -> None:
        for button, words in BUTTONS.items():
            self._items[button].Text = words
        self._items["Generate"].Enabled = not busy
        self._items["Refresh"].Enabled = not busy
        self._items["Remove"].Enabled = False
        self._items["Cancel"].Enabled = True
        self._items["Cancel"].Text = "Cancel" if busy else "Close"
        if not busy:
            chosen = self._chosen()
            self._items["Remove"].Enabled = chosen is not None and chosen.source is Source.TAKE

    def _guarded(self, what: Callable[[], None]) -> None:
        try:
            what()
        except (PluginError, TweenbridgeError) as error:
            self._status = 1
            self._tell(trouble(error))

    # ------------------------------------------------------------ the run

    def _show_run(self) -> None:
        """How far the run is; once it has ended, what came of it."""
        run = self._run
        if run is None:
            return
        if run.stage is Stage.ASKING and (self._question is None or "Place anyway" not in str(self._question.answers)):
            self._ask(
                progress(run),
                Generate=("Place anyway", lambda: run.answer(place=True)),
                Cancel=("Keep frames", lambda: run.answer(place=False)),
            )
        elif not run.stage.is_final and self._question is None:
            shown = progress(run)
            if self._items["Status"].Text != shown:
                self._items["Status"].Text = shown
        elif run.stage.is_final:
            self._show_end(run)

    def _show_end(self, run: Run) -> None:
        self._run, self._question = None, None
        self._status = 1 if run.error is not None else 0
        self._show_busy(False)
        if run.result is not None:
            seconds = time.monotonic() - self._begun
            estimate.keep_speed(self._home, run.choice.engine, run.choice.profile, self._host.size(),
                                run.plan.frames, seconds)  # fmt: skip
            frames = sorted(run.folder.glob("*.tif"))
            picture = Path(tempfile.gettempdir(), "tweenbridge-preview.png")
            made = write_preview(frames[len(frames) // 2], picture) if frames else None
            show_preview(self._windows.ui, self._items, made)
        self._tell(summary(run))

    def _tell(self, text: str) -> None:
        self._items["Status"].Text = text
        for line in text.splitlines():
            self._say(f"Tweenbridge: {line}")
