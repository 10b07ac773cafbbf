"""Models as a client sees them: listed, watched, changed."""

from __future__ import annotations

from dataclasses import replace

from fakes.wire_server import Answer, FakeServer
from helpers import has, poll_for, poll_until
from tweenbridge import Client, ModelChanged, ModelsListed, ModelState
from tweenbridge.protocol.models import ModelDelta


def test_watching_models_reports_changes_and_mends_holes(server: FakeServer, client: Client) -> None:
    client.watch_models()
    (listed,) = [event for event in poll_until(client, has(ModelsListed)) if isinstance(event, ModelsListed)]
    assert [info.model for info in listed.models.models] == ["toon"]
    info = replace(listed.models.models[0], state=ModelState.VERIFYING)
    server.pushes.append(Answer(ModelDelta(8, "toon", info)))
    events = poll_until(client, has(ModelChanged))
    assert events[-1] == ModelChanged("toon", info)
    assert client.models().models[0].model == "toon"
    assert client.poll(0.1) == [], "a list that was asked for by itself is no event"
    server.pushes.append(Answer(ModelDelta(12, "toon", None)))
    assert not any(isinstance(event, ModelChanged) for event in poll_until(client, has(ModelsListed)))
    client.watch_models(False)
    poll_for(client, 0.1)
    server.pushes.append(Answer(ModelDelta(13, "toon", None)))
    assert poll_for(client, 0.1) == []
