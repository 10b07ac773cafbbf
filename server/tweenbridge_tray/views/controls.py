"""A control for one engine setting, as the server describes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget
from tweenbridge import Scalar
from tweenbridge.protocol.messages import SettingInfo

from .style import indent

_FAR = 1_000_000


def control(
    setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None], known: Sequence[str] = ()
) -> QWidget:
    """A control that shows `value` and tells of another one. Unknown kinds are a line of text.

    Args:
        known: texts to choose from, where others can be typed, too.
    """
    made = _MAKERS.get(setting.kind, _text)(setting, value, changed)
    if isinstance(made, QLineEdit) and known:
        made = _text_or_known(value, changed, known)
    made.setAccessibleName(setting.title)
    made.setToolTip(setting.help)
    return made


def _bool(setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None]) -> QWidget:
    box = QCheckBox()
    box.setChecked(bool(value))
    box.toggled.connect(changed)
    return box


def _int(setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None]) -> QWidget:
    spin = QSpinBox()
    indent(spin)
    low = -_FAR if setting.minimum is None else int(setting.minimum)
    high = 2**31 - 1 if setting.maximum is None else int(min(setting.maximum, 2**31 - 1))
    spin.setRange(low, high)
    spin.setValue(int(value))
    spin.valueChanged.connect(changed)
    return spin


def _float(setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None]) -> QWidget:
    spin = QDoubleSpinBox()
    indent(spin)
    low = -float(_FAR) if setting.minimum is None else setting.minimum
    high = float(_FAR) if setting.maximum is None else setting.maximum
    spin.setRange(low, high)
    span = high - low
    spin.setDecimals(3 if span <= 1 else 2)
    spin.setSingleStep(0.05 if span <= 2 else 0.5 if span <= 100 else 1)
    spin.setValue(float(value))
    spin.valueChanged.connect(changed)
    return spin


def _choice(setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None]) -> QWidget:
    box = QComboBox()
    box.addItems(list(setting.choices))
    box.setCurrentText(str(value))
    box.currentTextChanged.connect(changed)
    return box


def _text(setting: SettingInfo, value: Scalar, changed: Callable[[Scalar], None]) -> QWidget:
    line = QLineEdit(str(value))
    line.textChanged.connect(changed)
    return line


def _text_or_known(value: Scalar, changed: Callable[[Scalar], None], known: Sequence[str]) -> QComboBox:
    box = QComboBox()
    box.setEditable(True)
    box.addItems(["", *known])
    box.setCurrentText(str(value))
    box.currentTextChanged.connect(changed)
    return box


_MAKERS: dict[str, Callable[[SettingInfo, Scalar, Callable[[Scalar], None]], QWidget]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "choice": _choice,
    "str": _text,
}
