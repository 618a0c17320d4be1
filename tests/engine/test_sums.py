"""What checksum files say of a file, in all the ways people's tools write them."""

from __future__ import annotations

import codecs
import hashlib
from time import perf_counter

import pytest
from hypothesis import given, strategies as st

from engine.digest import ALGORITHMS, hasher
from engine.model import Digest
from engine.sums import MOST_LINE, MOST_LINES, Sums

NAME = "hydra-1.0.tar.gz"
PATH = f"/pub/hydra/{NAME}"
SHA256 = hashlib.sha256(b"hello").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
MD5 = hashlib.md5(b"hello").hexdigest()
SHA512 = hashlib.sha512(b"hello").hexdigest()


def of(text: str | bytes, name: str = "SHA256SUMS", path: str = PATH) -> str | None:
    """The hex that a manifest has for the file."""
    data = text.encode() if isinstance(text, str) else text
    found = Sums.read(data, name).of(path)
    return None if found is None else found.hex


def alone(text: str | bytes, path: str = PATH, ending: str = "sha256") -> str | None:
    """The hex that the file's sidecar has for it."""
    data = text.encode() if isinstance(text, str) else text
    found = Sums.read(data, f"{path.rpartition('/')[2]}.{ending}").alone(path)
    return None if found is None else found.hex


UBUNTU = f"""\
{OTHER} *hydra-1.0-desktop-amd64.iso
{SHA256} *{NAME}
"""
NCBI = f"""\
{MD5[::-1]}  ./GCF_000001405.40_assembly_structure/{NAME}
{MD5}  ./{NAME}
{MD5[::-1]}  ./{NAME}.bak
"""
FREEBSD = f"""\
SHA512 ({NAME}.asc) = {SHA512[::-1]}
SHA512 ({NAME}) = {SHA512}
"""
FEDORA = f"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

# {NAME}: 1234 bytes
SHA256 ({NAME}) = {SHA256}
- -----
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEEcf8ilMAkkJhCBAWEs1eBhXmXNZEFAmZ
=x{NAME}
-----END PGP SIGNATURE-----
"""
DASHED = f"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

- {SHA256}  {NAME}
-----BEGIN PGP SIGNATURE-----
{OTHER}  {NAME}
-----END PGP SIGNATURE-----
"""


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (UBUNTU, "SHA256SUMS", SHA256),
        (NCBI, "md5checksums.txt", MD5),
        (FREEBSD, "CHECKSUM.SHA512-FreeBSD", SHA512),
        (FREEBSD, "CHECKSUMS", SHA512),
        (FEDORA, "hydra-1.0-CHECKSUM", SHA256),
        (DASHED, "SHA256SUMS", SHA256),
        (f"{SHA256}  {NAME}\r\n{OTHER}  x\r\n", "SHASUMS256.txt", SHA256),
        (f"{MD5}  {NAME}", "MD5SUMS", MD5),
        (f"{MD5.upper()} {NAME}\n", "md5sum.txt", MD5),
        (f"{MD5}\t{NAME}\n", "hydra_md5.txt", MD5),
        (
            f"; comment\n# {OTHER}  {NAME}\n\n{SHA256}  {NAME}\n",
            "sha256sum.txt",
            SHA256,
        ),
        (f"SHA256({NAME})= {SHA256}\n", "sums", SHA256),
        (f"SHA2-256({NAME})= {SHA256}\n", "sums", SHA256),
        (f"MD5(./{NAME})= {MD5}\nSHA256({NAME})= {SHA256}\n", "sums", SHA256),
        (f"{SHA512}  {NAME}\n", "SHA512SUMS", SHA512),
        (f"{SHA512}  {NAME}\n", "B2SUMS", SHA512),
        (f"BLAKE2b ({NAME}) = {SHA512}\n", "CHECKSUM", SHA512),
        (f"{SHA256}  {NAME}\n", "hydra.sha3-256", SHA256),
    ],
)
def test_a_manifest_is_read_as_tools_write_it(
    text: str, name: str, expected: str
) -> None:
    """`SHA256SUMS`, `MD5SUMS`, `md5checksums.txt` as NCBI has them."""
    assert of(text, name) == expected


@pytest.mark.parametrize(
    ("name", "value", "algorithm"),
    [
        ("SHA256SUMS", SHA256, "sha256"),
        ("SHA1SUMS", SHA256[:40], "sha1"),
        ("sha-512.txt", SHA512, "sha512"),
        ("SHASUMS256.txt", SHA256, "sha256"),
        ("SHASUMS", SHA256[:40], "sha1"),
        ("md5.tar.gz.sha256", SHA256, "sha256"),
        ("sha256sum.txt.md5", MD5, "md5"),
        ("x.sha3-256", SHA256, "sha3_256"),
        ("x.sha3_512", SHA512, "sha3_512"),
        ("b2sums.txt", SHA512, "blake2b"),
        ("x.blake2s", SHA256, "blake2s"),
        ("SHA256SUMS", MD5, None),
        ("MD5SUMS", SHA256, None),
        ("SHA256SUMS", SHA256 + "00", None),
        ("checksums.txt", SHA256, None),
        ("sha3-999", SHA256, None),
    ],
)
def test_the_algorithm_is_that_of_the_name(
    name: str, value: str, algorithm: str | None
) -> None:
    """A length alone is no algorithm: it only has to agree with the file's name."""
    found = Sums.read(f"{value}  {NAME}\n".encode(), name).of(PATH)
    assert found == (Digest(algorithm, value) if algorithm else None)


@pytest.mark.parametrize(
    "line",
    [
        f"{SHA256}  {NAME}.asc",
        f"{SHA256}  x{NAME}",
        f"{SHA256}  {NAME}/x",
        f"{SHA256}",
        f"{SHA256}  ",
        f"{SHA256}{NAME}",
        f"{SHA256[:-1]}g  {NAME}",
        f"SHA256 ({NAME}) = {MD5}",
        f"SHA256 ({NAME}) = ",
        f"SHA256 ({NAME}) {SHA256}",
        f"SHA512/256 ({NAME}) = {SHA256}",
        f"# SHA256 ({NAME}) = {SHA256}",
        f"CRC32 ({NAME}) = {SHA256[:8]}",
        f"SHA256 {NAME}) = {SHA256}",
        f"{SHA256}  {'d' * MOST_LINE}/{NAME}",
        "",
    ],
)
def test_a_line_that_is_about_something_else_says_nothing(line: str) -> None:
    """What is malformed, too long, or about another file, is skipped."""
    assert of(f"{line}\n") is None
    assert of(f"{line}\n{SHA256} *{NAME}\n") == SHA256


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ({NAME: SHA256}, SHA256),
        ({f"./{NAME}": SHA256}, SHA256),
        ({f"/home/me/dist/{NAME}": SHA256}, SHA256),
        ({f"../{NAME}": SHA256}, SHA256),
        ({f"dist/{NAME}": SHA256}, SHA256),
        ({f"sub/{NAME}": OTHER, NAME: SHA256}, SHA256),
        ({f"hydra/{NAME}": SHA256, f"medusa/{NAME}": OTHER}, SHA256),
        ({f"hydra/{NAME}": OTHER, NAME: SHA256}, SHA256),
        ({f"a/{NAME}": SHA256, f"b/{NAME}": OTHER}, None),
        ({f"a/{NAME}": SHA256, f"b/{NAME}": SHA256}, SHA256),
        ({NAME: SHA256, f"./{NAME}": OTHER}, None),
        ({NAME: SHA256, f"./{NAME}": SHA256.upper()}, SHA256),
    ],
)
def test_the_nearest_path_counts(paths: dict[str, str], expected: str | None) -> None:
    """The file itself goes before one of its name elsewhere; contradictions say nothing."""
    lines = [f"{value}  {path}\n" for path, value in paths.items()]
    assert of("".join(lines)) == of("".join(reversed(lines))) == expected


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (rf"\{SHA256}  na\nme", "na\nme"),
        (rf"\{SHA256} *back\\slash", "back\\slash"),
        (rf"\SHA256 (back\\slash) = {SHA256}", "back\\slash"),
        (rf"\{SHA256}  di\\r/plain", "plain"),
        (f"{SHA256}  back\\slash", "back\\slash"),
        (f"{SHA256}  two words (1).txt", "two words (1).txt"),
        (f"SHA256 (two words (1).txt) = {SHA256}", "two words (1).txt"),
        (f"{SHA256}  naïve €", "naïve €"),
    ],
)
def test_names_may_be_anything(line: str, path: str) -> None:
    """GNU's tools escape line feeds and backslashes, and mark such lines with one."""
    assert of(f"{OTHER}  other\n{line}\n", path=f"/pub/{path}") == SHA256


@pytest.mark.parametrize(
    "data",
    [
        f"{SHA256}  naïve\n".encode(),
        codecs.BOM_UTF8 + f"{SHA256}  naïve\n".encode(),
        f"{SHA256}  naïve\n".encode("latin-1"),
        codecs.BOM_UTF16_LE + f"{SHA256}  naïve\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + f"{SHA256}  naïve\r\n".encode("utf-16-be"),
    ],
)
def test_the_encoding_is_found_out(data: bytes) -> None:
    """UTF-8, Latin-1, or UTF-16 where a byte order mark says so (PowerShell)."""
    assert of(data, path="/pub/naïve") == SHA256


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE html>\n<pre>\n{SHA256}  {NAME}\n</pre>",
        f"\n  <html>\n{SHA256}  {NAME}\n",
        f'\ufeff<?xml version="1.0"?>\n{SHA256}  {NAME}\n',
        f"{SHA256}  {NAME}\n\0",
        "",
    ],
)
def test_a_page_holds_no_digests(text: str) -> None:
    """A "not found" page that comes with status 200 is no checksum file."""
    assert of(text) is None
    assert alone(text) is None


@pytest.mark.parametrize(
    "text",
    [
        SHA256,
        f"{SHA256}\n",
        f"{SHA256.upper()}\r\n",
        f"\ufeff  {SHA256}\r\n\r\n",
        codecs.BOM_UTF16_LE + f"{SHA256}\r\n".encode("utf-16-le"),
        f"{SHA256} -\n",
        f"{SHA256}  {NAME}\n",
        f"{SHA256}  /tmp/build/output.bin\n",
        f"{SHA256}  {NAME.upper()}\n",
        f"SHA256 (output.bin) = {SHA256}\n",
        f"{OTHER}  a\n{SHA256}  {NAME}\n{OTHER}  b\n",
        f"{MD5}\n{SHA256}\n",
    ],
)
def test_a_sidecar_has_one_digest_or_names_the_file(text: str | bytes) -> None:
    """The only digest in a sidecar is that of its file, whatever name is there."""
    assert alone(text) == SHA256


@pytest.mark.parametrize(
    "text",
    [
        MD5,
        f"{SHA256}\n{OTHER}\n",
        f"{OTHER}  a\n{OTHER}  b\n",
        f"{SHA256}  {NAME}\n{OTHER}  {NAME}\n",
        f"{SHA256}  hydra-1.0.tar\n",
        f"{SHA256} and more\n{OTHER}",
        "Not found\n",
    ],
)
def test_a_sidecar_that_is_not_clear_says_nothing(text: str) -> None:
    """Two digests, or that of the file inside, are not the digest of this file."""
    assert alone(text) is None


def test_a_bare_number_in_a_manifest_is_of_no_file() -> None:
    """Only a sidecar may leave the name out."""
    assert of(f"{SHA256}\n") is None


# -- bounds ----------------------------------------------------------------------


def test_a_hundred_thousand_lines_take_no_time() -> None:
    """A manifest of everything is searched within a frame of the screen."""
    lines = (f"{i:032x}  ./chr{i % 24}/part_{i}.fa.gz\n" for i in range(100_000))
    sums = Sums.read("".join(lines).encode(), "md5checksums.txt")
    began = perf_counter()
    found = [
        sums.of(f"/pub/chr{i % 24}/part_{i}.fa.gz") for i in range(99_990, 100_000)
    ]
    assert perf_counter() - began < 1
    assert [one and int(one.hex, 16) for one in found] == list(range(99_990, 100_000))


@pytest.mark.parametrize(
    "text",
    [
        "a\n" * 4_000_000,
        "a)\n" * 2_000_000,
        "(" * 8_000_000,
        "a)" * 4_000_000,
        f"{'a' * 8_000_000}\n",
        f"{SHA256}{' ' * 8_000_000}a\n",
        f"SHA256 {'(' * 4000}a{')=' * 10}\n" * 1900,
        "\n" * 8_000_000,
    ],
    ids=range(8),
)
def test_a_hostile_manifest_costs_little(text: str) -> None:
    """No text of 8 MB keeps the loop for long, whatever is in it."""
    began = perf_counter()
    assert of(text, path="/pub/a") is None
    assert alone(text, path="/pub/a") is None
    assert perf_counter() - began < 2


def test_a_name_that_half_the_lines_have_is_given_up() -> None:
    """Only so many lines are looked at for one file."""
    noise = "x  a\n"
    assert of(noise * (MOST_LINES - 1) + f"{SHA256}  a\n", path="a") == SHA256
    assert of(noise * MOST_LINES + f"{SHA256}  a\n", path="a") is None


BYTES = st.one_of(
    st.binary(),
    st.text().map(str.encode),
    st.lists(
        st.sampled_from(
            [
                SHA256,
                MD5,
                "  ",
                " *",
                "a",
                "\\",
                "\n",
                "\r\n",
                "(",
                ")",
                "=",
                "MD5",
                "./",
            ]
        )
    ).map(lambda parts: "".join(parts).encode()),
)


@given(
    BYTES,
    st.sampled_from(["SHA256SUMS", "a.md5", "SHASUMS", "x", ""]),
    st.sampled_from(["a", "/a", "b/a", "", "/", "\n", "\\", " ", "\r\n", "é", ")"]),
)
def test_whatever_the_bytes_are_they_are_read(
    data: bytes, name: str, path: str
) -> None:
    """No bytes are an error, and what is found can be compared."""
    sums = Sums.read(data, name)
    for found in (sums.of(path), sums.alone(path)):
        if found is not None:
            assert found.algorithm in ALGORITHMS
            assert len(found.hex) == 2 * hasher(found.algorithm).digest_size
            assert found.hex == found.hex.lower()
