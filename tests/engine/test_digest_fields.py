"""Which header fields tell the digest of a whole file, and which do not."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given, strategies as st

from engine.digest import ALGORITHMS, hasher
from engine.digest_fields import promised
from engine.model import Digest, Header, Promise

DATA = b"hello"
NAMES = (
    "repr-digest",
    "content-digest",
    "digest",
    "content-md5",
    "x-goog-hash",
    "x-goog-stored-content-encoding",
    "content-encoding",
    "x-amz-checksum-sha256",
    "x-amz-checksum-sha1",
    "x-amz-checksum-type",
    "x-linked-etag",
)


def hexed(algorithm: str, data: bytes = DATA) -> str:
    return hashlib.new(algorithm, data).hexdigest()


def coded(algorithm: str, data: bytes = DATA) -> str:
    """In base64, as most fields have it."""
    return b64encode(hashlib.new(algorithm, data).digest()).decode()


def told(*fields: Header, whole: bool = False) -> dict[str, str]:
    """The algorithms that were promised the digest of DATA, and by whom."""
    found = promised(fields, whole=whole)
    assert all(one.digest.hex == hexed(one.digest.algorithm) for one in found)
    return {one.digest.algorithm: one.origin for one in found}


MD5, SHA1 = coded("md5"), coded("sha1")
SHA256, SHA512 = coded("sha256"), coded("sha512")
GOOGLE = ("x-goog-hash", f"crc32c=mnG7TA==,md5={MD5}")
AMAZON = ("x-amz-checksum-sha256", SHA256)
LINKED = ("x-linked-etag", f'"{hexed("sha256")}"')


@pytest.mark.parametrize(
    ("field", "algorithms", "origin"),
    [
        (("repr-digest", f"sha-256=:{SHA256}:"), {"sha256"}, "Repr-Digest"),
        (
            (
                "repr-digest",
                f"sha-512=:{SHA512}:;a=1, unixsum=30637, sha-256=:{SHA256}:",
            ),
            {"sha256", "sha512"},
            "Repr-Digest",
        ),
        (("repr-digest", f"md5=:{MD5}:, sha=:{SHA1}:"), {"md5", "sha1"}, "Repr-Digest"),
        (("digest", f"SHA-256={SHA256}"), {"sha256"}, "Digest"),
        (("digest", f"sha-256={SHA256.rstrip('=')}"), {"sha256"}, "Digest"),
        (("digest", f"SHA={SHA1},md5={MD5}"), {"md5", "sha1"}, "Digest"),
        (
            ("digest", f"UNIXsum=30637 , crc32c=AAAAAA==,  SHA-512 = {SHA512}"),
            {"sha512"},
            "Digest",
        ),
        (GOOGLE, {"md5"}, "x-goog-hash"),
        (("x-goog-hash", f"crc32c=mnG7TA==, md5={MD5}"), {"md5"}, "x-goog-hash"),
        (AMAZON, {"sha256"}, "x-amz-checksum-sha256"),
        (("x-amz-checksum-sha1", SHA1), {"sha1"}, "x-amz-checksum-sha1"),
        (LINKED, {"sha256"}, "x-linked-etag"),
        (("x-linked-etag", hexed("sha256").upper()), {"sha256"}, "x-linked-etag"),
    ],
)
def test_a_field_about_the_whole_file_counts_with_a_part_of_it(
    field: Header, algorithms: set[str], origin: str
) -> None:
    """A digest header counts where it covers the whole file."""
    assert told(field) == dict.fromkeys(algorithms, origin)
    assert told(field, whole=True) == dict.fromkeys(algorithms, origin)


@pytest.mark.parametrize(
    ("field", "algorithm", "origin"),
    [
        (("content-md5", MD5), "md5", "Content-MD5"),
        (("content-digest", f"sha-256=:{SHA256}:"), "sha256", "Content-Digest"),
    ],
)
def test_a_field_about_the_body_counts_where_that_is_the_file(
    field: Header, algorithm: str, origin: str
) -> None:
    """`Content-MD5` and `Content-Digest` of a 206 may cover the part."""
    assert told(field, whole=True) == {algorithm: origin}
    assert told(field, whole=False) == {}


@pytest.mark.parametrize(
    "field",
    [
        ("etag", f'"{hexed("md5")}"'),
        ("etag", f'"{hexed("sha256")}"'),
        ("x-linked-etag", f'"{hexed("sha1")}"'),
        ("x-linked-etag", f'W/"{hexed("md5")}"'),
        ("x-linked-etag", f'"{hexed("sha256")}-2"'),
        ("x-goog-hash", "crc32c=mnG7TA=="),
        ("x-goog-hash", "md5=mnG7TA=="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc="),
        ("x-amz-checksum-sha256", f"{SHA256}-7"),
        ("x-amz-checksum-sha256", f"{SHA256}, {SHA256}"),
        ("x-amz-checksum-sha256", hexed("sha256")),
        ("content-md5", hexed("md5")),
        ("content-md5", f'"{MD5}"'),
        ("content-md5", ""),
        ("digest", ""),
        ("digest", "SHA-256"),
        ("digest", f"SHA-256={SHA512}"),
        ("digest", "SHA-256=not base64"),
        ("digest", "adler32=062C0215"),
        ("digest", "md5=ÿÿÿ"),
        ("repr-digest", ""),
        ("repr-digest", f"sha-256={SHA256}"),
        ("repr-digest", f"SHA-256=:{SHA256}:"),
        ("repr-digest", f"sha-256=:{SHA256}:, é"),
        ("repr-digest", f"sha-256=(:{SHA256}:)"),
        ("repr-digest", "sha-256=?1, sha-512=@99999999999999, md5=%"),
        ("repr-digest", f"sha-256=:{SHA1}:"),
        ("repr-digest", "sha-256=:\udcff:"),
        ("want-repr-digest", "sha-256=10"),
    ],
)
def test_what_says_nothing_is_no_error(field: Header) -> None:
    """An ETag is never a digest; the unknown and the malformed are ignored."""
    assert promised([field], whole=True) == ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("FULL_OBJECT", {"sha256": "x-amz-checksum-sha256"}),
        ("COMPOSITE", {}),
        ("composite", {}),
        ("SOMETHING_NEW", {}),
    ],
)
def test_a_composite_checksum_is_of_no_file(
    kind: str, expected: dict[str, str]
) -> None:
    """`x-amz-checksum-*` counts where it covers the whole object."""
    assert told(AMAZON, ("x-amz-checksum-type", kind)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("x-goog-stored-content-encoding", "identity")], {"md5": "x-goog-hash"}),
        ([("x-goog-stored-content-encoding", "gzip")], {}),
        (
            [
                ("x-goog-stored-content-encoding", "gzip"),
                ("content-encoding", "gzip"),
            ],
            {"md5": "x-goog-hash"},
        ),
    ],
)
def test_a_store_that_unpacks_hashes_what_was_packed(
    fields: list[Header], expected: dict[str, str]
) -> None:
    """`x-goog-hash` covers what is stored, and not always what is sent."""
    assert told(GOOGLE, *fields) == expected


def test_fields_that_are_repeated_are_one() -> None:
    """A field may come in several lines, for each digest one."""
    lines = [("x-goog-hash", "crc32c=mnG7TA=="), ("x-goog-hash", f"md5={MD5}")]
    assert told(*lines) == {"md5": "x-goog-hash"}
    lines = [("repr-digest", f"md5=:{MD5}:"), ("repr-digest", f"sha=:{SHA1}:")]
    assert told(*lines) == dict.fromkeys(("md5", "sha1"), "Repr-Digest")


def test_the_best_field_speaks_for_an_algorithm() -> None:
    """`Repr-Digest`, `Digest`, `Content-MD5`, `x-goog-hash`, in this order."""
    wrong = b64encode(hashlib.sha256(b"other").digest()).decode()
    fields = [
        ("x-linked-etag", f'"{hexed("sha256", b"other")}"'),
        ("x-goog-hash", f"md5={coded('md5', b'other')}"),
        ("content-md5", MD5),
        ("digest", f"sha-256={wrong}"),
        ("repr-digest", f"sha-256=:{SHA256}:"),
    ]
    assert promised(fields, whole=True) == (
        Promise(Digest("sha256", hexed("sha256")), "Repr-Digest"),
        Promise(Digest("md5", hexed("md5")), "Content-MD5"),
    )


VALUES = st.one_of(
    st.text(),
    st.text(alphabet='sha-256=:md5,;()"%@?1*AZ= '),
    st.builds("{}={}".format, st.sampled_from(ALGORITHMS), st.text()),
    st.builds(
        "sha-256=:{}:".format,
        st.binary(max_size=40).map(lambda raw: b64encode(raw).decode()),
    ),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES)), st.booleans())
def test_nothing_a_server_sends_is_an_error(fields: list[Header], whole: bool) -> None:
    """Whatever comes is read without an error, and what is promised can be compared."""
    for one in promised(fields, whole=whole):
        assert len(one.digest.hex) == 2 * hasher(one.digest.algorithm).digest_size
        assert one.digest.hex == one.digest.hex.lower()
        assert one.origin.lower() in NAMES
