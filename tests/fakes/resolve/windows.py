"""Fusion's UIManager and its dispatcher, as they are documented, with a user who does what a script tells.

Elements take the properties of their kind and no others, `On` knows the events of an element and no others, and an ID
that is nowhere in the window is an error here, where the real ones would stay silent. Handlers run inside `StepLoop` or
`RunLoop` only.
"""

from __future__ import annotations

_COMMON = {"ID", "Weight", "ToolTip", "Enabled", "Hidden"}
_PROPERTIES = {
    "VGroup": {"Spacing"},
    "HGroup": {"Spacing"},
    "Stack": {"CurrentIndex"},
    "Label": {"Text", "WordWrap", "Alignment"},
    "Button": {"Text", "Flat", "Icon", "IconSize"},
    "LineEdit": {"Text", "PlaceholderText", "ReadOnly"},
    "TextEdit": {"PlainText", "ReadOnly", "Text"},
    "CheckBox": {"Text", "Checked"},
    "SpinBox": {"Value", "Minimum", "Maximum"},
    "ComboBox": {"CurrentIndex"},
}
_EVENTS = {
    "Button": {"Clicked"}, "ComboBox": {"CurrentIndexChanged"}, "CheckBox": {"Clicked"}, "Window": {"Close"},
    "LineEdit": {"TextChanged"}, "SpinBox": {"ValueChanged"},
}  # fmt: skip


class Element:
    """A control, or a group of them."""

    def __init__(self, kind, properties, children=()):
        unknown = set(properties) - _COMMON - _PROPERTIES[kind]
        assert not unknown, f"{kind} has no {unknown}"
        self.__dict__.update({"_kind": kind, "_children": list(children), "_words": [], "_window": None, "_set": {}})
        defaults = {"SpinBox": {"Value": 0, "Minimum": 0, "Maximum": 99}, "ComboBox": {"CurrentIndex": -1},
                    "CheckBox": {"Checked": False}, "LineEdit": {"Text": ""}, "TextEdit": {"PlainText": ""},
                    "Stack": {"CurrentIndex": 0}}  # fmt: skip
        self._set.update({"Enabled": True, **defaults.get(kind, {}), **properties})

    def __getattr__(self, name):
        if name in self._set:
            return self._set[name]
        raise AttributeError(f"{self._kind} has no {name}")

    def __setattr__(self, name, value):
        assert name in _COMMON | _PROPERTIES[self._kind], f"{self._kind} has no {name}"
        if name in ("Text", "PlainText"):
            assert isinstance(value, str), value
        if name == "Value":
            value = max(self._set["Minimum"], min(self._set["Maximum"], value))
        if name == "CurrentIndex" and self._kind == "ComboBox":
            assert -1 <= value < len(self._words), (value, self._words)
        before, self._set[name] = self._set.get(name), value
        if name == "CurrentIndex" and before != value and self._kind == "ComboBox":
            self._window.happen(self._set.get("ID"), "CurrentIndexChanged")

    # A combo box's words.

    def AddItem(self, text):
        assert self._kind == "ComboBox"
        self._words.append(text)
        if len(self._words) == 1:
            self.CurrentIndex = 0

    def Clear(self):
        assert self._kind == "ComboBox"
        self._words.clear()
        self._set["CurrentIndex"] = -1

    def all(self):
        """This element and all inside it."""
        yield self
        for child in self._children:
            yield from child.all()


class UIManager:
    """Makes elements."""

    def Icon(self, properties):
        assert set(properties) == {"File"}
        return properties

    def __getattr__(self, kind):
        if kind not in _PROPERTIES:
            raise AttributeError(f"there is no element {kind}")
        return lambda properties=None, children=(): Element(kind, properties or {}, children)


class _Handlers:
    """`window.On.ID.Event = function`."""

    def __init__(self, window, element=None):
        self.__dict__.update({"_window": window, "_element": element})

    def __getattr__(self, name):
        assert self._element is None, f"{self._element} has no {name}"
        assert name == self._window.name or name in self._window.GetItems(), f"there is no element {name}"
        return _Handlers(self._window, name)

    def __setattr__(self, event, function):
        kind = "Window" if self._element == self._window.name else self._window.GetItems()[self._element]._kind
        assert event in _EVENTS.get(kind, ()), f"{kind} has no event {event}"
        self._window.handlers[(self._element, event)] = function


class Window:
    """A window. `happened` are events that no loop has handed out yet."""

    def __init__(self, properties, children):
        self.name, self.title = properties["ID"], properties["WindowTitle"]
        self.children, self.handlers, self.happened, self.shown = children, {}, [], False
        self.On = _Handlers(self)
        ids = [element._set["ID"] for child in children for element in child.all() if "ID" in element._set]
        assert len(ids) == len(set(ids)), "an ID is there twice"
        for child in children:
            for element in child.all():
                element.__dict__["_window"] = self

    def GetItems(self):
        return {element._set["ID"]: element for child in self.children for element in child.all() if
                "ID" in element._set}  # fmt: skip

    def Find(self, name):
        return self.GetItems().get(name)

    def Show(self):
        self.shown = True

    def Hide(self):
        self.shown = False

    def happen(self, element, event):
        self.happened.append((element, event))

    # What a user does.

    def press(self, name):
        assert self.shown
        item = self.GetItems()[name]
        if item.Enabled:
            self.happen(name, "Clicked")
        return item.Enabled

    def choose(self, name, word):
        item = self.GetItems()[name]
        item.CurrentIndex = item._words.index(word)

    def close(self):
        """The close box: the window is gone at once, and the script is told."""
        self.shown = False
        self.happen(self.name, "Close")


class Bmd:
    """The module that scripts get as `bmd`: makes dispatchers whose windows a scripted user sees.

    Args:
        makes_windows: how often AddWindow gives a window, then None.
        user: called at every turn of a loop with the window that is shown; does what a user would.
    """

    def __init__(self, user, makes_windows=99):
        self.user, self.windows, self.makes_windows = user, [], makes_windows

    def UIDispatcher(self, ui):
        return Dispatcher(self)


class Dispatcher:
    """Runs windows."""

    def __init__(self, bmd):
        self._bmd, self._ended = bmd, False

    def AddWindow(self, properties, children):
        if not self._bmd.makes_windows:
            return None
        self._bmd.makes_windows -= 1
        window = Window(properties, children)
        self._bmd.windows.append(window)
        return window

    def StepLoop(self, block):
        assert block is False, "a step that blocks would keep the script from listening to the server"
        for window in self._bmd.windows:
            if window.shown:
                self._bmd.user(window)
            happened, window.happened = window.happened, []
            for place in happened:
                if place in window.handlers:
                    window.handlers[place]({"who": place[0], "what": place[1]})

    def RunLoop(self):
        self._ended = False
        for _ in range(10_000):
            self.StepLoop(False)
            if self._ended:
                return
        raise AssertionError("nobody ends the loop")

    def ExitLoop(self):
        self._ended = True


class Fusion:
    """What scripts get as `fusion`, with windows or (in free editions since 19.1) without."""

    def __init__(self, windows=True):
        self.UIManager = UIManager() if windows else None
        self.picked = ""

    def RequestDir(self, path):
        """Resolve's own folder window: what the user picks, "" for none."""
        return self.picked
