"""The window of `tweenbridge confirm`: what the editor found, how it is to be made, Generate or Cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QListWidget, QVBoxLayout

from .. import words
from ..confirm import Plan, summary
from ..session import Link, Session
from ..state.recipe import Recipe, as_json
from ..words import tr
from .icons import app_icon
from .parts import Elided, button, heading, note, row, scrolled
from .recipe_form import RecipeForm
from .style import MARGIN

_MOST_LISTED = 200


class ConfirmWindow(QDialog):
    """Asks once."""

    def __init__(self, plan: Plan, recipe: Recipe, session: Session) -> None:
        super().__init__()
        self._recipe = recipe
        self._session = session
        self._accepted = False
        # The timeline says how many frames fit: the plan, and not a number typed here.
        begin = plan.choice
        recipe.begin_with(begin.engine, begin.profile, replace(begin.timing, count=None), begin.settings)
        self.setWindowTitle(f"{tr('Tweenbridge')} · {plan.host}" if plan.host else tr("Tweenbridge"))
        self.setWindowIcon(app_icon())
        self.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint)
        self.setMinimumSize(420, 480)
        self.resize(480, 620)
        title = Elided(plan.title, Qt.TextElideMode.ElideMiddle)
        title.setFont(heading("", 1.3).font())
        found = QListWidget()
        found.setAccessibleName(tr("Keyframes found"))
        found.setMaximumHeight(120)
        for keyframe in plan.keyframes[:_MOST_LISTED]:
            found.addItem(f"{keyframe.label}  ·  {tr('frame')} {keyframe.frame}")
        self._state = note()
        self._generate = button(tr("Generate"), self._accept, main=True)
        self._generate.setDefault(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN - 4)
        layout.setSpacing(12)
        layout.addWidget(title)
        layout.addWidget(QLabel(summary(plan)))
        layout.addWidget(found)
        for text in plan.notes:
            told = note()
            told.setText(text)
            told.setWordWrap(True)
            layout.addWidget(told)
        layout.addWidget(scrolled(RecipeForm(recipe, counted=False)), 1)
        layout.addWidget(self._state)
        layout.addLayout(self._buttons())
        recipe.changed.connect(self._show)
        session.link_changed.connect(self._show)
        self._show()

    def _buttons(self) -> QHBoxLayout:
        return row(None, button(tr("Cancel"), self.reject), self._generate)

    def choice(self) -> dict[str, Any]:
        """What the user chose, as the editor is told it."""
        return {"accepted": self._accepted, **as_json(self._recipe)}

    def _accept(self) -> None:
        if self._recipe.is_ready:
            self._accepted = True
            self.accept()

    def _show(self) -> None:
        self._generate.setEnabled(self._recipe.is_ready)
        link = self._session.link
        text = tr("The server is starting.") if link is Link.STARTING else ""
        if link is Link.OFF and self._session.error is not None:
            text = words.problem(self._session.error)
        self._state.setText(text)
        self._state.setVisible(bool(text))
