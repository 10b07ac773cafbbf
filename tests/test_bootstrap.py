"""bootstrap.py: making and repairing the environment, and becoming a command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tweenbridge_installer import blender_hosts, bootstrap, checks, environment, pip
from tweenbridge_installer.environment import DEV, DREAMMOVER, SERVER, Environment, Fault, find_fault
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.lock import locked
from tweenbridge_installer.torch_build import VERSION

ROOT = Path(__file__).resolve().parent.parent
PINNED = f"torch=={VERSION}"

# ---------------------------------------------------------------- the environment


class FakePip:
    """Stands in for pip: puts one small package into the environment, without a network."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.interrupt = False
        self.lost = False
        self.wrong_record = False

    def __call__(
        self, python: Path, arguments: Sequence[str], log: Path, version: str, *, progress: bool = True
    ) -> None:
        self.calls.append(arguments[-1])
        if "--editable" not in arguments:
            return
        packages = Environment(python.parent.parent.parent).packages()
        assert packages is not None
        module = packages / "tweenbridge_sample.py"
        module.write_text("VALUE = 1\n")
        if self.interrupt:
            raise KeyboardInterrupt
        info = packages / "tweenbridge_sample-1.0.dist-info"
        info.mkdir(exist_ok=True)
        size = module.stat().st_size + self.wrong_record
        (info / "RECORD").write_text(f"tweenbridge_sample.py,sha256=x,{size}\n")

    @property
    def targets(self) -> list[str]:
        return [call for call in self.calls if "[" in call]


@pytest.fixture
def checkout(tmp_path: Path) -> Environment:
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    return Environment(root)


@pytest.fixture
def fake_pip(monkeypatch: pytest.MonkeyPatch) -> FakePip:
    fake = FakePip()
    monkeypatch.setattr(pip, "install", fake)
    monkeypatch.setattr(pip, "works", lambda python: not fake.lost)
    monkeypatch.setattr(environment, "_VENV", ("-m", "venv", "--without-pip"))

    def importable(env: Environment, extras: frozenset[str]) -> str | None:
        command = [str(env.python), "-I", "-c", "import tweenbridge_sample; tweenbridge_sample.VALUE"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.stderr or None

    monkeypatch.setattr(environment, "_import_problem", importable)
    return fake


def _ensure(env: Environment, *extras: str) -> list[str]:
    said: list[str] = []
    environment.ensure(env, frozenset(extras or (SERVER,)), said.append)
    return said


def test_from_nothing_and_again(checkout: Environment, fake_pip: FakePip) -> None:
    assert _ensure(checkout)[0] == "Making the environment..."
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE
    calls = len(fake_pip.calls)
    assert _ensure(checkout) == []
    assert len(fake_pip.calls) == calls


def test_extras_add_up(checkout: Environment, fake_pip: FakePip) -> None:
    _ensure(checkout)
    said = _ensure(checkout, SERVER, DEV)
    assert said == ["Installing the test tools..."]
    assert fake_pip.targets[-1].endswith("[dev,server]")
    assert _ensure(checkout) == []


def test_a_changed_project_is_installed_again(checkout: Environment, fake_pip: FakePip) -> None:
    _ensure(checkout, SERVER, DEV)
    (checkout.root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    _ensure(checkout)
    assert fake_pip.targets[-1].endswith("[dev,server]")
    assert find_fault(checkout, frozenset({SERVER, DEV})) is Fault.NONE


def test_an_interrupted_installation_goes_on(checkout: Environment, fake_pip: FakePip) -> None:
    fake_pip.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.UNFINISHED
    fake_pip.interrupt = False
    assert "Making the environment..." not in _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE


def test_an_environment_whose_making_was_cut_short_is_made_anew(checkout: Environment, fake_pip: FakePip) -> None:
    _ensure(checkout)
    checkout.stamp.unlink()
    fake_pip.lost = True
    assert _ensure(checkout)[0] == "Making the environment..."


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
def test_a_damaged_package_is_repaired(checkout: Environment, fake_pip: FakePip, damage: str) -> None:
    _ensure(checkout)
    packages = checkout.packages()
    assert packages is not None
    module = packages / "tweenbridge_sample.py"
    if damage == "cut":
        module.write_text("V")
    elif damage == "gone":
        module.unlink()
    else:
        (packages / "tweenbridge_sample-1.0.dist-info" / "RECORD").unlink()
    assert "Repairing tweenbridge_sample..." in _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE


def test_a_package_that_was_published_with_a_wrong_record_is_left_alone(
    checkout: Environment, fake_pip: FakePip
) -> None:
    fake_pip.wrong_record = True
    _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE
    assert _ensure(checkout) == []


def _remove_interpreter(env: Environment) -> None:
    env.python.unlink()


def _leave_a_dead_link(env: Environment) -> None:
    env.python.unlink()
    env.python.symlink_to(env.root / "removed")


def _keep_only_a_file(env: Environment) -> None:
    shutil.rmtree(env.folder)
    env.folder.mkdir()
    (env.folder / "leftover").write_text("")


@pytest.mark.parametrize("harm", [_remove_interpreter, _leave_a_dead_link, _keep_only_a_file])
def test_a_broken_interpreter_means_anew(
    checkout: Environment, fake_pip: FakePip, harm: Callable[[Environment], None]
) -> None:
    _ensure(checkout)
    harm(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.BROKEN
    assert _ensure(checkout)[0] == "Making the environment..."
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE


def test_a_moved_checkout_makes_its_environment_anew(checkout: Environment, fake_pip: FakePip, tmp_path: Path) -> None:
    _ensure(checkout)
    moved = Environment(checkout.root.rename(tmp_path / "moved"))
    assert find_fault(moved, frozenset({SERVER})) is Fault.BROKEN


def test_an_import_that_fails_leads_to_a_new_environment(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = iter(["ImportError: cut off", None])
    monkeypatch.setattr(environment, "_import_problem", lambda *_: next(problems))
    assert "The environment is damaged; making it anew..." in _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE


def test_an_import_that_keeps_failing_is_reported(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_import_problem", lambda *_: "ImportError: libGL.so.1")
    with pytest.raises(InstallError, match=r"libGL\.so\.1"):
        _ensure(checkout)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.UNFINISHED


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that this user may not write to")
def test_a_folder_that_cannot_be_written_is_named(checkout: Environment) -> None:
    checkout.root.chmod(0o500)
    try:
        with pytest.raises(InstallError, match="cannot be written"):
            _ensure(checkout)
    finally:
        checkout.root.chmod(0o700)


def test_the_lock_waits_for_its_holder_and_survives_its_death(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        f"import sys, time; sys.path.insert(0, {str(ROOT / 'installer')!r}); from pathlib import Path\n"
        f"from tweenbridge_installer.lock import locked\n"
        f"with locked(Path({str(path)!r}), print):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said: list[str] = []
        killer = threading.Timer(0.5, holder.kill)
        killer.start()
        started = time.monotonic()
        with locked(path, said.append):
            assert time.monotonic() - started >= 0.4
    assert said == ["Another bootstrap is working in this folder; waiting for it..."]


# ---------------------------------------------------------------- the command


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "bootstrap.py"), *arguments], capture_output=True, text=True, check=False
    )


def test_alone_it_prints_help() -> None:
    result = _run()
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("demo", "test", "setup", "interpolate"))


def test_an_old_python_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import runpy

    module = runpy.run_path(str(ROOT / "bootstrap.py"))
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    assert module["main"]() == 1
    message = capsys.readouterr().err
    assert "needs Python 3.10 or newer; this is Python 3.9.18" in message
    assert "Install Python 3.12" in message


def test_the_diffusion_engine_is_installed_when_it_is_asked_for(tmp_path: Path) -> None:
    asked = ["a.png", "b.png", "--engine", "dreammover"]
    assert not bootstrap.wants_dreammover(asked, tmp_path)
    (tmp_path / "server/tweenbridge_server/engines/dreammover").mkdir(parents=True)
    assert bootstrap.wants_dreammover(asked, tmp_path)
    assert bootstrap.wants_dreammover(["--engine=dreammover"], tmp_path)
    assert not bootstrap.wants_dreammover(["dreammover.png", "--engine", "flow"], tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="on Windows the command is a child, not this process")
def test_the_commands_status_is_passed_on(checkout: Environment, fake_pip: FakePip) -> None:
    _ensure(checkout)
    packages = checkout.packages()
    assert packages is not None
    (packages / "tweenbridge_server.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'installer')!r}); from pathlib import Path\n"
        "from tweenbridge_installer import bootstrap\n"
        f"sys.exit(bootstrap.main(Path({str(checkout.root)!r}), ['status', '--json']))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (7, "['status', '--json']\n")


def test_setup_installs_torch_first_and_only_setup_does(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEENBRIDGE_TORCH", "default")
    _ensure(checkout)
    assert not any(call.startswith("torch") for call in fake_pip.calls)
    _ensure(checkout, SERVER, DREAMMOVER)
    assert fake_pip.calls[-2:] == [PINNED, f"{checkout.root}[dreammover,server]"]
    assert json.loads(checkout.stamp.read_text())["extras"] == ["dreammover", "server"]


def test_the_tests_install_what_they_test(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Sequence[str]] = []
    monkeypatch.setenv("TWEENBRIDGE_TORCH", "default")
    monkeypatch.setattr(checks, "run", lambda python, root, arguments: ran.append(arguments) or 0)
    monkeypatch.setattr(blender_hosts, "prepare", lambda root, every, say: ())
    assert bootstrap.main(checkout.root, ["test", "-k", "flow"]) == 0
    assert fake_pip.calls[-2:] == [PINNED, f"{checkout.root}[dev,dreammover,server,tray]"]
    calls = len(fake_pip.calls)
    assert bootstrap.main(checkout.root, ["test"]) == 0
    assert len(fake_pip.calls) == calls
    assert ran == [["-k", "flow"], []]


def test_the_tray_brings_its_windows(checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "_become", lambda python, arguments: became.append(arguments) or 0)
    assert bootstrap.main(checkout.root, ["tray"]) == 0
    assert fake_pip.calls[-1] == f"{checkout.root}[server,tray]"
    assert became == [["tray"]]


def test_the_tests_run_in_one_blender_or_in_all(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, Sequence[str]]] = []
    monkeypatch.setenv("TWEENBRIDGE_TORCH", "default")
    monkeypatch.setenv("TWEENBRIDGE_BLENDERS", "as it was before")
    monkeypatch.setattr(
        checks, "run", lambda python, root, rest: ran.append((os.environ["TWEENBRIDGE_BLENDERS"], rest)) or 0
    )
    monkeypatch.setattr(blender_hosts, "prepare", lambda root, every, say: ("4.2", "5.2") if every else ("5.2",))
    assert bootstrap.main(checkout.root, ["test", "-x"]) == 0
    assert bootstrap.main(checkout.root, ["test", "--all-blenders", "-x"]) == 0
    assert ran == [("5.2", ["-x"]), ("4.2 5.2", ["-x"])]


def test_a_senseless_choice_of_torch_leaves_the_environment_as_it_is(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ensure(checkout)
    monkeypatch.setenv("TWEENBRIDGE_TORCH", "cuda")
    with pytest.raises(InstallError, match="TWEENBRIDGE_TORCH is 'cuda'"):
        _ensure(checkout, SERVER, DREAMMOVER)
    assert find_fault(checkout, frozenset({SERVER})) is Fault.NONE


def test_a_source_out_of_reach_gives_way_to_the_default_one(
    checkout: Environment, fake_pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEENBRIDGE_TORCH", "cu128")
    monkeypatch.setattr("tweenbridge_installer.torch_build.SOURCE", "http://127.0.0.1:9/")
    said = _ensure(checkout, SERVER, DREAMMOVER)
    assert "PyTorch's download site cannot be reached; using the default package source instead." in said
    assert PINNED in fake_pip.calls


@pytest.mark.parametrize(
    ("arguments", "cores", "is_shared"),
    [
        ([], 2, True),
        (["--random-order-bucket=package", "--durations=9"], 8, True),
        ([], 1, False),
        (["tests/shared"], 8, False),
        (["-n0"], 8, False),
        (["-x", "-k", "timing"], 8, False),
        (["--pdb"], 8, False),
    ],
)
def test_the_whole_suite_runs_as_two_processes(arguments: list[str], cores: int, is_shared: bool) -> None:
    assert bool(checks.shared_out(arguments, cores)) is is_shared


def test_the_checks_run_in_order_and_a_failed_one_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = ("lint", ["-c", "print('unused import'); raise SystemExit(1)"])
    monkeypatch.setattr(checks, "commands", lambda root: (failing, ("types", ["-c", ""])))
    (tmp_path / "test_sample.py").write_text("def test_sample(): pass\n")
    assert checks.run(Path(sys.executable), tmp_path, ["-p", "no:cacheprovider"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("lint: FAILED")
    assert "unused import" in lines
    assert any(line.startswith("types: ok") for line in lines)
    assert "1 passed" in lines[-1]
