"""The form for engine, profile, timing and settings: on the Drop page and in the window that other editors open."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from tweenbridge import Spacing

from ..state.recipe import MOST_COUNT, MOST_HOLD, Recipe, chart_of
from ..words import tr
from .controls import control
from .parts import button, label_for, note
from .style import GAP, colour, indent


class RecipeForm(QWidget):
    """Shows a recipe and changes it. `counted` is false where the host's timeline says how many frames fit."""

    def __init__(self, recipe: Recipe, counted: bool = True) -> None:
        super().__init__()
        self._recipe = recipe
        self._drawn: tuple[object, ...] | None = None
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(10)
        self._engine = QComboBox()
        self._engine.activated.connect(lambda _: recipe.choose_engine(self._engine.currentData()))
        self._profile = QComboBox()
        self._profile.activated.connect(lambda _: recipe.choose_profile(self._profile.currentData()))
        self._about = note()
        form.addRow(label_for(tr("Engine"), self._engine), self._engine)
        form.addRow(label_for(tr("Profile"), self._profile), self._profile)
        form.addRow("", self._about)
        self._count = QSpinBox()
        indent(self._count)
        self._count.setRange(1, MOST_COUNT)
        self._count.setValue(recipe.timing.count or 7)
        self._count.valueChanged.connect(lambda count: recipe.set_timing(count=count))
        if counted:
            form.addRow(label_for(tr("In-betweens"), self._count), self._count)
        self._spacing = QComboBox()
        for spacing, name in _SPACINGS.items():
            self._spacing.addItem(tr(name), spacing)
        self._spacing.activated.connect(lambda _: recipe.set_timing(spacing=self._spacing.currentData()))
        form.addRow(label_for(tr("Spacing"), self._spacing), self._spacing)
        self._hold = QSpinBox()
        indent(self._hold)
        self._hold.setRange(1, MOST_HOLD)
        self._hold.setValue(recipe.timing.hold)
        self._hold.setToolTip(tr("1 is on ones, 2 is on twos"))
        self._hold.valueChanged.connect(lambda hold: recipe.set_timing(hold=hold))
        form.addRow(label_for(tr("Hold, frames"), self._hold), self._hold)
        self._chart = QLineEdit()
        self._chart.setPlaceholderText(tr("such as 0.1, 0.5, 0.9"))
        self._chart.setToolTip(tr("The time of each drawing, from 0 to 1"))
        self._chart.textChanged.connect(self._set_chart)
        form.addRow(label_for(tr("Timing chart"), self._chart), self._chart)
        self._loop = QCheckBox(tr("Back to the start"))
        self._loop.toggled.connect(lambda on: recipe.set_timing(loop=on))
        if counted:
            form.addRow(tr("Loop"), self._loop)
        self._more = button(tr("More settings"), self._toggle, flat=True)
        self._more.setCheckable(True)
        self._settings = QWidget()
        self._settings.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(form)
        layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._settings)
        self._trouble = note()
        layout.addWidget(self._trouble)
        layout.addStretch(1)
        for field in (self._engine, self._profile, self._spacing, self._count, self._hold, self._chart):
            # As wide as there is room, and not as their longest entry.
            field.setMinimumWidth(60)
            field.setSizePolicy(QSizePolicy.Policy.Ignored, field.sizePolicy().verticalPolicy())
        recipe.changed.connect(self._show)
        self._show()

    def _toggle(self) -> None:
        self._settings.setVisible(self._more.isChecked())

    def _set_chart(self, text: str) -> None:
        palette = self._chart.palette()
        try:
            chart = chart_of(text)
        except ValueError:
            palette.setColor(self._chart.foregroundRole(), colour(self.palette(), "wrong"))
        else:
            palette = self.palette()
            self._recipe.set_timing(chart=chart)
        self._chart.setPalette(palette)

    def _show(self) -> None:
        recipe, engine = self._recipe, self._recipe.engine
        _fill(self._engine, [(known.title, known.name) for known in recipe.engines], engine.name if engine else "")
        profiles = engine.profiles if engine is not None else ()
        _fill(self._profile, [(profile.title, profile.name) for profile in profiles], recipe.profile)
        words = [profile.description for profile in profiles if profile.name == recipe.profile]
        about = (words and words[0]) or (engine.description if engine is not None else "")
        self._about.setText(about)
        self._about.setVisible(bool(about))
        self._spacing.setEnabled(not recipe.timing.chart)
        settings = engine.settings if engine is not None else ()
        drawn = (engine.name if engine is not None else "", settings, tuple(map(recipe.choices, settings)))
        if engine is not None and self._drawn != drawn:
            self._drawn = drawn
            self._draw_settings()
        self._more.setVisible(bool(settings))
        if recipe.lacks:
            if not self._more.isChecked():
                self._more.setChecked(True)
                self._toggle()
            words_ = tr("Still needed: {setting}. The Models page has some.")
            self._trouble.setText(words_.format(setting=recipe.lacks[0].title))
        elif engine is None:
            self._trouble.setText(recipe.error.message if recipe.error is not None else tr("Waiting for the server"))
        self._trouble.setVisible(bool(recipe.lacks) or engine is None)

    def _draw_settings(self) -> None:
        engine = self._recipe.engine
        assert engine is not None
        fresh = QWidget()
        form = QFormLayout(fresh)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for setting in engine.settings:
            told = partial(self._recipe.set_setting, setting.name)
            made = control(setting, self._recipe.value(setting), told, self._recipe.choices(setting))
            made.setMinimumWidth(60)
            made.setSizePolicy(QSizePolicy.Policy.Ignored, made.sizePolicy().verticalPolicy())
            label = label_for(setting.title, made)
            label.setToolTip(setting.help)
            form.addRow(label, made)
        fresh.setVisible(self._more.isChecked())
        layout = self.layout()
        assert layout is not None
        layout.replaceWidget(self._settings, fresh)
        self._settings.deleteLater()
        self._settings = fresh


_SPACINGS = {
    Spacing.LINEAR: "Even",
    Spacing.EASE_IN: "Ease in: slow start",
    Spacing.EASE_OUT: "Ease out: slow end",
    Spacing.EASE_IN_OUT: "Ease in and out",
}


def _fill(box: QComboBox, entries: list[tuple[str, str]], chosen: str) -> None:
    """Show these entries, and the one that is chosen."""
    there = [(box.itemText(number), box.itemData(number)) for number in range(box.count())]
    if there != entries:
        box.clear()
        for text, data in entries:
            box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(chosen)) if entries else -1)
    box.setEnabled(len(entries) > 0)
