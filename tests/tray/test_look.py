"""How the windows are: short labels, everything by keyboard, readable in light and dark, small enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QTabWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot
from tweenbridge_tray.app import Tray
from tweenbridge_tray.state.desktop import Mood
from tweenbridge_tray.views import style
from tweenbridge_tray.views.icons import page_icon, tray_icon
from tweenbridge_tray.views.parts import Elided

LONGEST = 60


def texts(widget: QWidget) -> Iterator[str]:
    """What stands on a widget, all of it one label."""
    if isinstance(widget, QAbstractButton):
        yield widget.text()
    elif isinstance(widget, QLabel):
        # Sentences in several lines are no labels, and a name that is cut where it is too long is not ours.
        if not widget.wordWrap() and not isinstance(widget, Elided):
            yield widget.text()
    elif isinstance(widget, QComboBox):
        yield from (widget.itemText(number) for number in range(widget.count()))
    elif isinstance(widget, QTabWidget):
        yield from (widget.tabText(number) for number in range(widget.count()))


def all_widgets(tray: Tray) -> list[QWidget]:
    return [tray.window, *tray.window.findChildren(QWidget)]


def test_labels_are_short_and_say_something(online: Tray) -> None:
    said = [text for widget in all_widgets(online) for text in texts(widget) if text]
    assert len(said) > 60
    assert [text for text in said if len(text) >= LONGEST] == []
    assert [text for text in said if "%n" in text or "{" in text] == [], "something was not filled in"


def test_every_control_can_be_reached_and_has_a_name(tray: Tray, qtbot: QtBot) -> None:
    tray.window.show()
    kinds = (QAbstractButton, QComboBox, QSpinBox, QLineEdit, QCheckBox)
    for name in tray.window._pages:
        tray.window.show_page(name)
        for widget in tray.window._pages[name].findChildren(QWidget):
            if not isinstance(widget, kinds) or not widget.isVisible() or widget.objectName().startswith("qt_"):
                continue
            if widget.parent() is not None and isinstance(widget.parent(), (QComboBox, QSpinBox)):
                continue
            reached = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
            assert reached or type(widget).__name__ == "QTabBar", f"{name}: {widget}"


def test_pages_have_keys_of_their_own(tray: Tray, qtbot: QtBot) -> None:
    tray.window.show()
    tray.window.activateWindow()
    qtbot.waitUntil(tray.window.isActiveWindow)
    for number, name in enumerate(tray.window._pages, start=1):
        qtbot.keyClick(tray.window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        assert tray.window.page == name


def test_the_tab_key_goes_around_the_drop_page(tray: Tray, qtbot: QtBot) -> None:
    tray.window.show()
    tray.window.show_page("drop")
    tray.window.activateWindow()
    qtbot.waitUntil(tray.window.isActiveWindow)
    seen: list[str] = []
    for _ in range(40):
        qtbot.keyClick(QApplication.focusWidget() or tray.window, Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        seen.append(focused.text() if isinstance(focused, QAbstractButton) else type(focused).__name__)
    assert {"Choose files", "QComboBox", "QSpinBox", "QLineEdit"} <= set(seen)


def contrast(a: QColor, b: QColor) -> float:
    """WCAG 2.1, contrast ratio."""

    def luminance(tint: QColor) -> float:
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in tint.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palette(dark: bool) -> QPalette:
    window, base, text = ("#202124", "#18191b", "#e8eaed") if dark else ("#efefef", "#ffffff", "#000000")
    made = QPalette()
    for role, tint in (("Window", window), ("Base", base), ("WindowText", text), ("Text", text)):
        made.setColor(getattr(QPalette.ColorRole, role), QColor(tint))
    made.setColor(QPalette.ColorRole.Highlight, QColor("#308cc6"))
    return made


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["muted", "wrong", "ok", "note"])
def test_words_can_be_read_in_light_and_dark(dark: bool, name: str) -> None:
    used = palette(dark)
    for role in (QPalette.ColorRole.Base, QPalette.ColorRole.Window):
        assert contrast(style.colour(used, name), used.color(role)) >= (4.5 if name == "muted" else 3.0), (name, role)


@pytest.mark.parametrize("mood", list(Mood))
def test_icons_show_their_state(qapp: QApplication, mood: Mood) -> None:
    shown = tray_icon(mood, 0.5).pixmap(32, 32).toImage()
    others = [tray_icon(other, 0.5).pixmap(32, 32).toImage() for other in Mood if other is not mood]
    assert not shown.isNull() and all(shown != other for other in others)
    assert (
        tray_icon(Mood.WORKING, 0.2).pixmap(32, 32).toImage() != tray_icon(Mood.WORKING, 0.8).pixmap(32, 32).toImage()
    )


def test_page_icons_follow_the_palette(qapp: QApplication) -> None:
    light, dark = (page_icon("jobs", palette(dark)).pixmap(36, 36).toImage() for dark in (False, True))
    assert light != dark


def test_the_window_fits_a_small_screen_and_its_pages_fit_the_window(tray: Tray) -> None:
    smallest = tray.window.minimumSize()
    assert smallest.width() <= 1024 and smallest.height() <= 700
    for page in tray.window._pages.values():
        needed = page.minimumSizeHint()
        assert needed.width() <= smallest.width() - 190, (page.title, needed)
        assert needed.height() <= smallest.height(), (page.title, needed)
