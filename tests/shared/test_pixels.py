"""What bytes are: signatures, endings, sizes of raw images."""

from __future__ import annotations

import pytest
from fakes.pictures import keyframe
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.pixels import FILE_SUFFIX, Encoding, PixelFormat, SampleType, encoding_for, sniff
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError


def test_every_encoding_has_an_ending_that_leads_back_to_it() -> None:
    for encoding in Encoding:
        expected = None if encoding is Encoding.RAW else encoding
        assert encoding_for("shot.0001" + FILE_SUFFIX[encoding].upper()) is expected


@pytest.mark.parametrize("name", ["", "png", "a.gif", "archive.png.zip", ".", "a."])
def test_other_names_promise_nothing(name: str) -> None:
    assert encoding_for(name) is None


def test_signatures() -> None:
    assert sniff(keyframe(0)) is Encoding.PNG
    assert sniff(b"II*\0rest") is Encoding.TIFF
    assert sniff(b"MM\0+rest") is Encoding.TIFF
    assert sniff(b"\x76\x2f\x31\x01rest") is Encoding.EXR
    assert sniff(b"\xff\xd8\xff\xe0rest") is Encoding.JPEG
    assert sniff(b"GIF89a") is None
    assert sniff(b"") is None


@given(
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    channels=st.integers(1, 4),
    dtype=st.sampled_from(SampleType),
)
def test_the_size_of_a_raw_image(width: int, height: int, channels: int, dtype: SampleType) -> None:
    bits = int("".join(filter(str.isdigit, dtype.value)))
    form = PixelFormat(Encoding.RAW, width, height, channels, dtype)
    assert form.raw_size() * 8 == width * height * channels * bits


@pytest.mark.parametrize(
    "form",
    [
        PixelFormat(Encoding.RAW),
        PixelFormat(Encoding.RAW, 4, 4, 3),
        PixelFormat(Encoding.RAW, 0, 4, 3, SampleType.UINT8),
        PixelFormat(Encoding.RAW, -4, 4, 3, SampleType.UINT8),
        PixelFormat(Encoding.RAW, 4, 4, 5, SampleType.UINT8),
    ],
)
def test_raw_images_that_make_no_sense(form: PixelFormat) -> None:
    with pytest.raises(TweenbridgeError) as caught:
        form.raw_size()
    assert caught.value.code is ErrorCode.UNSUPPORTED_FORMAT
