# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's settings as one value, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import properties, strips
from .errors import PluginError
from .plan import Scalar, Wanted, parse_chart

if TYPE_CHECKING:
    from tweenbridge import EngineInfo


def wanted_from(settings: Any) -> Wanted:
    """The settings as a value.

    Raises:
        PluginError: the timing chart cannot be read.
    """
    info = properties.engine_info(settings.engine_name)
    offered = info.profiles if info is not None else ()
    profiles = {profile.name for profile in offered} or {settings.profile_name} - {properties.DEFAULT_PROFILE}
    return Wanted(
        engine=settings.engine_name,
        profile=settings.profile_name if settings.profile_name in profiles else "",
        settings=_engine_settings(settings, info),
        count=settings.count if settings.amount == "NUMBER" else None,
        spacing="linear" if settings.spacing == "CHART" else settings.spacing,
        chart=parse_chart(settings.chart) if settings.spacing == "CHART" else (),
        hold=int(settings.hold),
        loop=settings.loop,
        ripple=settings.ripple,
        ripple_markers=_blenders(settings, "ripple_markers", settings.ripple_markers),
        ripple_end=settings.ripple_end,
        ripple_channels=_blenders(settings, "ripple_all_channels", True),
        depth=settings.depth,
        alpha=settings.alpha,
        draft_first=settings.draft_first,
    )


def _blenders(settings: Any, name: str, otherwise: bool) -> bool:
    """A ripple option of Blender's own, which the sequencer has from 5.3 on; `otherwise` before."""
    options = strips.ripple_options(settings.id_data)
    return otherwise if options is None else bool(getattr(options, name))


def _engine_settings(settings: Any, info: EngineInfo | None) -> dict[str, Scalar]:
    """What differs from the engine's defaults; all that is remembered while the server has not said what those are."""
    found: dict[str, Scalar] = {}
    for item in settings.values:
        engine, _, name = item.name.partition(".")
        known = properties.setting_info(item.name)
        if engine != settings.engine_name or (info is not None and known is None):
            continue
        value = properties.value_of(item)
        if known is None or value != known.default:
            found[name] = value
    return found


def apply(settings: Any, wanted: Wanted) -> None:
    """Set everything as it was for these in-betweens; an engine setting not mentioned gets its default.

    Raises:
        PluginError: a value is none that this version knows.
    """
    settings.engine_name, settings.profile_name = wanted.engine, wanted.profile
    for index in reversed(range(len(settings.values))):
        if settings.values[index].name.startswith(f"{wanted.engine}."):
            settings.values.remove(index)
    properties.ensure_values(settings)
    properties.put_all(settings, {f"{wanted.engine}.{name}": value for name, value in wanted.settings.items()})
    settings.amount = "FILL" if wanted.count is None else "NUMBER"
    settings.count = wanted.count or settings.count
    try:
        settings.spacing = "CHART" if wanted.chart else wanted.spacing
        settings.hold = str(wanted.hold)
        settings.depth = wanted.depth
    except TypeError as error:
        raise PluginError(
            "These in-betweens were made with settings that this version does not know.", "Update the add-on."
        ) from error
    settings.chart = " ".join(f"{time:g}" for time in wanted.chart) or settings.chart
    settings.loop, settings.ripple, settings.alpha = wanted.loop, wanted.ripple, wanted.alpha
    settings.draft_first = wanted.draft_first
    settings.ripple_markers, settings.ripple_end = wanted.ripple_markers, wanted.ripple_end
