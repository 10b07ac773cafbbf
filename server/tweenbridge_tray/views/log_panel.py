"""The server's log, narrowed by level and by words."""

from __future__ import annotations

from PySide6.QtGui import QFontDatabase, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QComboBox, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from ..state.log import MOST, LogLine, LogState
from ..words import tr
from .parts import row
from .style import colour

_LEVELS = {"debug": "Everything", "info": "What happens", "warning": "Warnings and errors", "error": "Errors"}


class LogPanel(QWidget):
    """Shows the log as it grows; stays where the user has scrolled to."""

    def __init__(self, log: LogState) -> None:
        super().__init__()
        self._log = log
        self._level = QComboBox()
        self._level.setAccessibleName(tr("Least level"))
        for level, name in _LEVELS.items():
            self._level.addItem(tr(name), level)
        self._level.setCurrentIndex(self._level.findData(log.level))
        self._words = QLineEdit()
        self._words.setPlaceholderText(tr("Lines with these words"))
        self._words.setAccessibleName(tr("Words to look for"))
        self._words.setClearButtonEnabled(True)
        self._level.currentIndexChanged.connect(self._narrow)
        self._words.textChanged.connect(self._narrow)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(MOST)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setAccessibleName(tr("Log"))
        self._text.setPlaceholderText(tr("Nothing in the log passes the filter."))
        self._text.setMinimumHeight(160)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row(self._level, self._words))
        layout.addWidget(self._text, 1)
        log.added.connect(self._add)
        log.reset.connect(self._fill)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.toPlainText()

    def _narrow(self) -> None:
        self._log.narrow(self._level.currentData(), self._words.text())

    def _fill(self) -> None:
        self._text.clear()
        for line in self._log.lines():
            self._write(line)

    def _add(self, line: LogLine) -> None:
        self._write(line)

    def _write(self, line: LogLine) -> None:
        bar = self._text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        shape = QTextCharFormat()
        tint = {"error": "wrong", "warning": "note", "debug": "muted"}.get(line.level)
        shape.setForeground(colour(self.palette(), tint) if tint else self.palette().text())
        cursor = QTextCursor(self._text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if not self._text.document().isEmpty():
            cursor.insertBlock()
        cursor.insertText(f"{line.time}  {line.text}", shape)
        if at_end:
            bar.setValue(bar.maximum())
