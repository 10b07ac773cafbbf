"""The Models page against the real server and a hub on loopback: downloads that fail and go on, imports, removal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot
from tweenbridge import EngineInfo
from tweenbridge.protocol.messages import Engines, ProfileInfo, SettingInfo
from tweenbridge.protocol.models import DeviceInfo, ModelAction, ModelInfo, ModelRole, ModelState
from tweenbridge_tray.app import Tray
from tweenbridge_tray.session import Answer, Link
from tweenbridge_tray.state.models import Fit, actions, fit
from tweenbridge_tray.views.model_card import fit_line

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fakes"))

from fake_hub import FakeHub
from model_bytes import CHECKPOINT, weights, write
from model_bytes import model as files_of_a_model
from model_shop import ENTRY, REPOSITORY
from real_server import RealServer

Until = Callable[[Callable[[], object]], None]
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    made = FakeHub()
    made.repositories[REPOSITORY] = files_of_a_model()
    yield made
    made.close()


@pytest.fixture
def shop(
    tray: Tray, home: Path, hub: FakeHub, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tray]:
    """The app beside a server whose catalogue has one model of the hub on loopback."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    config = f'[models]\nmirror = "{hub.url}"\nstall_seconds = 1.0\n'
    write(home, {"models.toml": ENTRY.encode(), "config.toml": config.encode()})
    with RealServer(home):
        until(lambda: tray.session.link is Link.ON and "toon" in tray.models.models)
        monkeypatch.setattr(tray.models_page, "ask", lambda question, text, yes: True)
        yield tray


def state(tray: Tray) -> ModelState:
    return tray.models.models["toon"].state


def press(tray: Tray, text: str, qtbot: QtBot, model: str = "toon") -> None:
    tray.window.show()
    tray.window.show_page("models")

    def found() -> list[object]:
        return [b for b in tray.models_page.card(model).buttons() if b.text() == text]

    qtbot.waitUntil(lambda: len(found()) == 1)
    found()[0].click()  # type: ignore[attr-defined]


def test_a_download_that_fails_says_why_and_goes_on(shop: Tray, hub: FakeHub, until: Until, qtbot: QtBot) -> None:
    notices: list[str] = []
    shop.desktop.notice.connect(lambda heading, sentence, job: notices.append(heading))
    hub.repositories[REPOSITORY][UNET] = weights(size=400_000)
    hub.gone.add(REPOSITORY)
    press(shop, "Download", qtbot)
    until(lambda: state(shop) is ModelState.FAILED)
    card = shop.models_page.card("toon")
    assert card._trouble.isVisible() and card._trouble.text()
    assert shop.desktop.face.mood.value == "problem"
    hub.gone.clear()
    press(shop, "Download", qtbot)
    until(lambda: state(shop) is ModelState.READY)
    assert not card._trouble.isVisible()
    assert notices == ["The download failed", "The model is ready"]
    assert [made.text() for made in card.buttons()][-2:] == ["Check files", "Delete"]


def test_pausing_going_on_and_deleting(shop: Tray, hub: FakeHub, until: Until, qtbot: QtBot) -> None:
    hub.repositories[REPOSITORY][UNET] = weights(size=3_000_000)
    hub.pace, hub.stall_at = 0.02, 2_250_000
    press(shop, "Download", qtbot)
    until(lambda: shop.models.models["toon"].done > 200_000)
    assert shop.desktop.face.mood.value == "working"
    press(shop, "Pause", qtbot)
    until(lambda: state(shop) is ModelState.PAUSED)
    hub.pace, hub.stall_at = 0.0, None
    press(shop, "Go on", qtbot)
    until(lambda: state(shop) is ModelState.READY)
    press(shop, "Delete", qtbot)
    until(lambda: state(shop) is ModelState.ABSENT)


def test_the_licence_is_asked_for_once_and_can_be_declined(
    shop: Tray, until: Until, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def decline(question: str, text: str, yes: str) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(shop.models_page, "ask", decline)
    press(shop, "Download", qtbot)
    qtbot.wait(100)
    assert "Terms" in asked[0] and "https://example.org/terms" in asked[0]
    assert state(shop) is ModelState.ABSENT


def test_a_checkpoint_that_is_dropped_is_imported(shop: Tray, tmp_path: Path, until: Until) -> None:
    said: list[str] = []
    shop.models.failed.connect(lambda error: said.append(error.message))
    good, bad = tmp_path / "mine.safetensors", tmp_path / "bad.safetensors"
    good.write_bytes(weights(CHECKPOINT))
    bad.write_bytes(b"nothing")
    for path in (bad, good):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        none = Qt.KeyboardModifier.NoModifier
        left = Qt.MouseButton.LeftButton
        shop.models_page.dropEvent(
            QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, left, none, QEvent.Type.Drop)
        )  # fmt: skip
    until(lambda: said and any(model.location == str(good) for model in shop.models.models.values()))
    assert "bad.safetensors" in said[0]
    assert good.read_bytes() == weights(CHECKPOINT), "it stays where it is"


def test_a_model_that_is_there_can_be_chosen(shop: Tray, tmp_path: Path, until: Until, qtbot: QtBot) -> None:
    until(lambda: shop.recipe.engines)
    shop.recipe.choose_engine("dreammover")
    assert shop.recipe.is_ready, "one model comes along"
    (tmp_path / "mine.safetensors").write_bytes(weights(CHECKPOINT))
    shop.models.bring(tmp_path / "mine.safetensors")
    until(lambda: "mine" in shop.models.models)
    boxes = [box for box in shop.drop_page.findChildren(QComboBox) if box.accessibleName() == "Model"]
    assert {boxes[-1].itemText(number) for number in range(boxes[-1].count())} == {"", "mine", "nano"}
    boxes[-1].setCurrentText("mine")
    assert shop.recipe.settings == {"model": "mine"}


def test_without_any_model_an_engine_that_needs_one_says_so(tray: Tray) -> None:
    needy = EngineInfo(
        "d", "D", "1", (ProfileInfo("p", "P"),), (SettingInfo("model", "Model", "str", ""),), "", ("model",)
    )
    tray.recipe._take(Answer(Engines((needy,))))
    assert [setting.name for setting in tray.recipe.lacks] == ["model"] and not tray.recipe.is_ready
    tray.recipe.set_setting("model", "somewhere/a.safetensors")
    assert tray.recipe.is_ready


def test_the_first_run_offers_a_model_though_one_comes_along(tray: Tray) -> None:
    along = model(ModelState.READY, model="nano", reference=True)
    absent = model(ModelState.ABSENT, model="sd", memory=4_000_000_000)
    tray.models.models = {"nano": along, "sd": absent}
    assert tray.models.suggestion() == absent
    assert ModelAction.REMOVE not in actions(along)
    tray.models.device = DeviceInfo("cuda:0", "A small card", 2_000_000_000)
    assert tray.models.suggestion() is None


# ------------------------------------------------------------ what is offered


def model(state: ModelState, **fields: object) -> ModelInfo:
    known = {"model": "m", "title": "M", "engine": "dreammover", "role": ModelRole.MODEL, "sources": ("hub",)}
    return ModelInfo(state=state, **{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("state", list(ModelState))
def test_in_every_state_something_can_be_done(state: ModelState) -> None:
    assert actions(model(state))


def test_what_is_used_by_default_is_not_offered_for_it() -> None:
    assert ModelAction.PREFER in actions(model(ModelState.READY))
    assert ModelAction.PREFER not in actions(model(ModelState.READY, default=True))
    assert ModelAction.PREFER not in actions(model(ModelState.READY, role=ModelRole.LORA))


def test_what_a_model_needs_against_this_machine() -> None:
    device = DeviceInfo("cuda:0", "A card", 8_000_000_000)
    needs = {3_000_000_000: Fit.FITS, 7_900_000_000: Fit.TIGHT, 9_000_000_000: Fit.TOO_LARGE, 0: Fit.UNKNOWN}
    for memory, expected in needs.items():
        assert fit(model(ModelState.ABSENT, memory=memory), device) is expected
    assert fit(model(ModelState.ABSENT, memory=1), None) is Fit.UNKNOWN
    assert "this computer has less" in fit_line(model(ModelState.ABSENT, memory=9_000_000_000), device)
