"""Recipes by their names: a profile of the dreammover engine, with or without changes.

`standard:solver=ddim,matching.cycle=false` is `standard` with two fields changed; fields of `Matching` are written with
"matching." before them, None as "none", enums by their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_type_hints

from tweenbridge_server.engines.dreammover.settings import RECIPES, Matching, Recipe

_NESTED = "matching."


def parse(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: with a sentence on what is wrong with the name.
    """
    profile, _, changes = name.partition(":")
    if profile not in RECIPES:
        raise ValueError(f"There is no recipe {profile!r}; there is {', '.join(RECIPES)}.")
    recipe = RECIPES[profile]
    for change in filter(None, changes.split(",")):
        field, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"A change is written field=value, not {change!r}.")
        recipe = _changed(recipe, field, text)
    return recipe


def _changed(recipe: Recipe, field: str, text: str) -> Recipe:
    if field.startswith(_NESTED):
        inner = field.removeprefix(_NESTED)
        return replace(recipe, matching=replace(recipe.matching, **{inner: _value(Matching, inner, text)}))
    return replace(recipe, **{field: _value(Recipe, field, text)})


def _value(owner: type, field: str, text: str) -> Any:
    hint = get_type_hints(owner).get(field)
    kinds = get_args(hint) or (hint,)
    if text == "none" and NoneType in kinds:
        return None
    kind = kinds[0]
    if kind is bool and text in ("true", "false"):
        return text == "true"
    if kind in (int, float, str) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return kind(text)
    raise ValueError(f"{owner.__name__} has no {field} that can be {text!r}.")


def corrections() -> list[tuple[str, str, str]]:
    """Every field in which `standard` differs from `reference`: its name, and its value in each, as one writes them.

    Without `detail`: the ablation looks at everything with and without that.
    """
    ours, published = _written(RECIPES["standard"]), _written(RECIPES["reference"])
    return [
        (field, value, published[field])
        for field, value in ours.items()
        if value != published[field] and field != "detail"
    ]


def _written(recipe: Recipe) -> dict[str, str]:
    values = {f.name: getattr(recipe, f.name) for f in fields(Recipe) if f.name != "matching"}
    values |= {f"{_NESTED}{f.name}": getattr(recipe.matching, f.name) for f in fields(Matching)}
    return {name: value.value if isinstance(value, Enum) else str(value).lower() for name, value in values.items()}


def expand(names: Sequence[str]) -> list[str]:
    """The names with "without" and "with" replaced by what they stand for, each name once.

    "without": `standard` with each correction undone alone; "with": `reference` with each made alone.
    """
    known = corrections()
    sets = {
        "without": [f"standard:{field}={published}" for field, _, published in known],
        "with": [f"reference:{field}={ours}" for field, ours, _ in known],
    }
    return list(dict.fromkeys(one for name in names for one in sets.get(name, [name])))
