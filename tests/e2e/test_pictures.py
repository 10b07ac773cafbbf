"""Pictures of every kind through the real engine: light, layers, pairs, remedies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio
import pytest

from .conftest import Picture, Studio, draw, frames


def _exr(path: Path, picture: Picture, names: tuple[str, ...]) -> None:
    spec = oiio.ImageSpec(picture.shape[1], picture.shape[0], picture.shape[2], "half")
    spec.channelnames = names
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(path), spec) and writer.write_image(picture.astype(np.float16)) and writer.close()


def _read(path: Path) -> Picture:
    reader = oiio.ImageInput.open(str(path))
    assert reader is not None
    return reader.read_image("float")


def _disc(x: float) -> Picture:
    """A disc of light with its middle at x; (128, 192, 1), 0 to 1."""
    rows, columns = np.mgrid[:128, :192]
    return np.clip(20.5 - np.hypot(columns - x, rows - 64), 0, 1)[..., None]


@pytest.mark.parametrize(("name", "light"), [("disc", (0.9, 0.36, 0.18)), ("hdr", (4.0, 1.6, 0.8))])
def test_light_where_alpha_is_0_moves_and_stays(running: Studio, name: str, light: tuple[float, ...]) -> None:
    """Finding 06: no motion was found, and the light fell to 5 %."""
    for which, x in (("a", 60.0), ("b", 100.0)):
        picture = np.concatenate([_disc(x) * np.array(light), np.zeros((128, 192, 1))], axis=2)
        _exr(running.folder / f"{name}_{which}.exr", picture, ("R", "G", "B", "A"))
    running.expect("interpolate", f"{name}_a.exr", f"{name}_b.exr", "-n", 1, "-o", name)
    (made,) = frames(running.folder / name, "exr")
    result, truth = _read(made), _disc(80.0) * np.array(light)
    assert result[..., :3].sum() == pytest.approx(truth.sum(), rel=0.01)
    assert np.abs(result[..., :3] - truth).mean() < 0.001 * light[0]
    assert result.max() <= max(light) * 1.001 and not result[..., 3].any()


def test_blenders_layers(running: Studio) -> None:
    """Finding 07: such files were refused."""
    for which, x in (("a", 60.0), ("b", 100.0)):
        picture = np.concatenate([0.1 + 0.8 * _disc(x).repeat(3, 2), np.ones((128, 192, 1)), _disc(x)], axis=2)
        names = (*(f"ViewLayer.Combined.{channel}" for channel in "RGBA"), "ViewLayer.Depth.Z")
        _exr(running.folder / f"layer_{which}.exr", picture, names)
    done = running.run("interpolate", "layer_a.exr", "layer_b.exr", "-n", 1, "-o", "layers", "--profile", "draft")
    assert done.returncode == 0, done.stderr
    assert "also holds ViewLayer.Depth; only its layer ViewLayer.Combined is used." in done.stderr
    (made,) = frames(running.folder / "layers", "exr")
    result = _read(made)
    assert result.shape == (128, 192, 4)
    ground = (_disc(60.0) + _disc(80.0) + _disc(100.0))[..., 0] == 0
    assert np.abs(result[..., :3][ground] - 0.1).max() < 0.01, "colour, and no depth"
    assert 0.3 < result[..., :3].max() < 0.91 and (result[..., 3] == 1).all()


def test_a_fade_from_gray_black_is_in_colour(running: Studio) -> None:
    cv2.imwrite(str(running.folder / "black.png"), np.zeros((180, 320), np.uint8))
    draw(running.folder / "scene.png", 0)
    running.expect("interpolate", "black.png", "scene.png", "-n", 1, "-o", "fade", "--profile", "draft")
    (made,) = frames(running.folder / "fade")
    image = cv2.imread(str(made), cv2.IMREAD_UNCHANGED)
    assert image is not None and image.shape == (180, 320, 3)


def test_a_film_without_a_frame_and_a_chart_that_falls(running: Studio) -> None:
    draw(running.folder / "s.png", 0)
    running.expect("film", "s.png", "s.png", "--out", "clip.mp4")
    refused = running.run("interpolate", "clip.mp4", "s.png")
    assert refused.returncode == 1 and "clip.mp4@36" in refused.stderr
    refused = running.run("interpolate", "s.png", "s.png", "--chart", "0.5,0.1")
    assert refused.returncode == 1 and "goes back in time" in refused.stderr
