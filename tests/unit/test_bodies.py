"""Bodies that come in pieces: unpacked whatever the pieces are, and cut off where they become too large."""

import gzip
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bodies import Body, BodyError, TooLargeError, gunzip


def bare(data: bytes) -> bytes:
    """Deflate without a head, as some send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
}


def taken(coding: str | None, pieces: Sequence[bytes], largest: int = 1 << 20) -> bytes:
    """A body that came in pieces."""
    body = Body(coding, largest)
    for piece in pieces:
        body.feed(piece)
    return body.whole()


def parts(data: bytes, size: int) -> list[bytes]:
    """Pieces of so many bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(data=st.binary(max_size=3000), coding=st.sampled_from(list(PACKED)), size=st.integers(1, 500))
def test_a_body_is_what_was_sent_whatever_its_pieces(data: bytes, coding: str | None, size: int) -> None:
    """If this fails, a payload is kept that the vendor did not send."""
    packed = PACKED[coding](data)
    assert taken(coding, parts(packed, size)) == data
    if data and coding == "deflate":
        assert taken(coding, parts(bare(data), size)) == data
    if coding == "gzip":
        assert taken(coding, parts(packed + packed, size)) == data + data
        assert taken(coding, parts(packed + b"\0" * 9, size)) == data


@given(excess=st.integers(-3, 3), coding=st.sampled_from(list(PACKED)), size=st.integers(1, 500))
def test_the_limit_is_kept_to_the_byte(excess: int, coding: str | None, size: int) -> None:
    """If this fails, an answer that may be is refused, or one that may not fills the memory."""
    data = bytes(1000 + excess)
    if excess <= 0:
        assert taken(coding, parts(PACKED[coding](data), size), 1000) == data
        return
    with pytest.raises(TooLargeError) as caught:
        taken(coding, parts(PACKED[coding](data), size), 1000)
    assert caught.value.head == bytes(1000)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_half_a_body_is_none(coding: str) -> None:
    """If this fails, half a reply is stored as if it were whole."""
    packed = PACKED[coding](b"text" * 100)
    with pytest.raises(BodyError, match="ends too early"):
        taken(coding, [packed[:-6]])
    with pytest.raises(BodyError, match=f"broken {coding}"):
        taken(coding, [b"x" + packed])


def test_a_coding_that_was_not_asked_for_is_refused() -> None:
    """If this fails, bytes are kept that no SQL can read, and nobody is told."""
    with pytest.raises(BodyError, match="'br' was not asked for"):
        Body("br", 10)
    assert taken("identity", [b"a"]) == b"a"


def test_a_file_is_unpacked_within_its_limit() -> None:
    """If this fails, whoever forgets a person runs out of memory over one reply that was a trap."""
    assert gunzip(gzip.compress(b"abc")) == b"abc"
    with pytest.raises(TooLargeError, match="more than"):
        gunzip(gzip.compress(bytes(1000)), 999)
