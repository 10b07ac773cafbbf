"""Installing and uninstalling on made-up computers of all systems: what is there afterwards, whatever came between."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from machines import WAYS, FakeBlender, arrange, blender, machine, put, tree
from power_cut import happened, power_cut
from tweenbridge_installer import blender as blenders
from tweenbridge_installer import installation, record, resolve
from tweenbridge_installer.errors import InstallError
from tweenbridge_installer.installation import Outcome
from tweenbridge_installer.login import MARK, Start
from tweenbridge_installer.machine import Answer, Machine, System
from tweenbridge_installer.plan import Made, Plan, for_blenders, for_login, for_menu, for_resolves
from tweenbridge_installer.record import Kind, Record
from tweenbridge_installer.steps import explain

TRAY = Start(("/opt/tweenbridge/.venv/bin/python", "-I", "-m", "tweenbridge_server", "tray"), window=True)


MEMORY = Path("/dev/shm")
"""Linux has a folder in memory: hundreds of installations need not wait for the disk."""


@pytest.fixture
def tmp_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


@dataclass
class Scene:
    """A computer with a Blender, and what there is to put on it."""

    computer: Machine
    fake: FakeBlender
    archive: Path
    version: str = "0.1.0"
    login: bool = True

    @property
    def made(self) -> Made:
        with zipfile.ZipFile(self.archive, "w") as file:
            file.writestr("blender_manifest.toml", f'version = "{self.version}"\n')
            file.writestr("wheels/one.whl", self.version)
            file.writestr("__init__.py", "")
        return Made(self.version, lambda: self.archive, f"digest of {self.version}", self._script, "digest", "pass\n")

    def _script(self) -> Path:
        put(self.archive.parent / "script/package/module.py", self.version)
        return self.archive.parent / "script"

    def plan(self) -> Plan:
        kept = record.load(self.computer.data)
        found = blenders.find(self.computer, lambda command: Answer(None, ""))
        plan = for_blenders(found, self.made, kept) + for_menu(self.computer, TRAY, kept)
        plan += for_resolves(resolve.find(self.computer), self.made, self.computer.data, kept)
        return plan + for_login(self.computer, TRAY, self.login, kept)

    def install(self) -> Outcome:
        return installation.carry_out(self.plan(), self.version, self.computer.data, self.fake, lambda _: None)

    def uninstall(self) -> Outcome:
        return installation.uninstall(self.computer.data, self.fake, lambda _: None)

    def tree(self) -> dict[str, str]:
        """Everything but the lock, which stays where it was needed once."""
        return {name: value for name, value in tree(self.computer.root).items() if not name.endswith("install.lock")}


def _scene(folder: Path, system: System, by_hand: bool = False) -> Scene:
    computer = machine(folder / "computer", system)
    if by_hand:
        kept = computer.local / "Packages/BlenderFoundation.Blender_x/LocalCache/Roaming/Blender Foundation/Blender/4.5"
        put(kept / "config/userpref.blend")
    elif system is System.MACOS:
        blender(computer.root / "Applications/Blender.app", "4.5", system)
    else:
        blender(computer.home / "Downloads/blender-4.5", "4.5", system)
    (host,) = blenders.find(computer, lambda command: Answer(None, ""))
    put(host.extensions / "user_default/another/blender_manifest.toml", 'version = "1.0"')
    resolve.scripts_folder(computer).parents[1].mkdir(parents=True)
    return Scene(computer, FakeBlender(host.extensions), folder / "extension.zip")


SCENES = [(System.LINUX, False), (System.MACOS, False), (System.WINDOWS, False), (System.WINDOWS, True)]


@pytest.mark.parametrize(("system", "by_hand"), SCENES)
def test_install_again_and_uninstall(tmp_path: Path, system: System, by_hand: bool) -> None:
    scene = _scene(tmp_path, system, by_hand)
    before = scene.tree()
    assert scene.install().failures == ()
    (host,) = blenders.find(scene.computer, scene.fake)
    assert blenders.installed_version(host) == "0.1.0"
    assert (host.place / "wheels/one.whl").read_text() == "0.1.0"
    assert bool(scene.fake.commands) is not by_hand
    installed = scene.tree()
    assert scene.plan() == Plan()
    scene.fake.commands.clear()
    assert scene.install().failures == ()
    assert (scene.tree(), scene.fake.commands) == (installed, [])
    assert scene.uninstall().failures == ()
    assert scene.tree() == before


@pytest.mark.parametrize(
    ("system", "by_hand", "then"),
    [(*scene, then) for scene in SCENES for then in ("install", "uninstall")],
)
def test_killed_at_any_moment_of_installing(tmp_path: Path, system: System, by_hand: bool, then: str) -> None:
    reference = _scene(tmp_path / "reference", system, by_hand)
    before = reference.tree()
    with power_cut(after=10_000):
        reference.install()
    moments = happened()
    assert moments > 15
    wanted = _same_paths(reference, reference.tree())
    for moment in range(moments):
        scene = _scene(tmp_path / str(moment), system, by_hand)
        with power_cut(after=moment):
            scene.install()
        if then == "install":
            assert scene.install().failures == ()
            assert _same_paths(scene, scene.tree()) == wanted, moment
            assert scene.plan() == Plan()
        assert scene.uninstall().failures == ()
        assert scene.tree() == before, moment


def _same_paths(scene: Scene, found: dict[str, str]) -> dict[str, str]:
    """The tree without the record, which names folders of this one computer; those are compared apart."""
    kept = record.load(scene.computer.data)
    assert kept.finished
    paths = {item.path.relative_to(scene.computer.root).as_posix(): item.kind.value for item in kept.items}
    return {name: value for name, value in found.items() if not name.endswith("install.json")} | paths


@pytest.mark.parametrize(("system", "by_hand"), SCENES)
def test_killed_at_any_moment_of_an_update_and_of_uninstalling(tmp_path: Path, system: System, by_hand: bool) -> None:
    for change in ("update", "uninstall"):
        moments, moment = 1, 0
        while moment < moments:
            scene = _scene(tmp_path / f"{change}{moment}", system, by_hand)
            before = scene.tree()
            scene.install()
            put(scene.computer.data / "config.toml", "[log]\n")
            put(scene.computer.data / "models/toon.safetensors", "weights")
            scene.version = "0.2.0"
            work = scene.install if change == "update" else scene.uninstall
            with power_cut(after=10_000 if moment == 0 else moment):
                work()
            if moment == 0:
                moments = happened()
            assert work().failures == ()
            if change == "update":
                (host,) = blenders.find(scene.computer, scene.fake)
                assert blenders.installed_version(host) == "0.2.0"
                assert scene.plan() == Plan()
                assert scene.uninstall().failures == ()
            data = scene.computer.data.relative_to(scene.computer.root).as_posix()
            kept = ["", "/config.toml", "/models", "/models/toon.safetensors"]
            assert scene.tree().keys() - before.keys() == {data + name for name in kept}, moment
            moment += 1
        assert moments > 8


@pytest.mark.parametrize("name", WAYS)
def test_into_a_blender_of_every_flavour(tmp_path: Path, name: str) -> None:
    computer = arrange(tmp_path / "computer", WAYS[name])
    (host,) = blenders.find(computer, lambda command: Answer(None, ""))
    scene = Scene(computer, FakeBlender(host.extensions), tmp_path / "extension.zip")
    host.extensions.joinpath("user_default").mkdir(parents=True)
    before = scene.tree()
    with power_cut(after=12):
        scene.install()
    assert scene.install().failures == ()
    assert blenders.installed_version(host) == "0.1.0"
    (kept,) = [item for item in record.load(computer.data).items if item.kind is Kind.EXTENSION]
    assert (kept.path, kept.command, kept.part) == (host.place, host.command, host.id)
    assert all(command[: len(host.command)] == host.command for command in scene.fake.commands)
    assert scene.uninstall().failures == ()
    assert scene.tree() == before


def test_an_older_extension_is_replaced_and_named(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.install()
    scene.version = "0.2.0"
    assert "Blender 4.5 (zip): replace the extension 0.1.0 by 0.2.0" in scene.plan().sentences
    assert scene.install().record.version == "0.2.0"


def test_two_blenders_of_one_version_share_the_extension(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    blender(scene.computer.root / "snap/blender/current", "4.5", System.LINUX)
    plan = scene.plan()
    assert len([sentence for sentence in plan.sentences if "install the extension" in sentence]) == 1
    assert any("shares its extensions" in note for note in plan.notes)


def test_an_old_blender_is_left_alone_with_the_reason(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    blender(scene.computer.root / "opt/blender-3.4", "3.4", System.LINUX)
    assert any("Blender 3.4 (zip) is left alone: it is too old" in note for note in scene.plan().notes)


def test_what_blender_says_is_passed_on_and_the_rest_is_done(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.fake.answer = Answer(1, "FATAL_ERROR: the repository is read-only\n")
    outcome = scene.install()
    assert outcome.failures == (
        "Blender 4.5 (zip) did not take the extension: FATAL_ERROR: the repository is read-only",
    )
    assert (scene.computer.config / "autostart/tweenbridge.desktop").is_file()
    assert not outcome.record.finished
    scene.fake.answer = None
    assert scene.install().failures == ()
    assert scene.plan() == Plan()


def test_a_blender_that_cannot_be_started_gets_its_files_and_a_word_about_it(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.fake.answer = Answer(None, "wrong architecture")
    said: list[str] = []
    outcome = installation.carry_out(scene.plan(), "0.1.0", scene.computer.data, scene.fake, said.append)
    assert outcome.failures == ()
    assert blenders.installed_version(blenders.find(scene.computer, scene.fake)[0]) == "0.1.0"
    assert "turn Tweenbridge on in Preferences > Add-ons" in said[1]


def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    theirs = put(scene.computer.config / "autostart/tweenbridge.desktop", "[Desktop Entry]\n")
    assert any("is there and is not Tweenbridge's" in note for note in scene.plan().notes)
    scene.install()
    scene.uninstall()
    assert theirs.read_text() == "[Desktop Entry]\n"


def test_with_the_record_lost_our_own_files_are_taken_over(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    before = scene.tree()
    scene.install()
    record.record_file(scene.computer.data).unlink()
    assert scene.plan().notes == ()
    assert scene.install().failures == ()
    assert MARK in (scene.computer.config / "autostart/tweenbridge.desktop").read_text()
    scene.uninstall()
    assert {name for name in scene.tree() if name.endswith((".desktop", "tweenbridge"))} <= before.keys()


def test_start_at_login_can_be_turned_off_alone(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.install()
    kept = record.load(scene.computer.data)
    plan = for_login(scene.computer, TRAY, False, kept)
    outcome = installation.carry_out(plan, "0.1.0", scene.computer.data, scene.fake, lambda _: None)
    assert not (scene.computer.config / "autostart/tweenbridge.desktop").exists()
    assert (scene.computer.local / "applications/tweenbridge.desktop").exists()
    assert not outcome.record.of("login")


def test_what_others_put_into_our_folders_keeps_them(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.install()
    theirs = put(scene.computer.config / "autostart/another.desktop")
    assert scene.uninstall().failures == ()
    assert theirs.is_file()
    assert not record.record_file(scene.computer.data).exists()


def test_what_the_user_removed_already_is_no_failure(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    scene.install()
    (scene.computer.config / "autostart/tweenbridge.desktop").unlink()
    (host,) = blenders.find(scene.computer, scene.fake)
    scene.fake(blenders.remove_command(host.command))
    assert scene.uninstall().failures == ()


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    put(tmp_path / "install.json", '{"version": 3')
    with pytest.raises(InstallError, match=r"install\.json, the list of what was installed, cannot be read"):
        record.load(tmp_path)


def test_the_record_reads_as_it_was_written(tmp_path: Path) -> None:
    item = record.Item(Kind.EXTENSION, tmp_path / "e", "blender-4.5-zip", ("flatpak", "run"), "digest")
    kept = Record("0.1.0", False, (record.Item(Kind.FOLDER, tmp_path), item))
    record.save(kept, tmp_path)
    assert record.load(tmp_path) == kept
    assert replace(kept, items=()).without(frozenset()) == Record("0.1.0", False)


def test_what_a_killed_build_left_goes_with_everything_else(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    before = scene.tree()
    put(installation.workshop(scene.computer.data) / "tweenbridge-blender.part")
    scene.uninstall()
    assert scene.tree() == before
    put(installation.workshop(scene.computer.data) / "tweenbridge-blender.part")
    scene.install()
    assert not installation.workshop(scene.computer.data).exists()


def test_a_file_that_may_not_be_changed_is_named_with_what_to_do(tmp_path: Path) -> None:
    scene = _scene(tmp_path, System.LINUX)
    # A file where a folder has to be made stops even the one who may do everything.
    put(scene.computer.config / "autostart", "not a folder")
    (failure,) = scene.install().failures
    assert failure.startswith(str(scene.computer.config / "autostart"))
    assert explain(PermissionError(13, "Permission denied", "/etc/x")).startswith("/etc/x may not be changed.")
    (scene.computer.config / "autostart").unlink()
    assert scene.install().failures == ()
