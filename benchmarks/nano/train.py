"""Trains the small model: an autoencoder, latents of pictures, and the denoiser, each for a given time.

    python benchmarks/nano/train.py --out RUN                               # on a graphics card: 24 minutes
    python benchmarks/nano/train.py --out RUN --minutes 45 9 48             # on two cores of a processor
    python benchmarks/nano/train.py --out RUN --from MODEL --minutes 0 5 45 # go on with a model's denoiser

RUN holds checkpoints, latents, a log, its curves as a picture, and the model as it is now in RUN/model, a folder that
the engine loads. Run again with the same words, it goes on where it was killed; with longer times, it goes on after the
end. Sprites and grounds that are held out (sprites.py) are never seen. The same seed gives the same pictures and noise;
how far a run comes depends on the machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nano import autoencoder, curves, denoiser, networks, photographs, sprites
from nano.fitting import Device, Loss, Plan, choose_device, fit
from nano.material import Latents, Pictures, cache_latents, read_latents

_SIDES: Final = (128, 256)
_SMALL_SHARE: Final = 0.25
"""Of the time for latents, what small pictures get; they take a quarter of what large ones take."""
_GIB: Final = 1 << 30
_TYPICAL: Final = 256
"""Pictures that latents are made even by."""
_APART: Final = 1 << 26
"""Between the first pictures of the stages, so that none sees another's."""


def batch_for(device: Device, asked: int | None, on_processor: int, per_gib: int, most: int) -> int:
    """How many pictures at a time: as asked, or a power of two that the graphics card's free memory allows."""
    free = device.free_bytes()
    if asked:
        return asked
    if free is None:
        return on_processor
    return min(most, 1 << max(2, (per_gib * free // _GIB).bit_length() - 1))


class Run:
    """The stages, in a folder of their own."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.out: Path = asked.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.log = self.out / "log.jsonl"
        self.base: Path = asked.base
        self.start: Path | None = asked.start
        self.minutes: Sequence[float] = asked.minutes
        self.device = choose_device(asked.device)
        self.workers: int = asked.workers
        self.seed: int = asked.seed
        self.batch: int | None = asked.batch
        self.rate: float = asked.rate or (3e-4 if self.start else 1e-3)
        self.decoder_only: bool = asked.decoder_only
        torch.manual_seed(self.seed)

    def autoencoder(self) -> Any:
        """Stage 1."""
        vae = networks.read_vae(self.start) if self.start else networks.new_vae()
        seconds = 60 * self.minutes[0]
        if seconds == 0:
            return vae.eval()
        if self.decoder_only:
            autoencoder.freeze_encoder(vae)
        batch = batch_for(self.device, self.batch, 8, 16, 64)
        plan = Plan(seconds, self.rate, 0.0, 0.98, self.seed)

        def from_step(step: int) -> Loss:
            return autoencoder.losses(vae, self.device, batch, self.workers, self._first(0), step)

        trained: Any = fit(vae, from_step, plan, self.device, self.out / "vae.pt", self.log, lambda vae: self._draw())
        if not self.decoder_only:
            shown = Pictures(_SIDES[0], _SIDES[0], self._first(1))
            autoencoder.whiten(trained, torch.stack([shown[index] for index in range(_TYPICAL)]))
        return trained.eval()

    def latents(self, vae: Any) -> tuple[Latents, Latents]:
        """Stage 2."""
        vae.to(self.device.name)
        found = []
        for side, share in zip(_SIDES, (_SMALL_SHARE, 1 - _SMALL_SHARE)):
            folder = self.out / f"latents-{side}"

            def report(count: int, side: int = side) -> None:
                print(f"latents of {count} pictures of {side} pixels", file=sys.stderr)

            first = self._first(2 + _SIDES.index(side))
            seconds = 60 * self.minutes[1] * share
            cache_latents(vae, folder, side, first, seconds, self.device, self.workers, report)
            found.append(read_latents(folder))
        vae.cpu()
        small, large = found
        if small is None or large is None:
            raise SystemExit("There are no latents; give the second stage some minutes.")
        return small, large

    def denoiser(self, vae: Any) -> None:
        """Stage 3; the model is written along the way."""
        unet = networks.read_unet(self.start) if self.start else networks.new_unet()
        if self.minutes[2] == 0:
            networks.write(self.out / "model", vae, unet, self.base)
            return
        small, large = self.latents(vae)
        prompt: Tensor = networks.empty_prompt(self.base)
        batch = batch_for(self.device, self.batch, 8, 8, 256)
        # What was trained before is near a good place: the rate falls from the start.
        plan = Plan(60 * self.minutes[2], self.rate, 0.0 if self.start else 0.5, 0.99, self.seed)

        def write(average: Any) -> None:
            networks.write(self.out / "model", vae, average, self.base)
            self._draw()

        def from_step(step: int) -> Loss:
            return denoiser.losses(unet, small, large, prompt, self.device, batch)

        fit(unet, from_step, plan, self.device, self.out / "unet.pt", self.log, write)

    def _first(self, stage: int) -> int:
        return (self.seed * 8 + stage) * _APART

    def _draw(self) -> None:
        curves.draw(self.log, self.out / "curves.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs=3,
        default=[7, 3, 14],
        metavar=("VAE", "LATENTS", "UNET"),
        help="for each stage; 0 leaves a network as it is",
    )
    parser.add_argument("--from", dest="start", type=Path, metavar="MODEL", help="begin with this folder's networks")
    parser.add_argument(
        "--decoder-only", action="store_true", help="leave the encoder, and so the latents, as they are"
    )
    parser.add_argument("--base", type=Path, help="whose text encoder and tokenizer to take")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--batch", type=int, help="pictures at a time; by the memory if not given")
    parser.add_argument("--rate", type=float, help="the learning rate; 0.001, or 0.0003 to go on with a model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="of the processor")
    parser.add_argument("--workers", type=int, help="processes that paint pictures; all cores but one if not given")
    asked = parser.parse_args()
    if min(asked.minutes) < 0:
        parser.error("times cannot be negative")
    if asked.decoder_only and asked.start is None:
        parser.error("--decoder-only needs a model to go on with, --from")
    if asked.threads:
        torch.set_num_threads(asked.threads)
    asked.base = asked.base or asked.start or networks.BUILT_IN
    if asked.workers is None:
        asked.workers = max(1, (os.cpu_count() or 2) - 1)
    print(sprites.sources(), file=sys.stderr)
    if not photographs.photographs():
        print("No photographs: scikit-image is not installed.", file=sys.stderr)
    run = Run(asked)
    run.denoiser(run.autoencoder())
    print(f"The model is in {run.out / 'model'}.")


if __name__ == "__main__":
    main()
