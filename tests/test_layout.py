"""The architecture's rules, as far as a program can check them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 400
LONGER = {"shared/tweenbridge/protocol/messages.py": 540}
"""What crosses the wire stays in one file: a table to look things up in, with no logic."""
HEAVY = frozenset({"numpy", "cv2", "OpenImageIO", "av", "numba", "torch", "diffusers", "transformers"})


def _tracked() -> list[Path]:
    """The project's own text files: what git knows, or, in an unpacked archive, everything that is source."""
    result = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 0 and result.stdout:
        names = [name for name in result.stdout.split("\0") if name]
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    folders = ("shared", "server", "installer", "plugins", "tests", "benchmarks", "docs")
    return [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".toml")]


def _text(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data[:8192] else data.decode("utf-8")


def _imports(path: Path) -> Iterator[str]:
    """Top-level names of absolute imports anywhere in a file."""
    for node in ast.walk(ast.parse(_text(path), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _imported_under(folder: str) -> dict[str, Path]:
    return {name: path for path in (ROOT / folder).rglob("*.py") for name in _imports(path)}


def _loaded_by(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running a program."""
    report = "\nimport sys; print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines())


def test_the_client_package_needs_only_zmq_and_msgpack() -> None:
    allowed = set(sys.stdlib_module_names) | {"zmq", "msgpack", "tweenbridge"}
    strangers = {name: str(path) for name, path in _imported_under("shared").items() if name not in allowed}
    assert strangers == {}


def test_the_installer_needs_only_the_standard_library() -> None:
    allowed = set(sys.stdlib_module_names) | {"tweenbridge_installer"}
    found = {name: path for name, path in _imported_under("installer").items() if name not in allowed}
    assert found == {}
    assert set(_imports(ROOT / "bootstrap.py")) <= allowed


@pytest.mark.parametrize("folder", ["plugins", "server/tweenbridge_tray"])
def test_clients_import_nothing_of_the_server(folder: str) -> None:
    assert "tweenbridge_server" not in _imported_under(folder)


def test_the_tray_needs_only_the_client_and_qt() -> None:
    allowed = set(sys.stdlib_module_names) | {"tweenbridge", "tweenbridge_tray", "PySide6"}
    assert set(_imported_under("server/tweenbridge_tray")) <= allowed


def test_the_trays_states_know_no_widgets() -> None:
    for path in (ROOT / "server/tweenbridge_tray/state").rglob("*.py"):
        assert "QtWidgets" not in _text(path) and "..views" not in _text(path), path


def test_the_server_imports_no_plugin_and_no_tray() -> None:
    assert not {"bpy", "DaVinciResolveScript", "tweenbridge_tray", "PySide6"} & set(
        _imported_under("server/tweenbridge_server")
    )


def test_pixel_libraries_stay_in_engines_and_imaging() -> None:
    server = ROOT / "server/tweenbridge_server"
    homes = (server / "engines", server / "imaging")
    # Drawing the demo's keyframes is making pixels, too; it runs in the command line's process.
    exceptions = {server / "demo.py", server / "demo_scene.py"}
    for path in server.rglob("*.py"):
        if path not in exceptions and not any(home in path.parents for home in homes):
            assert not HEAVY & set(_top_level_imports(path)), path


def _top_level_imports(path: Path) -> Iterator[str]:
    """Like `_imports`, without those that a function runs only when it is called."""
    for node in ast.parse(_text(path), str(path)).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def test_the_gateway_process_loads_no_pixel_library() -> None:
    loaded = _loaded_by("import tweenbridge_server.app")
    assert not HEAVY & loaded


def test_the_gateway_process_downloads_nothing_itself() -> None:
    loaded = _loaded_by("import tweenbridge_server.jobs.service, tweenbridge_server.models.service")
    assert not (HEAVY | {"huggingface_hub", "httpx", "httpx2", "psutil", "keyring"}) & loaded


def test_the_command_line_starts_without_pixel_libraries() -> None:
    loaded = _loaded_by("import tweenbridge_server.cli")
    assert not HEAVY & loaded


def test_the_flow_engine_runs_without_torch() -> None:
    loaded = _loaded_by("import tweenbridge_server.engines.optical_flow.engine")
    assert "cv2" in loaded
    assert not {"torch", "diffusers", "transformers"} & loaded


def test_files_stay_small() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): _text(path).count("\n") for path in _tracked() if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGER.get(name, MOST_LINES)} == {}


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    # Put together here, or this file would be the first one found.
    places = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", re.escape(f"{ROOT}/"), re.escape(f"{Path.home()}/")]))
    found = {str(path.relative_to(ROOT)): hit[0] for path in _tracked() if (hit := places.search(_text(path)))}
    assert found == {}


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    dead = []
    for path in _tracked():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", _text(path)):
            if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []
