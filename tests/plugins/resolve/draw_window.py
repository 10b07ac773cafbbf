"""Draws the pictures of docs/resolve.md: the script's own window code, run with Qt in the place of Fusion's UIManager.

    QT_QPA_PLATFORM=offscreen .venv/bin/python tests/plugins/resolve/draw_window.py docs/resolve

Needs PySide6. Starts a server of its own, and works on the fake Resolve.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "plugins" / "resolve"), str(ROOT / "tests"), str(ROOT / "shared")]

from fakes.real_server import RealServer  # noqa: E402 - the path is set above
from fakes.resolve import make_resolve  # noqa: E402
from PySide6 import QtCore, QtGui, QtWidgets  # noqa: E402
from tweenbridge_resolve import app, dialog, folders, words  # noqa: E402

STYLE = """
* { color: #c8c8cc; font-size: 13px; } QWidget { background: #28282e; }
QLineEdit, QTextEdit, QSpinBox, QComboBox { background: #1f1f24; border: 1px solid #141417; border-radius: 3px;
    padding: 3px; } QComboBox::drop-down { border: 0; }
QPushButton { background: #3a3a42; border: 1px solid #1a1a1e; border-radius: 10px; padding: 4px 14px; }
QPushButton:disabled { color: #77777c; background: #2e2e34; }
"""


class Item:
    """A control under the names that UIManager has for what it holds."""

    def __init__(self, widget: Any) -> None:
        self.__dict__["w"] = widget

    def __setattr__(self, name: str, value: Any) -> None:
        {"Text": lambda: self.w.setText(value), "PlainText": lambda: self.w.setPlainText(value),
         "CurrentIndex": lambda: self.w.setCurrentIndex(value), "Value": lambda: self.w.setValue(value),
         "Minimum": lambda: self.w.setMinimum(value), "Maximum": lambda: self.w.setMaximum(value),
         "Checked": lambda: self.w.setChecked(value), "Enabled": lambda: self.w.setEnabled(value),
         "Icon": lambda: self.w.setIcon(QtGui.QIcon(value)),
         "Hidden": lambda: self.w.setHidden(value)}[name]()  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        return {"Text": lambda: self.w.text(), "CurrentIndex": lambda: self.w.currentIndex(),
                "Value": lambda: self.w.value(), "Checked": lambda: self.w.isChecked(),
                "Enabled": lambda: self.w.isEnabled()}[name]()  # fmt: skip

    def AddItem(self, word: str) -> None:
        self.w.addItem(word)

    def Clear(self) -> None:
        self.w.clear()


def make(kind: str, properties: dict[str, Any], children: list[Any]) -> Any:
    if kind in ("VGroup", "HGroup"):
        widget = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(widget) if kind == "VGroup" else QtWidgets.QHBoxLayout(widget)
        layout.setContentsMargins(0, 0, 0, 0)
        for child in children:
            layout.addWidget(child, round(10 * child.property("weight")))
    elif kind == "Stack":
        widget = QtWidgets.QStackedWidget()
        for child in children:
            child.layout().addStretch(1)
            widget.addWidget(child)
    else:
        widget = getattr(QtWidgets, {"Button": "QPushButton"}.get(kind, f"Q{kind}"))()
        if "Text" in properties:
            widget.setText(properties["Text"])
        if "IconSize" in properties:
            widget.setIconSize(QtCore.QSize(*properties["IconSize"]))
        if properties.get("Flat"):
            widget.setFlat(True)
        widget.setEnabled(properties.get("Enabled", True))
        if properties.get("Hidden"):
            widget.setHidden(True)
        if properties.get("ReadOnly"):
            widget.setReadOnly(True)
        if properties.get("WordWrap"):
            widget.setWordWrap(True)
    widget.setObjectName(properties.get("ID", ""))
    widget.setProperty("weight", properties.get("Weight", 1))
    return widget


class Ui:
    def Icon(self, properties: dict[str, Any]) -> str:
        return str(properties["File"])

    def __getattr__(self, kind: str) -> Any:
        return lambda properties=None, children=(): make(kind, properties or {}, list(children))


class On:
    def __init__(self, window: Any, name: str = "") -> None:
        self.__dict__.update(window=window, name=name)

    def __getattr__(self, name: str) -> On:
        return On(self.window, name)

    def __setattr__(self, event: str, handler: Any) -> None:
        if event != "Close":
            widget = self.window.w.findChild(QtWidgets.QWidget, self.name)
            signals = {"Clicked": "clicked", "ValueChanged": "valueChanged"}
            signal = getattr(widget, signals.get(event, "currentIndexChanged"))
            signal.connect(lambda *_: handler({}))
        else:
            self.window.close = handler


class Window:
    def __init__(self, properties: dict[str, Any], children: list[Any]) -> None:
        self.w = children[0]
        self.w.layout().setContentsMargins(14, 12, 14, 12)
        self.w.resize(*properties["Geometry"][2:])
        self.w.setWindowTitle(properties["WindowTitle"])
        self.On = On(self)

    def GetItems(self) -> dict[str, Item]:
        return {w.objectName(): Item(w) for w in self.w.findChildren(QtWidgets.QWidget) if w.objectName()}

    def Show(self) -> None:
        self.w.show()

    def Hide(self) -> None:
        self.w.hide()


class Bmd:
    def __init__(self, folder: Path) -> None:
        self.folder, self.windows, self.step = folder, [], 0

    def UIDispatcher(self, ui: Any) -> Bmd:
        return self

    def AddWindow(self, properties: dict[str, Any], children: list[Any]) -> Window:
        self.windows.append(Window(properties, children))
        return self.windows[-1]

    def StepLoop(self, block: bool) -> None:
        QtWidgets.QApplication.processEvents()
        window = self.windows[-1]
        items = window.GetItems()
        if "Generate" not in items or not window.w.isVisible():
            return
        status = items["Status"].Text
        if self.step == 0:
            self.picture(window, "window")
            items["Generate"].w.click()
        elif self.step == 1 and "about" in status:
            self.picture(window, "progress")
        elif self.step <= 2 and "are on track" in status:
            self.step = 2
            self.picture(window, "done")
            window.close({})
        else:
            return
        self.step += 1

    def picture(self, window: Window, name: str) -> None:
        QtWidgets.QApplication.processEvents()
        window.w.grab().save(str(self.folder / f"{name}.png"))


def draw_timeline(path: Path) -> None:
    """Two markers on a clip, and the in-betweens on the track above."""
    image = QtGui.QImage(760, 190, QtGui.QImage.Format.Format_RGB32)
    image.fill(QtGui.QColor("#28282e"))
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)

    def box(x: int, y: int, width: int, colour: str, text: str) -> None:
        painter.fillRect(x, y, width, 44, QtGui.QColor(colour))
        painter.setPen(QtGui.QColor("#101014"))
        painter.drawText(QtCore.QRect(x + 8, y, width, 44), QtCore.Qt.AlignmentFlag.AlignVCenter, text)

    for y, name in ((72, "V2  In-betweens"), (124, "V1")):
        painter.setPen(QtGui.QColor("#c8c8cc"))
        painter.drawText(12, y + 26, name)
    box(140, 124, 600, "#6f8fae", "your drawings or clip")
    box(252, 72, 336, "#6aa86a", "in-betweens, on a track of their own")
    for x, label in ((240, "A"), (588, "B")):
        painter.setPen(QtGui.QPen(QtGui.QColor("#3f8cff"), 2))
        painter.drawLine(x + 6, 44, x + 6, 168)
        painter.setBrush(QtGui.QColor("#3f8cff"))
        painter.drawPolygon([QtCore.QPoint(x, 30), QtCore.QPoint(x + 12, 30), QtCore.QPoint(x + 6, 44)])
        painter.setPen(QtGui.QColor("#c8c8cc"))
        painter.drawText(x + 2, 24, label)
    painter.end()
    image.save(str(path))


def main() -> None:
    folder = Path(sys.argv[1])
    application = QtWidgets.QApplication([])
    application.setStyleSheet(STYLE)
    draw_timeline(folder / "timeline.png")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TWEENBRIDGE_HOME"] = f"{scratch}/home"
        films = Path("/Users/ann/Movies/Tweenbridge")
        dialog.usual_folder = lambda: films
        folders.usual_folder = lambda: Path(scratch, "films")
        summary = words.summary
        dialog.summary = lambda run: summary(run).replace(f"{scratch}/films", str(films))
        server = RealServer(Path(scratch, "home"))
        server.start()
        try:
            resolve = make_resolve(frames=60)
            timeline = resolve.GetProjectManager().GetCurrentProject().GetCurrentTimeline()
            for frame, name in ((2, "start"), (12, "top"), (26, "landing")):
                timeline.AddMarker(frame, "Blue", name, "", 1)
            app.run(resolve, type("Fusion", (), {"UIManager": Ui()})(), Bmd(folder))
        finally:
            server.close()


main()
