"""Matches: the published search exactly, and what each correction mends, on maps of which the truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from tweenbridge_server.engines.dreammover import devices, filling, identity, matching
from tweenbridge_server.engines.dreammover.correspondence import Correspondence, features
from tweenbridge_server.engines.dreammover.inversion import invert, plain
from tweenbridge_server.engines.dreammover.latents import encode
from tweenbridge_server.engines.dreammover.matching import match
from tweenbridge_server.engines.dreammover.model import embed, load
from tweenbridge_server.engines.dreammover.schedule import make_schedule
from tweenbridge_server.engines.dreammover.settings import Matching
from tweenbridge_server.engines.dreammover.trial import Trial, make_trial

PLAIN = Matching()
ALL = Matching(subpixel=True, cycle=True, edge_aware=True, second_opinion=True)


def smooth_map(height: int, width: int, channels: int = 24, seed: int = 0, coarse: int = 2) -> torch.Tensor:
    """(C, height, width) features that vary over a few pixels, as a network's do."""
    rough = torch.randn(1, channels, height // coarse + 3, width // coarse + 3, generator=seeded(seed))
    return functional.interpolate(rough, (height, width), mode="bicubic", align_corners=False)[0]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((2, 3, height, width), 0.5)


def plainly(feat: torch.Tensor, side: int = 1, options: Matching = PLAIN) -> Correspondence:
    height, width = feat.shape[2:]
    return match(feat, (height, width), options, side, grey(height, width), None)


def shifted_pair(dx: int, dy: int, size: int = 24, noise: float = 0.0) -> torch.Tensor:
    """Two views of one large map: what is at (x, y) of the first is at (x + dx, y + dy) of the second."""
    whole = smooth_map(size + 16, size + 16)
    a = whole[:, 8 : 8 + size, 8 : 8 + size]
    b = whole[:, 8 - dy : 8 - dy + size, 8 - dx : 8 - dx + size]
    pair = torch.stack((a, b))
    return pair + noise * torch.randn(pair.shape, generator=seeded(9))


def stays(dx: float, dy: float, size: int) -> torch.Tensor:
    """Pixels of the first view that the second one has, too."""
    line = torch.arange(size)
    column, row = line + dx, line + dy
    return ((row >= 0) & (row < size))[:, None] & ((column >= 0) & (column < size))


def miss(flow: torch.Tensor, dx: float, dy: float) -> torch.Tensor:
    length: torch.Tensor = (flow - torch.tensor([dx, dy]).view(2, 1, 1)).norm(dim=0)
    return length


def by_hand(feat: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both searches written out: patches side by side, all cosines, the first of the largest."""
    height, width = feat.shape[2:]
    patches = functional.unfold(functional.pad(feat, (side // 2,) * 4, mode="replicate"), side)
    unit = patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-8)
    cosines = unit[0].T @ unit[1]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    flows = []
    for best in (cosines.argmax(1), cosines.argmax(0)):
        best = best.view(height, width)
        flows.append(torch.stack((best % width - x, best // width - y)).float())
    return flows[0], flows[1]


@pytest.mark.parametrize("case", ["sq", "rect"])
@pytest.mark.parametrize("band", [2**24, 200])
def test_the_published_search_exactly(
    golden_cases: Path, case: str, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_BAND", band)
    with np.load(golden_cases / "units.npz") as units:
        feat = torch.from_numpy(units[f"flow_{case}_feat"])
        forward, backward = units[f"flow_{case}_12"], units[f"flow_{case}_21"]
    size = forward.shape[:2]
    found = match(feat, size, PLAIN, 1, grey(*size), None)
    assert np.array_equal(found.forward.permute(1, 2, 0).numpy(), forward)
    assert np.array_equal(found.backward.permute(1, 2, 0).numpy(), backward)
    assert bool((found.trust_a == 1).all()) and bool((found.trust_b == 1).all())


def test_the_first_of_equals_is_taken() -> None:
    feat = torch.zeros(2, 3, 4, 6)
    feat[:, 0] = 1
    found = plainly(feat)
    places = torch.stack(torch.meshgrid(torch.arange(6.0), torch.arange(4.0), indexing="xy"))
    assert torch.equal(found.forward, -places)


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    side=st.sampled_from([1, 3, 5]),
    rows=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_patches_are_compared_whole_whatever_the_bands(
    height: int, width: int, side: int, rows: int, seed: int
) -> None:
    feat = torch.randn(2, 8, height, width, generator=seeded(seed))
    forward, backward = by_hand(feat, side)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_BAND", rows * width * height * width)
        found = plainly(feat, side)
    assert torch.equal(found.forward, forward)
    assert torch.equal(found.backward, backward)


def test_bands_change_nothing_with_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    feat, guides = shifted_pair(3, -2, noise=0.3), torch.rand(2, 3, 24, 24, generator=seeded(1))
    heard = Correspondence(
        *(3 * torch.randn(2, 2, 24, 24, generator=seeded(2))), *torch.rand(2, 24, 24, generator=seeded(3))
    )
    whole = match(feat, (24, 24), ALL, 3, guides, heard)
    monkeypatch.setattr(matching, "_BAND", 5 * 24**3)
    monkeypatch.setattr(filling, "_BAND", 7 * 11**2 * 24)
    parts = match(feat, (24, 24), ALL, 3, guides, heard)
    for name, value in vars(whole).items():
        torch.testing.assert_close(getattr(parts, name), value, atol=1e-4, rtol=0)


def test_the_same_twice() -> None:
    feat, guides = shifted_pair(2, 1, noise=0.5), torch.rand(2, 3, 24, 24, generator=seeded(1))
    first, second = (match(feat, (24, 24), ALL, 5, guides, None) for _ in range(2))
    assert all(torch.equal(value, getattr(second, name)) for name, value in vars(first).items())


def test_a_neighbourhood_finds_what_single_pixels_miss() -> None:
    feat = shifted_pair(4, -3, noise=1.0)
    seen = stays(4, -3, 24)
    wrong = [float((miss(plainly(feat, side).forward, 4, -3)[seen] > 1).float().mean()) for side in (1, 3, 5)]
    assert wrong[0] > 0.15
    assert wrong[1] < wrong[0] / 2
    assert wrong[2] < wrong[1]


@pytest.mark.parametrize("dx", [0.25, 0.4, -0.3])
def test_between_pixels(dx: float) -> None:
    fine = smooth_map(560, 560, coarse=60)
    # Every twentieth column is looked at: a twentieth of a pixel is one column.
    a, b = (fine[:, 40:520:20, start : start + 480 : 20] for start in (40, 40 - round(dx * 20)))
    feat = torch.stack((a, b))
    inner = (slice(3, -3), slice(3, -3))
    whole = miss(plainly(feat, 3).forward, dx, 0)[inner].mean()
    fraction = miss(plainly(feat, 3, replace(PLAIN, subpixel=True)).forward, dx, 0)[inner].mean()
    assert fraction < 0.5 * whole


def test_what_leads_back_is_trusted_and_what_left_the_picture_is_not() -> None:
    found = plainly(shifted_pair(6, 0), 3, replace(PLAIN, cycle=True))
    seen = stays(6, 0, 24)
    assert float(found.trust_a[seen].mean()) > 0.9
    assert float(found.trust_a[~seen].mean()) < 0.3
    assert float(found.trust_a.min()) >= 0 and float(found.trust_a.max()) <= 1


def test_filling_follows_the_pictures_edges() -> None:
    """Two things move apart; a noisy, distrusted band lies across their border, which only the colours show."""
    side = 24
    truth = torch.zeros(2, side, side)
    truth[0, :, : side // 2], truth[0, :, side // 2 :] = 5, -3
    guide = torch.full((3, side, side), 0.2)
    guide[:, :, side // 2 :] = 0.8
    trust = torch.ones(side, side)
    trust[:, 9:15] = 0
    broken = torch.where(trust > 0, truth, 8 * torch.randn(truth.shape, generator=seeded(4)))
    filled, support = filling.fill(broken, trust, guide)
    torch.testing.assert_close(filled, truth, atol=0.05, rtol=0)
    assert float(support[:, :4].min()) > 0.9 and float(support[:, 9:15].max()) < 0.6


def test_where_nobody_is_trusted_nothing_changes() -> None:
    flow = torch.randn(2, 12, 9, generator=seeded(5))
    filled, support = filling.fill(flow, torch.zeros(12, 9), torch.rand(3, 12, 9))
    assert torch.equal(filled, flow)
    assert not support.any()


def opinion_of(dx: float, dy: float, trust: float, size: int = 24) -> Correspondence:
    flow = torch.tensor([dx, dy]).view(2, 1, 1).expand(2, size, size)
    sure = torch.full((size, size), trust)
    return Correspondence(flow, -flow, sure, sure.clone())


def test_an_opinion_is_taken_where_it_fits_and_not_where_it_does_not() -> None:
    feat, options = shifted_pair(4, -3, noise=1.2), replace(PLAIN, second_opinion=True)
    seen = stays(4, -3, 24)

    def wrong(opinion: Correspondence | None) -> float:
        found = match(feat, (24, 24), options, 1, grey(24, 24), opinion)
        return float((miss(found.forward, 4, -3)[seen] > 1).float().mean())

    alone = wrong(None)
    assert wrong(opinion_of(4, -3, 1.0)) < 0.7 * alone
    assert wrong(opinion_of(-5, 2, 0.0)) == alone
    clear = shifted_pair(4, -3)
    found = match(clear, (24, 24), options, 3, grey(24, 24), opinion_of(-5, 2, 1.0))
    assert float(miss(found.forward, 4, -3)[seen].mean()) < 0.2


def test_an_opinion_is_heard_only_when_it_is_asked() -> None:
    feat = shifted_pair(4, -3, noise=1.2)
    asked_not = match(feat, (24, 24), PLAIN, 1, grey(24, 24), opinion_of(4, -3, 1.0))
    assert torch.equal(asked_not.forward, plainly(feat).forward)


def test_an_opinion_that_leads_out_of_the_picture_is_not_taken() -> None:
    found = match(
        shifted_pair(0, 0), (24, 24), replace(PLAIN, second_opinion=True), 1, grey(24, 24), opinion_of(99, 0, 1.0)
    )
    assert torch.equal(found.forward, torch.zeros(2, 24, 24))


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (1, 7), (2, 2)])
def test_any_size(size: tuple[int, int]) -> None:
    feat = torch.randn(2, 6, 4, 5, generator=seeded(6))
    found = match(feat, size, ALL, 5, torch.rand(2, 3, *size), None)
    assert found.forward.shape == found.backward.shape == (2, *size)
    assert found.trust_a.shape == found.trust_b.shape == size
    assert all(bool(torch.isfinite(value).all()) for value in vars(found).values())


@dataclass(frozen=True)
class Tried:
    """A pair of which the truth is known, its features, and the pictures at latent size."""

    trial: Trial
    feat: torch.Tensor
    guides: torch.Tensor

    def errors(self, side: int, options: Matching) -> tuple[torch.Tensor, torch.Tensor]:
        """Trust and end-point error in latent pixels of what is seen in both keyframes."""
        height, width = self.trial.seen_a.shape
        found = match(self.feat, (height, width), options, side, self.guides, None)
        ways = (
            (found.forward, found.trust_a, self.trial.forward, self.trial.seen_a),
            (found.backward, found.trust_b, self.trial.backward, self.trial.seen_b),
        )
        trusts = torch.cat([trust[seen] for _, trust, _, seen in ways])
        return trusts, torch.cat([(flow - truth).norm(dim=0)[seen] for flow, _, truth, seen in ways])


@pytest.fixture(scope="module")
def tried(nano_sd: Path) -> list[Tried]:
    """Pairs as a trained model sees them: up block 2 at time label 261."""
    torch.set_num_threads(1)
    model = load(identity.find({"model": str(nano_sd)}), devices.choose("cpu"))
    context, schedule = embed(model, "")[0], make_schedule(model.alphas, 3, 0.28)
    pairs = []
    with torch.inference_mode():
        for seed in range(40, 46):
            trial = make_trial(seed, 256)
            inversion = invert(encode(model, trial.keyframes), schedule, plain(model, context))
            feat = features(model, inversion.latents[-1], schedule.label(3), context, 2)
            guides = functional.avg_pool2d(trial.keyframes / 2 + 0.5, 8)
            pairs.append(Tried(trial, feat, guides))
    return pairs


def mean_error(tried: list[Tried], side: int, options: Matching) -> float:
    return float(torch.cat([each.errors(side, options)[1] for each in tried]).mean())


def test_each_correction_finds_more_on_a_trained_model(tried: list[Tried]) -> None:
    alone = mean_error(tried, 1, PLAIN)
    patches = mean_error(tried, 5, PLAIN)
    filled = mean_error(tried, 5, Matching(subpixel=True, cycle=True, edge_aware=True))
    assert patches < 0.9 * alone
    assert filled < 0.85 * patches


@pytest.mark.parametrize("edge_aware", [False, True])
def test_what_is_trusted_is_right(tried: list[Tried], edge_aware: bool) -> None:
    options = Matching(subpixel=True, cycle=True, edge_aware=edge_aware)
    trusts, errors = (torch.cat(parts) for parts in zip(*(each.errors(5, options) for each in tried)))
    sure = trusts > 0.8
    assert 0.15 < float(sure.float().mean()) < 0.9
    assert float(errors[sure].mean()) < 0.5 * float(errors[~sure].mean())
    right = errors <= 2
    assert float(right[sure].float().mean()) > float(right[~sure].float().mean()) + 0.15
