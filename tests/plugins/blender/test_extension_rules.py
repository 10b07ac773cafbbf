"""What holds for every source file of the extension, as far as a program can check it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXTENSION = Path(__file__).resolve().parents[3] / "plugins" / "blender"
FILES = sorted(EXTENSION.rglob("*.py"))
CARRIED = {"zmq", "msgpack", "tweenbridge"}
"""What the wheels bring. They are there while the extension is enabled, so nothing may need them to be imported."""
OF_BLENDER = {"bpy", "bl_operators", "bl_ui", "mathutils"}
WITHOUT_BLENDER = {"errors.py", "gaps.py", "placement.py", "naming.py", "recipe.py"}

every_file = pytest.mark.parametrize("path", FILES, ids=[path.relative_to(EXTENSION).as_posix() for path in FILES])


def _imported(nodes: Iterator[ast.AST]) -> set[str]:
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


def _when_loaded(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: all but the insides of functions and what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _when_loaded(child)


@every_file
def test_it_says_its_licence_first(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n")


@every_file
def test_it_imports_nothing_that_blender_or_the_wheels_do_not_bring(path: Path) -> None:
    imported = _imported(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert imported <= sys.stdlib_module_names | CARRIED | OF_BLENDER


@every_file
def test_it_can_be_imported_without_the_wheels(path: Path) -> None:
    assert not _imported(_when_loaded(ast.parse(path.read_text(encoding="utf-8")))) & CARRIED


@pytest.mark.parametrize("name", sorted(WITHOUT_BLENDER))
def test_plain_logic_needs_no_blender(name: str) -> None:
    assert not _imported(ast.walk(ast.parse((EXTENSION / name).read_text(encoding="utf-8")))) & OF_BLENDER
