"""Files of the spool: names, atomicity, sweeping."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.pixels import Alpha, Colour, Encoding, PixelFormat, SampleType
from tweenbridge_server.jobs.spool import Spool, frame_name, hash_file, parse_frame_name

KEY = hashlib.sha256(b"frame").hexdigest()
HASH = "cd" * 32
raw_formats = st.builds(
    PixelFormat,
    st.just(Encoding.RAW),
    width=st.integers(1, 99_999),
    height=st.integers(1, 99_999),
    channels=st.integers(1, 4),
    dtype=st.sampled_from(SampleType),
    colour=st.none() | st.sampled_from(Colour),
    alpha=st.none() | st.sampled_from(Alpha),
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.create()
    return made


@given(raw_formats)
def test_a_raw_frame_s_name_tells_its_form(form: PixelFormat) -> None:
    assert parse_frame_name(frame_name(KEY, form, HASH)) == (KEY, HASH, form)


@pytest.mark.parametrize("encoding", [e for e in Encoding if e is not Encoding.RAW])
def test_a_file_encoding_s_name_tells_the_encoding(encoding: Encoding) -> None:
    name = frame_name(KEY, PixelFormat(encoding, width=5), HASH)
    assert parse_frame_name(name) == (KEY, HASH, PixelFormat(encoding))


@given(st.text(max_size=90))
def test_foreign_names_are_no_frames(name: str) -> None:
    assert parse_frame_name(name) is None
    assert parse_frame_name(KEY + name) is None
    assert parse_frame_name(f"{KEY}.{HASH}{name}") is None or name.startswith(".")


def test_a_file_appears_whole_and_leaves_nothing_behind(spool: Spool) -> None:
    place = spool.frame_path(KEY, PixelFormat(Encoding.PNG), hashlib.sha256(b"pixels").hexdigest())
    with spool.new_file(".part") as path:
        path.write_bytes(b"pixels")
        assert spool.find_frame(KEY) is None
        spool.publish(path, place)
    found = spool.find_frame(KEY)
    assert found is not None
    assert (Path(found.place), found.size) == (place, 6)
    assert hash_file(place) == found.sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert list(spool.temporary.iterdir()) == []


def test_a_file_that_could_not_be_finished_is_deleted(spool: Spool) -> None:
    with pytest.raises(OSError, match="broken"), spool.new_file(".part") as path:
        path.write_bytes(b"half")
        raise OSError("broken")
    assert list(spool.temporary.iterdir()) == []


def test_sweeping_takes_what_nobody_writes_any_more(spool: Spool) -> None:
    for name in ("1-1-1.part", "2-2-2.part", "22-2-2.part", "foreign"):
        (spool.temporary / name).write_bytes(b"x")
    assert spool.sweep(lambda writer: writer == 2) == 2
    assert sorted(path.name for path in spool.temporary.iterdir()) == ["1-1-1.part", "22-2-2.part"]
    assert spool.sweep(lambda writer: True) == 2
