"""The controls of the window: made by Fusion's UIManager, filled from a form, read back. No logic of a run is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from .form import Control, Form, Value

WINDOW = "TweenbridgeWindow"
EVENTS = {
    "Generate": "Clicked", "Cancel": "Clicked", "Refresh": "Clicked", "Remove": "Clicked", "Browse": "Clicked",
    "Source": "CurrentIndexChanged", "Engine": "CurrentIndexChanged", "Bridge": "ValueChanged",
}  # fmt: skip
"""What is listened to."""
BUTTONS = {"Generate": "Generate in-betweens", "Refresh": "Refresh", "Remove": "Remove this take…"}
"""Their words, where nothing is asked."""
_WIDTH, _SMALL, _ROW = 820, 420, 32
"""Pixels: the window, the one that waits for the server, and a row of controls."""
_PREVIEW = (160, 90)
_KINDS = {"check": "CheckBox", "number": "SpinBox", "choice": "ComboBox", "text": "LineEdit"}
_HOLDS = {"choice": "CurrentIndex", "number": "Value", "check": "Checked", "text": "Text"}


@dataclass(frozen=True)
class Question:
    """Something that is asked in the window, in the place of its buttons.

    Attributes:
        answers: for a button, its words and what it does; the others rest meanwhile.
    """

    text: str
    answers: Dict[str, Tuple[str, Callable[[], None]]]


class NoWindow(Exception):
    """This edition has what windows are made with, and makes none."""


class Windows:
    """Makes windows, and takes note of what is pressed in them: handlers do nothing else.

    Attributes:
        pressed: names of controls, in order.
        closed: the window's close box was used.
    """

    def __init__(self, ui: Any, dispatcher: Any) -> None:
        self.ui = ui
        self.dispatcher = dispatcher
        self.pressed: List[str] = []
        self.closed = False

    def make(self, elements: List[Any], height: int, ids: List[str], width: int = _SMALL) -> Any:
        """A window, not shown yet.

        Raises:
            NoWindow: there comes none.
        """
        window = self.dispatcher.AddWindow(
            {"ID": WINDOW, "WindowTitle": "Tweenbridge: in-betweens", "Geometry": [200, 120, width, height]},
            [self.ui.VGroup({"Spacing": 6}, elements)],
        )
        if window is None:
            raise NoWindow
        for name in ids:
            setattr(getattr(window.On, name), EVENTS[name], self._note(name))
        getattr(window.On, WINDOW).Close = self._close
        return window

    def _note(self, name: str) -> Callable[[Any], None]:
        return lambda _event: self.pressed.append(name)

    def _close(self, _event: Any) -> None:
        self.closed = True

    def waiting(self, text: str) -> Any:
        """A small window with a sentence and Cancel."""
        label = self.ui.Label({"ID": "Status", "Text": text, "Alignment": {"AlignCenter": True}})
        return self.make([label, self.ui.Button({"ID": "Cancel", "Text": "Cancel"})], 110, ["Cancel"])

    def main(self, form: Form) -> Any:
        """The window with all controls."""
        # Beside the settings of an engine there is room for the list of keyframes, which takes what is left.
        rows = max(13, 1 + max((len(page) for page in form.pages), default=0))
        return self.make(self._elements(form), 190 + _ROW * rows, list(EVENTS), _WIDTH)

    def _elements(self, form: Form) -> List[Any]:
        ui, general = self.ui, {control.id: control for control in form.general}
        pages = [ui.VGroup({"ID": f"Page{i}"}, [self._row(c) for c in page]) for i, page in enumerate(form.pages)]
        timing = [self._row(general[name]) for name in ("Bridge", "Spacing", "Hold", "Count", "Chart", "Loop")]
        refresh = ui.Button({"ID": "Refresh", "Text": "Refresh", "Weight": 0})
        browse = ui.Button({"ID": "Browse", "Text": "Browse…", "Weight": 0})
        left = [
            ui.HGroup({"Weight": 0}, [self._row(general["Source"]), refresh]),
            ui.TextEdit({"ID": "Found", "ReadOnly": True, "Weight": 1}),
            *timing,
        ]
        right = [self._row(general["Engine"]), ui.Stack({"ID": "Pages", "Weight": 1}, pages)]
        buttons = [
            ui.Button({"ID": "Remove", "Text": "Remove this take…", "Enabled": False}),
            ui.Button({"ID": "Cancel", "Text": "Close"}),
            ui.Button({"ID": "Generate", "Text": "Generate in-betweens"}),
        ]
        said = [
            ui.Label({"ID": "Status", "Text": "", "WordWrap": True, "Weight": 1}),
            ui.Button(
                {"ID": "Preview", "Text": "", "Flat": True, "Hidden": True, "Weight": 0, "IconSize": list(_PREVIEW)}
            ),
        ]
        return [
            ui.HGroup(
                {"Weight": 1, "Spacing": 16}, [ui.VGroup({"Spacing": 6}, left), ui.VGroup({"Spacing": 6}, right)]
            ),
            ui.HGroup({"Weight": 0}, [self._row(general["Folder"]), browse]),
            ui.HGroup({"Weight": 0}, said),
            ui.HGroup({"Weight": 0}, buttons),
        ]

    def _row(self, control: Control) -> Any:
        """A control with its label before it; a check carries its own."""
        ui, kind = self.ui, _KINDS[control.kind]
        shown = {"ID": control.id, "ToolTip": control.help}
        if control.kind == "check":
            return ui.CheckBox({**shown, "Text": control.label, "Weight": 0})
        label = ui.Label({"Text": control.label, "Weight": 0.5, "ToolTip": control.help})
        return ui.HGroup({"Weight": 0}, [label, getattr(ui, kind)({**shown, "Weight": 1})])


def fill(items: Dict[str, Any], form: Form) -> None:
    """Show a form's values in the controls."""
    for control in form.controls():
        item = items[control.id]
        if control.kind == "choice":
            item.Clear()
            for word in control.choices:
                item.AddItem(word)
        elif control.kind == "number":
            item.Minimum, item.Maximum = control.lowest, control.highest
        setattr(item, _HOLDS[control.kind], control.value)


def values(items: Dict[str, Any], form: Form) -> Dict[str, Value]:
    """What the controls hold."""
    return {control.id: getattr(items[control.id], _HOLDS[control.kind]) for control in form.controls()}


def show_preview(ui: Any, items: Dict[str, Any], picture: Optional[Path]) -> None:
    """Show a picture beside the status; None hides it."""
    if picture is not None:
        items["Preview"].Icon = ui.Icon({"File": str(picture)})
    items["Preview"].Hidden = picture is None
