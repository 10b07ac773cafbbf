"""Sound data of each target's kind, for fuzzing to begin with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import codec
from tweenbridge.protocol.messages import (
    Cancel,
    ClientInfo,
    Fetch,
    GetJob,
    Hello,
    JobRequest,
    Keyframe,
    ListJobs,
    Message,
    Prove,
    Put,
    Submit,
    Watch,
)
from tweenbridge.timing import Timing


def _wire() -> list[bytes]:
    keyframe = Keyframe("0" * 64, 10, PixelFormat(Encoding.PNG, 8, 8), 0, "a.png")
    raw = Keyframe("1" * 64, 192, PixelFormat(Encoding.RAW, 8, 8, 3), 4, "b")
    requests = [
        JobRequest((keyframe, keyframe), Timing(count=3)),
        JobRequest((keyframe, raw), Timing(hold=2, chart=(0.1, 0.9), loop=True), "flow", "draft", {"a": 1, "b": 0.5}),
        JobRequest((raw, raw), engine="dreammover", settings={"model": "nano", "seed": 7, "detail": True}),
    ]
    messages: list[Message] = [
        Hello((1, 2), bytes(32), ClientInfo("blender", "1")), Prove(bytes(32)), Put("job", 1), Fetch("job", 2),
        GetJob("job", True), Cancel("job"), ListJobs(7), Watch(), *(Submit("job", request) for request in requests),
    ]  # fmt: skip
    return [codec.encode(message, number) for number, message in enumerate(messages)]


def _pictures(encoding: Encoding, choices: list[tuple[str, int, dict[str, Any]]]) -> list[bytes]:
    import numpy as np
    import OpenImageIO as oiio

    plugin = {Encoding.PNG: "png", Encoding.TIFF: "tiff", Encoding.EXR: "openexr", Encoding.JPEG: "jpeg"}[encoding]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        for kind, channels, tags in choices:
            spec = oiio.ImageSpec(9, 7, channels, kind)
            for name, value in tags.items():
                spec[name] = value
            writer = oiio.ImageOutput.create(plugin)
            assert writer is not None
            values = np.linspace(0, 1, 63 * channels, dtype=np.float32).reshape(7, 9, channels)
            if writer.open(str(path), spec) and writer.write_image(values) and writer.close():
                found.append(path.read_bytes())
    return found


def _png() -> list[bytes]:
    return _pictures(Encoding.PNG, [(kind, n, {}) for kind, n in product(("uint8", "uint16"), (1, 2, 3, 4))])


def _tiff() -> list[bytes]:
    compressions = ("none", "lzw", "zip", "packbits", "jpeg", "ccittrle")
    plain = [("uint8", 3, {"compression": compression}) for compression in compressions]
    kinds: list[tuple[str, int, dict[str, Any]]] = [(kind, 4, {}) for kind in ("uint8", "uint16", "float")]
    tiled: list[tuple[str, int, dict[str, Any]]] = [("uint8", 1, {"tiff:half": 1}), ("half", 4, {"tiff:half": 1})]
    return _pictures(Encoding.TIFF, [*plain, *kinds, *tiled])


def _exr() -> list[bytes]:
    compressions = ("none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab")
    kinds = [("half", 4, {"compression": compression}) for compression in compressions]
    return _pictures(Encoding.EXR, [*kinds, ("float", 3, {}), ("float", 1, {})])


def _jpeg() -> list[bytes]:
    choices: list[tuple[str, int, dict[str, Any]]] = [
        ("uint8", 3, {}),
        ("uint8", 1, {}),
        ("uint8", 3, {"jpeg:progressive": 1}),
        ("uint8", 3, {"Orientation": 6, "ICCProfile": bytes(40)}),
    ]
    return _pictures(Encoding.JPEG, choices)


def safetensors(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> bytes:
    """A file of zeros with these tensors, in half precision."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def _weights() -> list[bytes]:
    unet = "model.diffusion_model."
    return [
        safetensors({f"{unet}input_blocks.0.0.weight": (4, 4, 3, 3), f"{unet}out.2.weight": (4, 4, 3, 3),
                     "first_stage_model.decoder.conv_in.weight": (4, 4, 3, 3),
                     "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (9, 8)}),
        safetensors({"lora_unet_down_blocks_0.lora_down.weight": (4, 8), "lora_te_x.lora_up.weight": (8, 4)}),
        safetensors({"decoder.conv_in.weight": (4, 4, 3, 3), "encoder.conv_in.weight": (4, 3, 3, 3)}),
        safetensors({"control_model.x": (1,)}, {"modelspec.architecture": "stable-diffusion-v1"}),
        safetensors({f"{unet}label_emb.0.0.weight": (2, 2), "conditioner.embedders.0.x": (2,)}),
    ]  # fmt: skip


def _folder() -> list[bytes]:
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
             "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"]}  # fmt: skip
    shards = {"weight_map": {"a": "diffusion_pytorch_model-1-of-2.safetensors"}}
    parts = [
        index, {"in_channels": 4, "cross_attention_dim": 768}, shards, {"latent_channels": 4}, {"hidden_size": 768},
        {"a": 0}, "#version", {"prediction_type": "epsilon"},
    ]  # fmt: skip
    texts = [part.encode() if isinstance(part, str) else json.dumps(part).encode() for part in parts]
    return [b"\n%%\n".join([*texts, safetensors({"conv_in.weight": (4, 4, 3, 3)})]), b"{}"]


def _settings() -> list[bytes]:
    address = {"endpoint": "tcp://127.0.0.1:4", "token": "00", "pid": 1, "started": 1.0, "versions": [1]}
    keys = {"curve_key": "k" * 40, "client_secret": "s" * 40}
    key = {"name": "anna", "public": "=" * 40, "secret": "1" * 40, "admin": True, "created": 1.0}
    toml = '[server]\nhost = "::1"\nport = 5\n[limits]\nspool_bytes = 9\n[workers]\ndevices = ["cpu", "cuda:1"]\n'
    return [toml.encode(), *(json.dumps(value).encode() for value in (address, {**address, **keys}, key))]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "wire": _wire,
    "opening": lambda: [
        bytes([0x00, 0x30, 0x61, 0x72, 0x83, 0xA4]),
        bytes(range(0, 240, 7)),
        b"\x01\x31\x61\x6a\xd8\x31",
    ],
    "png": _png,
    "tiff": _tiff,
    "exr": _exr,
    "jpeg": _jpeg,
    "weights": _weights,
    "checkpoint": _weights,
    "folder": _folder,
    "settings": _settings,
}
