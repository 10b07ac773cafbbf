"""Model folders made to do harm: nothing in them is run, and none is built beyond reason."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from model_files import refusal
from tweenbridge_server.engines.dreammover import devices
from tweenbridge_server.engines.dreammover.identity import find
from tweenbridge_server.engines.dreammover.model import load


def change(folder: Path, part: str, **fields: object) -> None:
    path = folder / part
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | fields))


def test_code_in_a_model_s_folder_is_not_run(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that makes libraries import a model's own code elsewhere is in there."""
    sign = model_folder.parent / "it ran"
    code = f"open({str(sign)!r}, 'w').close()\nclass Evil: pass\n"
    for place in (model_folder, model_folder / "unet", model_folder / "tokenizer", model_folder / "text_encoder"):
        (place / "evil.py").write_text(code)
        (place / "pipeline.py").write_text(code)
        (place / "__init__.py").write_text(code)
    monkeypatch.chdir(model_folder)
    change(model_folder, "model_index.json", unet=["evil", "Evil"], custom_pipeline="pipeline")
    change(model_folder, "unet/config.json", _class_name="evil.Evil", auto_map={"AutoModel": "evil.Evil"})
    change(model_folder, "text_encoder/config.json", auto_map={"AutoModel": "evil.Evil"}, architectures=["Evil"])
    change(
        model_folder, "tokenizer/tokenizer_config.json",
        auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, tokenizer_class="Evil",
    )  # fmt: skip
    source = find({"model": str(model_folder)})
    load(source, devices.choose("cpu"))
    assert not sign.exists()


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("unet/config.json", {"layers_per_block": 2_000_000}),
        ("unet/config.json", {"transformer_layers_per_block": [1, [10**9]]}),
        ("unet/config.json", {"block_out_channels": [10**12]}),
        ("unet/config.json", {"down_block_types": [0] * 2_000_000}),
        ("text_encoder/config.json", {"num_hidden_layers": 20_000_000}),
        ("text_encoder/config.json", {"max_position_embeddings": 10**10}),
        ("text_encoder/config.json", {"hidden_size": float("inf")}),
        ("vae/config.json", {"layers_per_block": -(10**9)}),
    ],
)
def test_what_would_be_built_for_ever_is_refused_at_a_glance(
    part: str, fields: dict[str, object], model_folder: Path
) -> None:
    change(model_folder, part, **fields)
    began = time.monotonic()
    assert "which no such model has" in str(refusal(model=str(model_folder)))
    assert time.monotonic() - began < 5
