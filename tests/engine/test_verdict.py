"""What digests say about a file, in words."""

from __future__ import annotations

import pytest

from engine.errors import IntegrityError
from engine.model import Digest, Pieces, Promise
from engine.verdict import bad_piece, compare, listed, verdict_of


def promise(algorithm: str, value: str, origin: str = "Digest") -> Promise:
    return Promise(Digest(algorithm, value), origin)


@pytest.mark.parametrize(
    ("promises", "verdict"),
    [
        ([], ""),
        ([promise("md5", "aa", "MD5SUMS")], "verified (md5, from MD5SUMS)"),
        (
            [promise("md5", "aa"), promise("sha1", "bb")],
            "verified (md5 and sha1, from Digest)",
        ),
        (
            [promise("md5", "aa"), promise("md5", "aa", "Metalink")],
            "verified (md5, from Digest and Metalink)",
        ),
    ],
)
def test_promises_that_are_kept_are_the_verdict(
    promises: list[Promise], verdict: str
) -> None:
    """It names each algorithm and each origin once, in the order of the promises."""
    assert compare(promises, {"md5": "aa", "sha1": "bb"}) == verdict


def test_every_promise_that_is_broken_is_named() -> None:
    """With what the digest is, what it should be, and who said so."""
    promises = [promise("md5", "cc"), promise("sha1", "bb"), promise("md5", "dd")]
    with pytest.raises(IntegrityError) as raised:
        compare(promises, {"md5": "aa", "sha1": "bb"})
    assert str(raised.value) == (
        "md5 is aa, expected cc (from Digest); md5 is aa, expected dd (from Digest)"
    )


def test_pieces_are_a_verdict_too() -> None:
    """Only a Metalink tells of pieces; a wrong one is named by number and place."""
    pieces = Pieces(1000, "sha256", ("aa", "bb"))
    assert verdict_of(pieces) == "verified (pieces, sha256, from Metalink)"
    assert str(bad_piece(pieces, 1, "cc")) == (
        "piece 2 of 2, at byte 1000: sha256 is cc, expected bb (from Metalink)"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c"), ("aba", "a and b")],
)
def test_words_are_listed_once(words: str, text: str) -> None:
    """However often one comes."""
    assert listed(words) == text
