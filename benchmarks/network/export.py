"""Writes a network as ONNX, of any size of picture.

python benchmarks/network/export.py RUN/arbiter.pt arbiter.onnx
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import onnx
import torch
from torch import nn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nano import checkpoints

from network.networks import ARBITER_INPUTS, Arbiter, Matcher

_OPSET: Final = 18


def export(network: nn.Module, file: Path) -> None:
    """Write it with sides that may be any multiples of 16 (matcher) or 8 (arbiter)."""
    network = network.cpu().float().eval()
    if isinstance(network, Matcher):
        name, answer, example, step = "pictures", "features", torch.rand(2, 3, 128, 160), 16
    else:
        name, answer, example, step = "seen", "decided", torch.rand(1, ARBITER_INPUTS, 64, 80), 8
    height, width = (step * torch.export.Dim(side, min=2, max=1024) for side in ("rows", "columns"))
    torch.onnx.export(
        network, (example,), str(file), input_names=[name], output_names=[answer],
        dynamic_shapes=({2: height, 3: width},), dynamo=True, external_data=False, opset_version=_OPSET, verbose=False,
    )  # fmt: skip
    _strip(file)


def _strip(file: Path) -> None:
    """Leave out what the exporter says of the code that it came from: it names places of this machine."""
    model = onnx.load(str(file))
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.metadata_props[:]
    onnx.save(model, str(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    state = checkpoints.read(asked.checkpoint)
    if state is None:
        raise SystemExit(f"There is no file {asked.checkpoint}.")
    weights = state.get("average", state)
    network: nn.Module = Matcher() if "log_sharpness" in weights else Arbiter()
    network.load_state_dict(weights)
    export(network, asked.file)


if __name__ == "__main__":
    main()
