"""Models through the real server: over the wire, on the command line, and when everything is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fake_hub import FakeHub
from model_bytes import CHECKPOINT, LORA, XL, weights, write
from model_shop import ENTRY, REPOSITORY, helpers_of
from real_server import RealServer
from tweenbridge import Client, ModelChanged, ModelInfo, ModelsListed, ModelState, read_address

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
PATIENCE = 40.0


class Desk:
    """A data folder with a server, and the command line as a user has it there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = RealServer(home)

    def run(self, *arguments: object, status: int = 0) -> str:
        """Run `tweenbridge models`; what it printed and said."""
        command = [sys.executable, "-m", "tweenbridge_server", "models", *map(str, arguments)]
        result = subprocess.run(
            command, env={**os.environ, "COLUMNS": "160"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert result.returncode == status, result.stdout
        assert "Traceback" not in result.stdout
        return result.stdout


@pytest.fixture
def desk(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    home = tmp_path / "home"
    write(home, {"models.toml": ENTRY.encode(), "config.toml": f'[models]\nmirror = "{hub.url}"\n'.encode()})
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(home))
    used = Desk(home)
    with used.server:
        yield used


def watch(client: Client, until: Callable[[ModelInfo], bool]) -> list[ModelInfo]:
    """What is told of the model "toon" until something is true of it."""
    seen: list[ModelInfo] = []
    end = time.monotonic() + PATIENCE
    while True:
        for event in client.poll(0.2):
            if isinstance(event, ModelsListed):
                seen += [info for info in event.models.models if info.model == "toon"]
            elif isinstance(event, ModelChanged) and event.info is not None:
                seen.append(event.info)
            if seen and until(seen[-1]):
                return seen
        assert time.monotonic() < end, seen[-1:]


def test_a_download_over_the_wire_outlives_a_killed_server(desk: Desk, hub: FakeHub) -> None:
    content = weights(size=3_000_000)
    hub.repositories[REPOSITORY][UNET] = content
    hub.pace, hub.stall_at = 0.01, 2_250_000
    with Client(desk.home, start_server=False) as client:
        client.watch_models()
        assert client.get_model("toon", accept_licence=True).state.is_busy
        seen = watch(client, lambda info: info.done > 1_500_000)
        assert seen[-1].rate > 0
        helpers = helpers_at(desk.home)
        desk.server.kill()
        end = time.monotonic() + PATIENCE
        while any(helper.is_running() and helper.status() != psutil.STATUS_ZOMBIE for helper in helpers):
            assert time.monotonic() < end, "the helper must not outlive its server"
            time.sleep(0.05)
    hub.pace, hub.stall_at = 0, None
    before = hub.served[UNET]
    # By itself, since it was wanted.
    desk.server.start()
    with Client(desk.home, start_server=False) as client:
        client.watch_models()
        whole = watch(client, lambda info: info.state is ModelState.READY)[-1]
        assert (Path(whole.location) / UNET).read_bytes() == content
        assert hub.served[UNET] - before < len(content) - 1_500_000 + 2**20
        assert client.engines()[1].needs == (), "a job need not name the only model"


def helpers_at(home: Path) -> list[psutil.Process]:
    """The helper processes of the server of a data folder."""
    address = read_address(home)
    assert address is not None
    found = helpers_of(psutil.Process(address.pid))
    assert found
    return found


def test_the_command_line_from_the_licence_to_the_end(desk: Desk, hub: FakeHub, tmp_path: Path) -> None:
    said = desk.run("get", "toon", status=1)
    assert "under the licence Terms" in said and "https://example.org/terms" in said and "--accept-licence" in said
    assert f"Toon is here: {desk.home / 'models' / 'toon'}" in desk.run("get", "toon", "--accept-licence")
    assert "Toon is here" in desk.run("get", "too"), "the beginning of a name is enough"
    listed = json.loads(desk.run("list", "--json"))
    (toon,) = [model for model in listed["models"] if model["model"] == "toon"]
    assert (toon["state"], toon["default"], toon["licence"]["accepted"]) == ("ready", True, True)
    assert "toon: every file is what it should be." in desk.run("verify")
    (Path(toon["location"]) / UNET).write_bytes(b"broken")
    assert "not what it should be" in desk.run("verify", "toon", status=1)
    said = desk.run("list")
    assert "damaged" in said and "Repair the model" in said
    assert "Toon is as it should be." in desk.run("repair", "toon")

    theirs = write(tmp_path / "ComfyUI", {"a.safetensors": weights(CHECKPOINT), "xl.safetensors": weights(XL)})
    found = desk.run("scan", theirs)
    assert f"model  {theirs / 'a.safetensors'}" in found and "Stable Diffusion XL" in found
    assert "Ay is a model for dreammover; name it ay." in desk.run("import", theirs / "a.safetensors", "--title", "Ay")
    assert "takes Ay from now on" in desk.run("default", "ay")
    assert "its files stay at" in desk.run("remove", "ay")
    assert (theirs / "a.safetensors").exists()
    assert "is removed" in desk.run("remove", "toon") and not Path(toon["location"]).exists()
    hub.gone.add(REPOSITORY)
    said = desk.run("get", "toon", status=1)
    assert "has no repository someone/toon" in said and "import it" in said


def test_bad_input_on_the_command_line_is_answered_plainly(desk: Desk, tmp_path: Path) -> None:
    assert "There is no model 'nobody'" in desk.run("get", "nobody", status=1)
    assert "models begin with 's'" in desk.run("get", "s", status=1)
    assert "nothing at" in desk.run("import", tmp_path / "no such thing", status=1)
    write(tmp_path, {"hat.safetensors": weights(LORA)})
    desk.run("import", tmp_path / "hat.safetensors")
    assert "no whole model" in desk.run("default", "hat", status=1)
    assert "No worker was idle." in desk.run("unload")
