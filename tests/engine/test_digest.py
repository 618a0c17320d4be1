"""Digests as people write them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from engine.digest import (
    ALGORITHMS,
    algorithm_named,
    digest_of,
    hasher,
    parse_digest,
)
from engine.errors import UsageError
from engine.model import Digest

HELLO = b"hello"
MD5 = "5d41402abc4b2a76b9719d911017c592"
SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_computes_what_hashlib_does(algorithm: str) -> None:
    """A hasher gives the digest of the algorithm it is named for."""
    ours = hasher(algorithm)
    for piece in (HELLO[:2], memoryview(HELLO)[2:]):
        ours.update(bytes(piece))
    assert ours.hexdigest() == hashlib.new(algorithm, HELLO).hexdigest()
    assert ours.digest_size * 2 == len(ours.hexdigest())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("data", [b"", HELLO, bytes(300_000)], ids=len)
def test_a_whole_file_has_a_digest(tmp_path: Path, algorithm: str, data: bytes) -> None:
    """The digest of a file is the digest of its bytes, with the algorithm's name."""
    (tmp_path / "file").write_bytes(data)
    expected = Digest(algorithm, hashlib.new(algorithm, data).hexdigest())
    assert digest_of(tmp_path / "file", algorithm) == expected


@pytest.mark.parametrize(
    ("written", "algorithm"),
    [
        ("md5", "md5"),
        ("MD5", "md5"),
        (" sha1 ", "sha1"),
        ("SHA-1", "sha1"),
        ("sha-256", "sha256"),
        ("SHA_512", "sha512"),
        ("sha2", "sha256"),
        ("sha-2", "sha256"),
        ("sha3", "sha3_256"),
        ("sha-3", "sha3_256"),
        ("SHA3-512", "sha3_512"),
        ("sha-3-384", "sha3_384"),
        ("sha3_224", "sha3_224"),
        ("blake2", "blake2b"),
        ("BLAKE2s", "blake2s"),
    ],
)
def test_algorithms_have_many_spellings(written: str, algorithm: str) -> None:
    """Dashes, underscores, capitals and families all name an algorithm."""
    assert algorithm_named(written) == algorithm


@pytest.mark.parametrize(
    "name",
    [
        "",
        "crc32",
        "sha",
        "sha-",
        "sha4",
        "md-5",
        "sha256 sum",
        "shake_128",
        "ripemd160",
    ],
)
def test_an_unknown_algorithm_names_the_known_ones(name: str) -> None:
    """What cannot be computed everywhere is refused, with all that can be."""
    with pytest.raises(UsageError) as raised:
        algorithm_named(name)
    assert repr(name) in str(raised.value)
    assert all(known in str(raised.value) for known in ALGORITHMS)


@pytest.mark.parametrize("name", [*ALGORITHMS, "sha2", "SHA-1", "blake2"])
def test_a_name_once_found_is_found_again(name: str) -> None:
    """The name of an algorithm is a way to write it."""
    assert algorithm_named(algorithm_named(name)) == algorithm_named(name)


@pytest.mark.parametrize(
    ("text", "default", "digest"),
    [
        (MD5, "md5", Digest("md5", MD5)),
        (f"  {MD5.upper()}\n", "md5", Digest("md5", MD5)),
        (SHA256, "sha2", Digest("sha256", SHA256)),
        (f"sha256:{SHA256}", "md5", Digest("sha256", SHA256)),
        (f"SHA-256: {SHA256}", "md5", Digest("sha256", SHA256)),
    ],
)
def test_a_checksum_may_name_its_algorithm(
    text: str, default: str, digest: Digest
) -> None:
    """`HEX` is of the default algorithm, `ALGO:HEX` of the one it names."""
    assert parse_digest(text, default) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "md5:",
        MD5[:-1],
        MD5 + "0",
        MD5[:-1] + "g",
        MD5[:-1] + "\u0661",
        f"0x{MD5[2:]}",
        SHA256,
    ],
)
def test_a_checksum_has_the_length_and_the_digits(text: str) -> None:
    """What cannot be an MD5 is refused, and the message says what would be one."""
    with pytest.raises(UsageError, match="md5 is written as 32 hex digits"):
        parse_digest(text, "md5")


def test_a_checksum_of_nothing_known_is_refused() -> None:
    """The algorithm is judged before the digits."""
    with pytest.raises(UsageError, match="unknown hash algorithm 'crc32'"):
        parse_digest(f"crc32:{MD5}", "md5")
    with pytest.raises(UsageError, match="unknown hash algorithm 'sha256:md5'"):
        parse_digest(f"sha256:md5:{MD5}", "md5")


@given(st.sampled_from(ALGORITHMS), st.binary(max_size=64))
def test_what_hashlib_writes_is_read(algorithm: str, data: bytes) -> None:
    """Every digest can be written down and read back, in both forms."""
    value = hashlib.new(algorithm, data).hexdigest()
    assert parse_digest(value, algorithm) == Digest(algorithm, value)
    assert parse_digest(f"{algorithm}:{value.upper()}", "md5").hex == value


@given(st.text())
def test_no_text_is_a_surprise(text: str) -> None:
    """Whatever is typed, it is a digest or a usage error."""
    try:
        found = parse_digest(text, "md5")
    except UsageError:
        return
    assert found.algorithm in ALGORITHMS
