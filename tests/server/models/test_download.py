"""Downloads by the real huggingface_hub from a hub on loopback: whole, interrupted, refused, damaged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_hub import FakeHub
from model_bytes import CHECKPOINT, model, weights
from model_shop import ENTRY, PLAIN, REPOSITORY, Shop, helpers_of
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.models import ModelAction, ModelState
from tweenbridge_server.engines.dreammover import identity
from tweenbridge_server.models.present import parts_folder

UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
LARGE = 3_000_000


def files_in(folder: str | Path) -> dict[str, bytes]:
    base = Path(folder)
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def make_large(hub: FakeHub) -> int:
    """A U-Net that takes a while; its size."""
    content = weights(size=LARGE, seed=9)
    hub.repositories[REPOSITORY][UNET] = content
    return len(content)


def test_a_model_comes_as_a_whole_and_goes_by_its_id(shop: Shop) -> None:
    seen = []
    shop.hub.behave = lambda handler, path: bool(seen.append((shop.home / "models/toon").exists()))  # type: ignore[func-returns-value]
    info = shop.get()
    assert (info.state, info.error, info.reference) == (ModelState.READY, None, False)
    assert Path(info.location) == shop.home / "models" / "toon"
    assert files_in(info.location) == model()
    assert info.size == sum(map(len, model().values()))
    assert info.licence is not None and info.licence.accepted
    assert seen and not any(seen), "it must not be seen before it is whole"
    assert shop.states()[-2:] == [ModelState.DOWNLOADING, ModelState.READY]
    assert set(shop.states()) <= {ModelState.WAITING, ModelState.DOWNLOADING, ModelState.READY}
    for name in ("toon", REPOSITORY):
        assert identity.find({"model": name}, shop.home).model == Path(info.location)
    assert not parts_folder(shop.home, "toon").exists()


def test_the_licence_is_accepted_once(shop: Shop) -> None:
    with pytest.raises(TweenbridgeError, match="has not been accepted") as caught:
        shop.do(ModelAction.GET)
    assert caught.value.code is ErrorCode.BAD_REQUEST and "https://example.org/terms" in caught.value.remedy
    assert shop.hub.asked == []
    shop.get()
    shop.do(ModelAction.REMOVE)
    shop.restart()
    shop.do(ModelAction.GET)
    assert shop.settled().state is ModelState.READY


def test_progress_is_told_in_bytes_and_a_slow_hub_is_waited_for(shop: Shop) -> None:
    size = make_large(shop.hub)
    shop.hub.pace = 0.008
    assert shop.get().state is ModelState.READY
    counts = [change.info.done for change in shop.changes if change.info is not None and change.info.total]
    told = [change.info for change in shop.changes if change.info is not None and change.info.rate]
    assert counts == sorted(counts) and len(set(counts)) > 4
    assert told and told[-1].eta is not None and told[-1].total >= size


def test_pause_keeps_what_is_here_also_over_a_restart(shop: Shop) -> None:
    size = make_large(shop.hub)
    # However late the test gets to see how far it is, it is not done.
    shop.hub.pace, shop.hub.stall_at = 0.01, LARGE * 3 // 4
    shop.do(ModelAction.GET, accept=True)
    shop.wait(lambda info: info.done > LARGE // 3)
    paused = shop.do(ModelAction.PAUSE)
    assert paused.state is ModelState.PAUSED
    assert LARGE // 3 < paused.done < paused.total
    shop.restart()
    assert shop.info().state is ModelState.PAUSED and shop.info().done == paused.done
    shop.hub.pace, shop.hub.stall_at = 0, None
    before = shop.hub.served[UNET]
    assert shop.get().state is ModelState.READY
    # What is done counts the small files, too.
    assert shop.hub.served[UNET] - before < size - LARGE // 3 + 2**16
    assert files_in(shop.info().location)[UNET] == shop.hub.repositories[REPOSITORY][UNET]


def test_a_killed_helper_loses_nothing_that_was_here(shop: Shop) -> None:
    size = make_large(shop.hub)
    # However late the test gets to see how far it is, it is not done.
    shop.hub.pace, shop.hub.stall_at = 0.01, LARGE * 3 // 4
    shop.do(ModelAction.GET, accept=True)
    shop.wait(lambda info: info.done > LARGE // 2)
    kill_helper()
    failed = shop.settled()
    assert failed.state is ModelState.FAILED and failed.error is not None
    shop.hub.pace, shop.hub.stall_at = 0, None
    before = shop.hub.served[UNET]
    assert shop.get().state is ModelState.READY
    # What the network and a killed process hold back is little.
    assert shop.hub.served[UNET] - before < size - LARGE // 2 + 2**20
    assert files_in(shop.info().location)[UNET] == shop.hub.repositories[REPOSITORY][UNET]


def kill_helper() -> None:
    (helper,) = helpers_of(psutil.Process())
    helper.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))


def test_killed_at_the_last_moment_nothing_is_fetched_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        # What is left when the server is killed before the files are moved.
        patch.setattr("tweenbridge_server.models.files.settle", lambda parts, place, fetched: None)
        assert shop.get().state is ModelState.DAMAGED
    shop.restart()
    served = shop.hub.all_served()
    info = shop.get()
    assert info.state is ModelState.READY and Path(info.location).name == "toon"
    assert shop.hub.all_served() == served and files_in(info.location) == model()


def test_a_lost_connection_is_taken_up_where_it_broke(shop: Shop) -> None:
    size = make_large(shop.hub)
    shop.hub.cut = 900_000
    assert shop.get().state is ModelState.READY
    ranges = [wanted for method, path, wanted in shop.hub.asked if path == UNET]
    assert ranges[0] == "" and len(ranges) == 4 and all(ranges[1:])
    assert shop.hub.served[UNET] < size + 200_000


def test_a_hub_that_refuses_ranges_sends_the_file_anew(shop: Shop) -> None:
    size = make_large(shop.hub)
    shop.hub.cut = 2_000_000
    shop.hub.ranges = False

    def mend(handler: object, path: str) -> bool:
        if len([1 for _, asked, _ in shop.hub.asked if asked == UNET]) > 1:
            shop.hub.cut = None
        return False

    shop.hub.behave = mend
    info = shop.get()
    assert info.state is ModelState.READY
    assert files_in(info.location)[UNET] == shop.hub.repositories[REPOSITORY][UNET]
    assert shop.hub.served[UNET] > size


def test_bytes_of_another_version_are_not_gone_on_with(shop: Shop) -> None:
    part = parts_folder(shop.home, "toon") / (UNET + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(random.Random(1).randbytes(500_000))
    part.with_name(part.name + ".tag").write_text("something else")
    assert shop.get().state is ModelState.READY
    assert files_in(shop.info().location) == model()


def test_a_range_beyond_the_end_begins_anew(shop: Shop) -> None:
    shop.catalogue(PLAIN)
    shop.hub.plain["paint.safetensors"] = content = weights(CHECKPOINT)
    shop.hub.etag = '"same"'
    part = parts_folder(shop.home, "paint") / "paint.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content + b"and more")
    part.with_name(part.name + ".tag").write_text(shop.hub.etag)
    info = shop.get("paint")
    assert info.state is ModelState.READY and Path(info.location).read_bytes() == content
    assert [wanted for _, _, wanted in shop.hub.asked] == [f"bytes={len(content) + 8}-", ""]


def test_damaged_bytes_are_fetched_once_more_and_then_refused(shop: Shop) -> None:
    right = shop.hub.repositories[REPOSITORY][UNET]

    def spoil(handler: object, path: str) -> bool:
        # The listing has been sent by now: the hash in it is that of the right content.
        if path == UNET:
            shop.hub.repositories[REPOSITORY][UNET] = right[:-1] + bytes([right[-1] ^ 1])
            content = shop.hub.repositories[REPOSITORY][UNET]
            handler.answer(200, content)  # type: ignore[attr-defined]
            return True
        return False

    shop.hub.behave = spoil
    info = shop.get()
    assert info.state is ModelState.FAILED and info.error is not None
    assert info.error.code is ErrorCode.DOWNLOAD_FAILED and "damaged twice" in info.error.message
    assert len([1 for _, path, _ in shop.hub.asked if path == UNET]) == 2
    assert not (shop.home / "models/toon").exists()
    shop.hub.behave = lambda handler, path: False
    shop.hub.repositories[REPOSITORY][UNET] = right
    assert shop.get().state is ModelState.READY


def test_a_hub_that_says_nothing_more_is_given_up_and_later_gone_on_with(shop: Shop) -> None:
    shop.settings = shop.settings.__class__(mirror=shop.hub.url, stall_seconds=0.5)
    size = make_large(shop.hub)
    shop.hub.stall_at = 1_000_000
    shop.hub.cut = None
    info = shop.get()
    # Each try brings a million bytes before it stalls, so it gets there in the end; one that brings nothing does not.
    assert info.state is ModelState.READY
    assert shop.hub.served[UNET] < size + 200_000
    shop.do(ModelAction.REMOVE)
    shop.hub.stall_at = 0
    info = shop.get()
    assert info.state is ModelState.FAILED and info.error is not None
    assert "has sent nothing for 0.5 seconds" in info.error.message


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda hub: hub.gone.add(REPOSITORY), "has no repository someone/toon"),
        (lambda hub: hub.repositories[REPOSITORY].pop("model_index.json"), "has no file 'model_index.json'"),
        (lambda hub: hub.gated.add(REPOSITORY), "agreed to its terms on its page"),
        (lambda hub: hub.close(), "cannot be reached"),
    ],
    ids=["gone", "file gone", "gated", "no hub"],
)
def test_why_it_cannot_be_had_is_said_plainly(shop: Shop, spoil: object, says: str) -> None:
    shop.service.models(0)
    spoil(shop.hub)  # type: ignore[operator]
    info = shop.get()
    assert info.state is ModelState.FAILED and info.error is not None
    assert says in info.error.message and info.error.remedy
    assert "\n" not in info.error.message
    shop.do(ModelAction.CANCEL)
    assert shop.info().state is ModelState.ABSENT and shop.info().error is None


def test_a_version_that_is_gone(shop: Shop) -> None:
    shop.catalogue(ENTRY.replace("c" * 40, "d" * 40))
    info = shop.get()
    assert info.error is not None and "no version dddddddddddd" in info.error.message


@pytest.mark.parametrize("place", ["environment", "keyring"])
@pytest.mark.parametrize("kind", ["gated", "private"])
def test_a_guarded_model_comes_with_a_token(shop: Shop, monkeypatch: pytest.MonkeyPatch, place: str, kind: str) -> None:
    getattr(shop.hub, kind).add(REPOSITORY)
    if place == "environment":
        monkeypatch.setenv("HF_TOKEN", shop.hub.token)
    else:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "fake_keyring.OneSecret")
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "fakes"))
    assert shop.get().state is ModelState.READY


def test_the_keyring_is_left_alone_where_no_token_is_needed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "fake_keyring.OneSecret")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "fakes"))
    assert shop.get().state is ModelState.READY
    assert set(shop.hub.tokens) == {""}


def test_a_token_goes_to_the_hub_and_not_to_where_the_hub_sends_us(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", shop.hub.token)
    shop.hub.gated.add(REPOSITORY)
    store = FakeHub()
    store.plain["unet"] = shop.hub.repositories[REPOSITORY][UNET]

    def send_away(handler: Any, path: str) -> bool:
        if path == UNET:
            handler.answer(302, b"", {"Location": f"{store.url}/plain/unet"})
        return path == UNET

    shop.hub.behave = send_away
    assert shop.get().state is ModelState.READY
    store.close()
    assert set(shop.hub.tokens) == {shop.hub.token}
    assert store.authorisations == [""]


def test_a_wrong_token_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.hub.gated.add(REPOSITORY)
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    info = shop.get()
    assert info.error is not None and "account that your token is of" in info.error.remedy


def test_another_source_is_tried_when_the_first_has_gone(shop: Shop) -> None:
    shop.catalogue(
        ENTRY.replace("[[model.source]]", '[[model.source]]\nhub = "gone/toon"\nfiles = ["*"]\n[[model.source]]')
    )
    info = shop.get()
    assert info.state is ModelState.READY and info.sources == ("gone/toon", REPOSITORY)


def test_a_catalogue_hash_that_the_hub_does_not_have_is_refused_before_anything_comes(shop: Shop) -> None:
    shop.catalogue(ENTRY + f'[model.file]\n"{UNET}" = {{ sha256 = "{"0" * 64}" }}\n')
    info = shop.get()
    assert info.error is not None and "than the catalogue says" in info.error.message
    assert shop.hub.asked == []


def test_a_single_file_over_plain_http(shop: Shop) -> None:
    shop.catalogue(PLAIN)
    shop.hub.plain["paint.safetensors"] = content = weights(CHECKPOINT, LARGE)
    shop.hub.cut = 1_000_000
    info = shop.get("paint")
    assert info.state is ModelState.READY, info.error
    assert Path(info.location) == shop.home / "models" / "paint.safetensors"
    assert Path(info.location).read_bytes() == content
    assert identity.find({"model": "paint"}, shop.home).model == Path(info.location)
    assert len(shop.hub.asked) > 2 and shop.hub.served["paint.safetensors"] < LARGE + 300_000


def test_a_plain_file_that_changed_meanwhile_begins_anew(shop: Shop) -> None:
    shop.catalogue(PLAIN)
    shop.hub.plain["paint.safetensors"] = weights(CHECKPOINT, LARGE, seed=1)
    shop.hub.etag = '"one"'
    shop.hub.pace, shop.hub.stall_at = 0.01, LARGE * 3 // 4
    shop.do(ModelAction.GET, "paint")
    shop.wait(lambda info: info.done > LARGE // 2, "paint")
    shop.do(ModelAction.PAUSE, "paint")
    shop.hub.plain["paint.safetensors"] = content = weights(CHECKPOINT, LARGE - 40_000, seed=2)
    shop.hub.etag = '"two"'
    shop.hub.pace, shop.hub.stall_at = 0, None
    info = shop.get("paint")
    assert info.state is ModelState.READY, info.error
    assert Path(info.location).read_bytes() == content


def test_what_comes_is_recognised_before_it_is_accepted(shop: Shop) -> None:
    shop.catalogue(PLAIN)
    shop.hub.plain["paint.safetensors"] = b"<html>Please log in</html>"
    info = shop.get("paint")
    assert info.state is ModelState.FAILED and info.error is not None
    assert info.error.code is ErrorCode.MODEL_FAILED and "not a safetensors file" in info.error.message
    assert list((shop.home / "models").glob("*.safetensors")) == []
    shop.hub.plain["paint.safetensors"] = weights(CHECKPOINT)
    assert shop.get("paint").state is ModelState.READY, "what was no use is not taken for the model again"


def test_downloads_wait_for_each_other(shop: Shop) -> None:
    shop.catalogue(ENTRY + PLAIN)
    shop.hub.plain["paint.safetensors"] = weights(CHECKPOINT, 100_000)
    make_large(shop.hub)
    shop.hub.pace = 0.005
    shop.do(ModelAction.GET, accept=True)
    shop.wait(lambda info: info.state is ModelState.DOWNLOADING)
    assert shop.do(ModelAction.GET, "paint").state is ModelState.WAITING
    assert shop.do(ModelAction.PAUSE, "paint").state is ModelState.PAUSED
    assert shop.do(ModelAction.CANCEL, "paint").state is ModelState.ABSENT
    shop.do(ModelAction.GET, "paint")
    assert shop.settled("paint").state is ModelState.READY and shop.info().state is ModelState.READY


def test_downloads_go_through_the_proxy_of_the_settings(shop: Shop) -> None:
    # The hub on loopback takes whole addresses, too, as a proxy does; nobody else knows this name.
    shop.settings = shop.settings.__class__(proxy=shop.hub.url, mirror="http://hub.invalid")
    assert shop.get().state is ModelState.READY


def test_no_download_begins_without_room(shop: Shop) -> None:
    shop.catalogue(ENTRY + f'[model.file]\n"{UNET}" = {{ size = {2**49} }}\n')
    with pytest.raises(TweenbridgeError, match=r"needs 562950\.0 GB on the disk") as caught:
        shop.do(ModelAction.GET, accept=True)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert shop.info().state is ModelState.ABSENT and shop.hub.asked == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a small disk is mounted")
def test_a_disk_that_fills_up_on_the_way(tmp_path: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from tweenbridge_server.models import helper
    from tweenbridge_server.models.orders import Failed, FetchOrder, Place

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("Mounting a small disk needs root.")
    try:
        # As if others had taken the room since it was looked at.
        monkeypatch.setattr(helper, "_check_room", lambda folder, needed: os.makedirs(folder, exist_ok=True))
        hub.plain["paint.safetensors"] = weights(CHECKPOINT, LARGE)
        place = Place(addresses={"paint.safetensors": f"{hub.url}/plain/paint.safetensors"})
        news = helper.perform(FetchOrder(str(disk / "parts"), (place,), {}, {}, 1.0), lambda told: None)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert isinstance(news, Failed) and news.error.code is ErrorCode.DISK_FULL
    assert "Free some disk space" in news.error.remedy
