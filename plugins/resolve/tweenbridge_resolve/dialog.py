"""The window, where Resolve has windows for scripts: keyframes, settings, progress, cancel.

Fusion's UIManager makes it. One loop, on one thread, does everything: it lets the window work (`StepLoop`), listens to
the server for a moment, and acts on what the user pressed. Handlers only take note, so nothing happens inside another
thing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from tweenbridge import TweenbridgeError
from tweenbridge.client import Client
from tweenbridge.events import Connected, Disconnected, ServerStarting
from tweenbridge.launcher import server_command
from tweenbridge.protocol.errors import ErrorCode, ErrorInfo
from tweenbridge.protocol.messages import EngineInfo, Engines, GetEngines

from . import choice as choices
from . import finding
from .choice import Choice
from .errors import PluginError
from .finding import Found
from .flow import Run
from .folders import usual_folder
from .form import Control, Form, Value, make_form, read_form
from .host import Host
from .timeline import Source
from .words import NOTHING_MADE, progress, summary, trouble

WINDOW = "TweenbridgeWindow"
_TICK = 0.05
_ALIVE = 2.0
"""Seconds between two looks whether Resolve still runs."""
_SERVER = 30.0
"""Seconds that the server gets to start and to say what engines it has."""
_WIDTH, _SMALL, _ROW = 820, 420, 32
"""Pixels: the window, the one that waits for the server, and a row of controls."""
_KINDS = {"check": "CheckBox", "number": "SpinBox", "choice": "ComboBox", "text": "LineEdit"}
_EVENTS = {"Generate": "Clicked", "Cancel": "Clicked", "Refresh": "Clicked", "Source": "CurrentIndexChanged",
           "Engine": "CurrentIndexChanged"}  # fmt: skip


class Dialog:
    """One window, from opening to closing.

    Args:
        ui, bmd: Fusion's UIManager, and the module that has its dispatcher.
        home: the data folder, in which the server is found and choices are remembered.
        edit: begin with the in-betweens under the playhead.
        say: where what came of it goes as well.
    """

    def __init__(self, host: Host, ui: Any, bmd: Any, home: Path, edit: bool, say: Callable[[str], None]) -> None:
        self._host = host
        self._ui = ui
        self._dispatcher = bmd.UIDispatcher(ui)
        self._home = home
        self._edit = edit
        self._say = say
        self._pressed: List[str] = []
        self._found: Tuple[Found, ...] = ()
        self._engines: Tuple[EngineInfo, ...] = ()
        self._form = Form((), ())
        self._run: Optional[Run] = None
        self._looked = time.monotonic()
        self._problem: Optional[ErrorInfo] = None
        self._closed = False
        self._status = 0

    def run(self) -> int:
        """Show the window until it is closed; returns the exit status, 1 where the last thing said was an error."""
        with Client(self._home, name="DaVinci Resolve") as client:
            self._engines = self._wait_for_engines(client)
            if not self._closed:
                self._open(client)
        return self._status

    # ------------------------------------------------------------ waiting for the server

    def _wait_for_engines(self, client: Client) -> Tuple[EngineInfo, ...]:
        """Ask the server what it can do, starting it where it does not run; a small window says so.

        Raises:
            TweenbridgeError: there is no server and none can be started, or it does not answer.
        """
        ui = self._ui
        label = ui.Label(
            {"ID": "Status", "Text": "Starting the Tweenbridge server…", "Alignment": {"AlignCenter": True}}
        )
        window = self._window([label, ui.Button({"ID": "Cancel", "Text": "Cancel"})], 110, ["Cancel"])
        window.Show()
        reply, end = client.ask(GetEngines()), time.monotonic() + _SERVER
        try:
            while not reply.done and not self._closed and time.monotonic() < end:
                self._turn(client)
                self._raise_if_hopeless()
                self._closed = self._closed or bool(self._pressed)
        finally:
            self._pressed.clear()
            window.Hide()
        if self._closed:
            return ()
        # What is still missing is waited for no longer; the client says why.
        answer = reply.result() if reply.done else None
        return answer.engines if isinstance(answer, Engines) else client.engines(timeout=0.5)

    def _raise_if_hopeless(self) -> None:
        """Raises TweenbridgeError where waiting for the server would be in vain."""
        if self._problem is None:
            return
        if self._problem.code in (ErrorCode.START_FAILED, ErrorCode.UNAUTHORIZED, ErrorCode.VERSION):
            raise TweenbridgeError.from_info(self._problem)
        if self._problem.code is ErrorCode.NOT_RUNNING:
            # Raises, and says what to do, where nothing tells how to start it.
            server_command(self._home)

    def _turn(self, client: Client) -> None:
        """One turn of the loop: the window, then the server."""
        self._dispatcher.StepLoop(False)
        if self._run is None:
            for event in client.poll(_TICK):
                if isinstance(event, (Connected, ServerStarting)):
                    self._problem = None
                elif isinstance(event, Disconnected):
                    self._problem = event.error
        else:
            self._run.step(_TICK)
        if time.monotonic() > self._looked + _ALIVE:
            self._looked = time.monotonic()
            self._closed = self._closed or not self._host.is_alive()

    # ------------------------------------------------------------ the window

    def _window(self, elements: List[Any], height: int, ids: List[str], width: int = _SMALL) -> Any:
        ui = self._ui
        window = self._dispatcher.AddWindow(
            {"ID": WINDOW, "WindowTitle": "Tweenbridge: in-betweens", "Geometry": [200, 120, width, height]},
            [ui.VGroup({"Spacing": 6}, elements)],
        )
        for name in ids:
            setattr(getattr(window.On, name), _EVENTS[name], self._note(name))
        getattr(window.On, WINDOW).Close = self._close
        return window

    def _note(self, name: str) -> Callable[[Any], None]:
        return lambda _event: self._pressed.append(name)

    def _close(self, _event: Any) -> None:
        self._closed = True

    def _open(self, client: Client) -> None:
        """The main window, until it is closed. A run that is under way then is cancelled."""
        choice = self._look()
        usual = choice.folder or str(usual_folder())
        titles = [found.title for found in self._found] or ["None on this timeline yet"]
        self._form = make_form(titles, self._engines, choice, usual)
        # Beside the settings of an engine there is room for the list of keyframes, which takes what is left.
        rows = max(10, 1 + max(len(page) for page in self._form.pages))
        window = self._window(self._elements(), 150 + _ROW * rows, list(_EVENTS), _WIDTH)
        self._items: Dict[str, Any] = window.GetItems()
        self._fill()
        window.Show()
        try:
            while not self._closed:
                self._turn(client)
                self._show_run()
                for name in self._taken():
                    self._act(name, client)
        finally:
            if self._run is not None and not self._run.stage.is_final:
                self._run.abandon()
                self._say(f"Tweenbridge: {NOTHING_MADE}")
            window.Hide()

    def _taken(self) -> List[str]:
        pressed, self._pressed = self._pressed, []
        return pressed

    def _look(self) -> Choice:
        """Look for keyframes anew; returns the settings to show."""
        self._found = finding.look(self._host)
        if self._edit:
            self._found = tuple(sorted(self._found, key=lambda found: found.source is not Source.TAKE))
        first = self._found[0].choice if self._edit and self._found else None
        return first or choices.load(self._home)

    # ------------------------------------------------------------ elements

    def _elements(self) -> List[Any]:
        ui, general = self._ui, {control.id: control for control in self._form.general}
        pages = [ui.VGroup({"ID": f"Page{i}"}, [self._row(c) for c in page]) for i, page in enumerate(self._form.pages)]
        timing = [self._row(general[name]) for name in ("Spacing", "Hold", "Count", "Chart", "Loop")]
        buttons = [
            ui.Button({"ID": "Cancel", "Text": "Close"}),
            ui.Button({"ID": "Generate", "Text": "Generate in-betweens"}),
        ]
        refresh = ui.Button({"ID": "Refresh", "Text": "Look again", "Weight": 0})
        left = [
            ui.HGroup({"Weight": 0}, [self._row(general["Source"]), refresh]),
            ui.TextEdit({"ID": "Found", "ReadOnly": True, "Weight": 1}),
            *timing,
        ]
        right = [self._row(general["Engine"]), ui.Stack({"ID": "Pages", "Weight": 1}, pages)]
        return [
            ui.HGroup(
                {"Weight": 1, "Spacing": 16}, [ui.VGroup({"Spacing": 6}, left), ui.VGroup({"Spacing": 6}, right)]
            ),
            self._row(general["Folder"]),
            ui.Label({"ID": "Status", "Text": "", "WordWrap": True, "Weight": 0}),
            ui.HGroup({"Weight": 0}, buttons),
        ]

    def _row(self, control: Control) -> Any:
        ui, more = self._ui, {"ToolTip": control.help} if control.help else {}
        if control.kind == "check":
            return ui.CheckBox({"ID": control.id, "Text": control.label, "Weight": 0, **more})
        made = getattr(ui, _KINDS[control.kind])({"ID": control.id, "Weight": 1, **more})
        return ui.HGroup({"Weight": 0}, [ui.Label({"Text": control.label, "Weight": 0.4}), made])

    def _fill(self) -> None:
        """Put the form's values into the controls."""
        for control in self._form.controls():
            item = self._items[control.id]
            if control.kind == "choice":
                item.Clear()
                for word in control.choices:
                    item.AddItem(word)
                item.CurrentIndex = control.value
            elif control.kind == "number":
                item.Minimum, item.Maximum, item.Value = control.lowest, control.highest, control.value
            elif control.kind == "check":
                item.Checked = control.value
            else:
                item.Text = control.value
        self._drop_changes()
        self._show_found()
        self._items["Pages"].CurrentIndex = self._items["Engine"].CurrentIndex

    def _drop_changes(self) -> None:
        """Forget changes that filling the controls has set off: they are no wish of the user's."""
        self._dispatcher.StepLoop(False)
        self._pressed = [name for name in self._pressed if _EVENTS[name] == "Clicked"]

    def _values(self) -> Dict[str, Value]:
        held = {"choice": "CurrentIndex", "number": "Value", "check": "Checked", "text": "Text"}
        return {control.id: getattr(self._items[control.id], held[control.kind]) for control in self._form.controls()}

    def _chosen(self) -> Optional[Found]:
        index = int(self._items["Source"].CurrentIndex)
        return self._found[index] if 0 <= index < len(self._found) else None

    def _show_found(self) -> None:
        chosen = self._chosen()
        self._items["Generate"].Enabled = chosen is not None
        if chosen is not None:
            self._items["Found"].PlainText = chosen.listing(self._host)
            return
        nothing = finding.nothing_found()
        self._items["Found"].PlainText = f"{nothing.sentence}\n{nothing.remedy}"

    # ------------------------------------------------------------ what the user pressed

    def _act(self, name: str, client: Client) -> None:
        busy = self._run is not None
        if name == "Cancel" and self._run is not None:
            self._run.cancel()
        elif name == "Cancel":
            self._closed = True
        elif name == "Engine":
            self._items["Pages"].CurrentIndex = self._items["Engine"].CurrentIndex
        elif name == "Source" and not busy:
            self._take_over()
        elif name == "Refresh" and not busy:
            self._guarded(self._refresh)
        elif name == "Generate" and not busy:
            self._guarded(lambda: self._generate(client))

    def _take_over(self) -> None:
        """Another source: show its keyframes, and for in-betweens also the settings they were made with."""
        chosen = self._chosen()
        if chosen is not None and chosen.choice is not None:
            self._show_choice(chosen.choice, self._found.index(chosen))
        self._show_found()

    def _refresh(self) -> None:
        values = self._values()
        choice = read_form(values, self._engines, str(usual_folder()))
        # Another timeline may be open by now.
        self._host = Host(self._host.resolve)
        self._look()
        self._show_choice(choice, 0)

    def _show_choice(self, choice: Choice, source: int) -> None:
        titles = [found.title for found in self._found] or ["None on this timeline yet"]
        self._form = make_form(titles, self._engines, choice, choice.folder or str(usual_folder()))
        self._fill()
        self._items["Source"].CurrentIndex = source
        self._drop_changes()
        self._show_found()

    def _generate(self, client: Client) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        choice = read_form(self._values(), self._engines, str(usual_folder()))
        choices.save(choice, self._home)
        run = Run(self._host, client, chosen.keyframes, choice, colour=chosen.colour)
        self._items["Status"].Text = "Taking the keyframes' pictures…"
        self._show_busy(True)
        try:
            # While Resolve gives the pictures it lets no window work, so this has to be seen before.
            self._dispatcher.StepLoop(False)
            run.begin()
        except BaseException:
            self._show_busy(False)
            raise
        self._run, self._status = run, 0

    def _show_busy(self, busy: bool) -> None:
        self._items["Generate"].Enabled = not busy
        self._items["Refresh"].Enabled = not busy
        self._items["Cancel"].Text = "Cancel" if busy else "Close"

    def _guarded(self, what: Callable[[], None]) -> None:
        try:
            what()
        except (PluginError, TweenbridgeError) as error:
            self._status = 1
            self._tell(trouble(error))

    def _show_run(self) -> None:
        """How far the run is; once it has ended, what came of it."""
        if self._run is None:
            return
        if not self._run.stage.is_final:
            shown = progress(self._run)
            if self._items["Status"].Text != shown:
                self._items["Status"].Text = shown
            return
        ended, self._run = self._run, None
        self._status = 1 if ended.error is not None else 0
        self._show_busy(False)
        self._tell(summary(ended))

    def _tell(self, text: str) -> None:
        self._items["Status"].Text = text
        for line in text.splitlines():
            self._say(f"Tweenbridge: {line}")
