"""Metalink documents and headers, honest ones and others."""

from __future__ import annotations

import hashlib
import time
import tracemalloc

import pytest
from hypothesis import given, settings, strategies as st

from engine.config import check_url
from engine.errors import RefusedError
from engine.metalink import (
    LARGEST,
    LAST,
    LONGEST_TOKEN,
    LOOKED_AT,
    MEDIA_TYPE,
    MOST_ELEMENTS,
    MOST_FILES,
    MOST_LINKS,
    MOST_NAMES,
    MOST_URLS,
    ORIGIN,
    Links,
    MetalinkFile,
    links,
    parse_metalink,
)
from engine.model import Digest, Pieces, Promise
from engine.naming import sanitise

NAMESPACE = "urn:ietf:params:xml:ns:metalink"
MIB = 1 << 20

MD5 = hashlib.md5(b"leap").hexdigest()
SHA1 = hashlib.sha1(b"leap").hexdigest()
SHA256 = hashlib.sha256(b"leap").hexdigest()
SHA512 = hashlib.sha512(b"leap").hexdigest()
PARTS = tuple(hashlib.sha1(bytes([number])).hexdigest() for number in range(4))

MIRRORBRAIN = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="{NAMESPACE}">
  <generator>MirrorBrain/2.19.0</generator>
  <origin dynamic="true">http://download.example.org/iso/Leap-15.6.iso.meta4</origin>
  <published>2024-06-12T09:30:00Z</published>
  <publisher>
    <name>Example Project</name>
    <url>http://download.example.org</url>
  </publisher>

  <file name="Leap-15.6-DVD-x86_64.iso">
    <size>3670016</size>
    <identity>Leap</identity>
    <!-- <mtime>1718000000</mtime> -->
    <hash type="md5">{MD5}</hash>
    <hash type="sha-1">{SHA1}</hash>
    <hash type="sha-256">{SHA256}</hash>
    <signature mediatype="application/pgp-signature">
-----BEGIN PGP SIGNATURE-----
{"iQEzBAABCAAdFiEE" * 200}
-----END PGP SIGNATURE-----
    </signature>
    <pieces length="1048576" type="sha-1">
      <hash>{PARTS[0]}</hash>
      <hash>{PARTS[1]}</hash>
      <hash>{PARTS[2]}</hash>
      <hash>{PARTS[3]}</hash>
    </pieces>

    <!-- Found 3 mirrors: 1 in the same network, 2 in the same country -->
    <metaurl mediatype="torrent" priority="1">http://example.org/a.torrent</metaurl>
    <url location="de" priority="2">http://ftp.example.de/iso/Leap.iso</url>
    <url location="de" priority="1">https://mirror.example.net/iso/Leap.iso</url>
    <url location="cz" priority="3">ftp://ftp.example.cz/iso/Leap.iso</url>
    <url location="us" priority="100">http://mirror.example.com/Leap.iso?a=1&amp;b=2</url>
  </file>
</metalink>
"""

OFFICE = f"""\
<?xml version='1.0' encoding='utf-8' ?>
<m:metalink xmlns:m="{NAMESPACE}" xmlns:x="http://example.org/extension">
  <m:file name="stable/24.8.0/Office_24.8.0_x86-64.tar.gz" x:kept="no">
    <m:description>Office suite</m:description>
    <x:url priority="1">https://elsewhere.example/not-ours</x:url>
    <m:url>
      https://download.example.org/stable/Office.tar.gz
    </m:url>
    <m:hash type="sha-512">{SHA512.upper()}</m:hash>
  </m:file>
  <m:file name="Office_24.8.0_helppack_de.tar.gz">
    <m:url>https://download.example.org/stable/help.tar.gz</m:url>
  </m:file>
</m:metalink>
"""


def document(inside: str, head: str = "") -> bytes:
    return f'{head}<metalink xmlns="{NAMESPACE}">{inside}</metalink>'.encode()


def file(inside: str, name: str = "a.iso") -> bytes:
    return document(f'<file name="{name}">{inside}</file>')


def only(data: bytes) -> MetalinkFile:
    (found,) = parse_metalink(data)
    return found


def refusal(data: bytes) -> str:
    with pytest.raises(RefusedError) as raised:
        parse_metalink(data)
    return str(raised.value)


URL = "<url>http://example.org/a.iso</url>"


# -- documents -------------------------------------------------------------------


def test_a_mirror_list_is_understood() -> None:
    """Name, size, digests, pieces and mirrors of what MirrorBrain writes."""
    assert parse_metalink(MIRRORBRAIN.encode()) == (
        MetalinkFile(
            name="Leap-15.6-DVD-x86_64.iso",
            size=3_670_016,
            promises=(
                Promise(Digest("md5", MD5), ORIGIN),
                Promise(Digest("sha1", SHA1), ORIGIN),
                Promise(Digest("sha256", SHA256), ORIGIN),
            ),
            pieces=Pieces(MIB, "sha1", PARTS),
            urls=(
                "https://mirror.example.net/iso/Leap.iso",
                "http://ftp.example.de/iso/Leap.iso",
                "http://mirror.example.com/Leap.iso?a=1&b=2",
            ),
        ),
    )


def test_prefixes_folders_and_foreign_elements_are_no_trouble() -> None:
    """Namespaces decide what is ours; a folder in a name is left out."""
    first, second = parse_metalink(OFFICE.encode())
    assert first.name == "Office_24.8.0_x86-64.tar.gz"
    assert first.urls == ("https://download.example.org/stable/Office.tar.gz",)
    assert first.promises == (Promise(Digest("sha512", SHA512), ORIGIN),)
    assert (first.size, first.pieces) == (None, None)
    assert second.name == "Office_24.8.0_helppack_de.tar.gz"
    assert second.promises == ()


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "us-ascii"])
def test_the_encodings_of_xml_are_read(encoding: str) -> None:
    """Whatever the declaration names truly, and the parser knows by itself."""
    text = MIRRORBRAIN.replace("UTF-8", encoding)
    assert parse_metalink(text.encode(encoding)) == parse_metalink(MIRRORBRAIN.encode())


def test_a_byte_order_mark_is_no_trouble() -> None:
    """Some editors write one."""
    assert only(b"\xef\xbb\xbf" + file(URL)).name == "a.iso"


# -- digests ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hashes", "expected"),
    [
        (f'<hash type="sha-256">{SHA256}</hash>', [Digest("sha256", SHA256)]),
        (
            f'<hash type="sha-256">\n {SHA256.upper()} </hash>',
            [Digest("sha256", SHA256)],
        ),
        (
            f'<hash type="sha-256"><![CDATA[{SHA256}]]></hash>',
            [Digest("sha256", SHA256)],
        ),
        (f'<hash type="SHA1">{SHA1}</hash>', [Digest("sha1", SHA1)]),
        (f'<hash type="crc32">{MD5}</hash>', []),
        (f"<hash>{SHA256}</hash>", []),
        (f'<hash type="sha-256">{SHA256[:-1]}</hash>', []),
        (f'<hash type="sha-256">{SHA256[:-1]}g</hash>', []),
        (f'<hash type="sha-256">md5:{MD5}</hash>', []),
        ('<hash type="sha-256"/>', []),
        (
            f'<hash type="md5">bad</hash><hash type="md5">{MD5}</hash>',
            [Digest("md5", MD5)],
        ),
        (
            f'<hash type="md5">{MD5}</hash><hash type="md5">{"0" * 32}</hash>',
            [Digest("md5", MD5)],
        ),
        (f'<x><hash type="md5">{MD5}</hash></x>', []),
    ],
)
def test_digests_that_can_be_compared_are_promised(
    hashes: str, expected: list[Digest]
) -> None:
    """The first good one of each algorithm we know; the others are passed over."""
    promises = only(file(URL + hashes)).promises
    assert [promise.digest for promise in promises] == expected
    assert all(promise.origin == "Metalink" for promise in promises)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("<size>0</size>", 0),
        ("<size> 42 </size>", 42),
        (f"<size>{2**63 - 1}</size>", 2**63 - 1),
        (f"<size>{2**63}</size>", None),
        (f"<size>{'9' * 5000}</size>", None),
        ("<size>-1</size>", None),
        ("<size>1e9</size>", None),
        ("<size>1_000</size>", None),
        ("<size>\u0661\u0662</size>", None),
        ("<size/>", None),
        ("", None),
    ],
)
def test_a_size_is_a_number_or_unknown(size: str, expected: int | None) -> None:
    """Bytes, in plain digits."""
    assert only(file(URL + size)).size == expected


# -- pieces ----------------------------------------------------------------------


def pieces(kind: str, length: object, *hexes: str) -> str:
    inside = "".join(f"<hash>{each}</hash>" for each in hexes)
    return f'<pieces type="{kind}" length="{length}">{inside}</pieces>'


@pytest.mark.parametrize(
    "size", [3 * MIB + 1, 4 * MIB - 1, 4 * MIB, None], ids=lambda size: f"{size}"
)
def test_pieces_fit_the_size(size: int | None) -> None:
    """There are as many as the file has, the last one may be shorter."""
    said = "" if size is None else f"<size>{size}</size>"
    found = only(file(URL + pieces("sha-1", MIB, *PARTS) + said))
    assert found.pieces == Pieces(MIB, "sha1", PARTS)


@pytest.mark.parametrize(
    ("size", "described"),
    [
        (3 * MIB, pieces("sha-1", MIB, *PARTS)),
        (4 * MIB + 1, pieces("sha-1", MIB, *PARTS)),
        (0, pieces("sha-1", MIB, *PARTS)),
        (0, pieces("sha-1", MIB)),
        (4 * MIB, pieces("crc32", MIB, *PARTS)),
        (4 * MIB, pieces("sha-256", MIB, *PARTS)),
        (4 * MIB, pieces("sha-1", MIB, *PARTS[:3], "no digest")),
        (4 * MIB, pieces("sha-1", MIB, *PARTS[:3], f"md5:{MD5}")),
        (4, pieces("sha-1", 1, *PARTS)),
        (4 * 1023, pieces("sha-1", 1023, *PARTS)),
        (4 << 31, pieces("sha-1", 1 << 31, *PARTS)),
        (4 * MIB, pieces("sha-1", "1e6", *PARTS)),
        (4 * MIB, pieces("sha-1", f"-{MIB}", *PARTS)),
        (4 * MIB, pieces("sha-1", "", *PARTS)),
        (4 * MIB, '<pieces type="sha-1"/>'),
        (4 * MIB, "<pieces/>"),
    ],
)
def test_pieces_that_cannot_be_right_are_not_used(size: int, described: str) -> None:
    """The file itself is still known, and so is its digest."""
    whole = f'<hash type="md5">{MD5}</hash><size>{size}</size>'
    found = only(file(URL + whole + described))
    assert found.pieces is None
    assert found.promises == (Promise(Digest("md5", MD5), ORIGIN),)


@pytest.mark.parametrize("length", [1 << 10, 1 << 30])
def test_pieces_have_a_sensible_length(length: int) -> None:
    """From 1 KiB to 1 GiB."""
    found = only(file(URL + pieces("md5", length, MD5)))
    assert found.pieces == Pieces(length, "md5", (MD5,))


def test_the_strongest_pieces_are_used() -> None:
    """Of those that fit, wherever they stand."""
    described = [
        pieces("md5", MIB, MD5),
        pieces("sha-256", MIB, SHA256),
        pieces("sha-1", MIB, SHA1),
        pieces("sha-512", MIB, SHA512, SHA512),
    ]
    for order in (described, described[::-1]):
        found = only(file(URL + "<size>1000</size>" + "".join(order)))
        assert found.pieces == Pieces(MIB, "sha256", (SHA256,))


# -- sources ---------------------------------------------------------------------


def url(target: str, priority: object = None) -> str:
    said = "" if priority is None else f' priority="{priority}"'
    return f"<url{said}>{target}</url>"


def test_sources_come_by_priority() -> None:
    """The lowest number first, then as they stand; one without a number is the last."""
    found = only(
        file(
            url("http://none.example/")
            + url("http://last.example/", LAST)
            + url("http://two.example/", 2)
            + url("http://one.example/", 1)
            + url("http://same.example/", 2)
            + url("http://zero.example/", 0)
            + url("http://beyond.example/", LAST + 1)
            + url("http://word.example/", "high")
            + url("http://one.example/", 7)
        )
    )
    assert [each.split("/")[2].partition(".")[0] for each in found.urls] == [
        *("one", "two", "same"),
        *("none", "last", "zero", "beyond", "word"),
    ]


@pytest.mark.parametrize(
    "target",
    [
        "ftp://example.org/a.iso",
        "file:///etc/passwd",
        "magnet:?xt=urn:btih:abc",
        "a.iso",
        "/a.iso",
        "//example.org/a.iso",
        "http:///a.iso",
        "http:a.iso",
        "http://",
        "https://example.org:x/",
        "https://example.org:99999/",
        "http://[::1/a.iso",
        "http://example.org/with space",
        "http://example.org/line&#10;break",
        "http://example.org/&#x202e;iso.exe",
        "javascript:alert(1)",
        "data:text/plain,x",
        "",
    ],
)
def test_only_what_can_be_fetched_is_a_source(target: str) -> None:
    """Other schemes, relative and unwritable URLs are dropped."""
    assert only(file(URL + url(target, 1))).urls == ("http://example.org/a.iso",)
    assert "no http or https URL for 'a.iso'" in refusal(file(url(target, 1)))


@pytest.mark.parametrize(
    "target",
    [
        "HTTPS://EXAMPLE.org/A",
        "http://[2001:db8::1]:8080/a",
        "http://user:secret@example.org/a",
        "https://example.org/%20?x=[1]#here",
        "https://example.org/gr\u00f6\u00dfe.iso",
    ],
)
def test_what_can_be_fetched_is_left_as_it_is(target: str) -> None:
    """And would be taken from the command line too."""
    check_url(target)
    assert only(file(url(target))).urls == (target,)


def test_thousands_of_mirrors_are_not_kept() -> None:
    """The best 64 among the first thousand."""
    mirrors = "".join(
        url(f"http://{number}.example/", LOOKED_AT - number)
        for number in range(LOOKED_AT)
    )
    beyond = url("http://beyond.example/", 1) * 5000
    found = only(file(mirrors + beyond)).urls
    assert len(found) == MOST_URLS
    assert found[0] == f"http://{LOOKED_AT - 1}.example/"
    assert "http://beyond.example/" not in found


# -- names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.iso", "a.iso"),
        ("debian/pool/a.iso", "a.iso"),
        ("..a/b..", "b.."),
        ("a\u202eb.iso", "ab.iso"),
        ("CON", "_CON"),
        (".bashrc", "bashrc"),
        ("with space.iso", "with space.iso"),
        ("time: now.iso", "time: now.iso"),
    ],
)
def test_a_file_has_a_safe_name(name: str, expected: str) -> None:
    """The last part of the path, as every name is made harmless."""
    assert only(file(URL, name)).name == expected


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "a/../../passwd",
        "a/..",
        "..",
        "./a.iso",
        "C:\\Windows\\a.dll",
        "c:a.dll",
        "\\\\server\\share\\a.dll",
        "..\\a.dll",
        "a\\..\\..\\b.dll",
        "...",
        "folder/",
        "",
        "a" * 2000,
    ],
)
def test_a_name_that_leads_elsewhere_is_an_error(name: str) -> None:
    """RFC 5854 section 4.1.2.1; the message says which name it is, and stays short."""
    message = refusal(file(URL, name))
    assert message.startswith("the Metalink has a bad file name: ")
    assert repr(name[:70])[:-1] in message
    assert len(message) < 150


def test_a_file_without_a_name_is_an_error() -> None:
    """Where it goes cannot be guessed."""
    assert "bad file name: ''" in refusal(document(f"<file>{URL}</file>"))


def test_the_file_without_a_source_is_named() -> None:
    """Though the others could be fetched."""
    good = f'<file name="good.iso">{URL}</file>'
    assert "'bad.iso'" in refusal(document(good + '<file name="bad.iso"/>'))


# -- what is none ----------------------------------------------------------------


DTD = "<!DOCTYPE metalink [{}]>"
LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(document("&j;", DTD.format(LAUGHS)), id="billion laughs"),
        pytest.param(
            document(
                f'<file name="a">{URL}<identity>&x;</identity></file>',
                DTD.format('<!ENTITY x SYSTEM "file:///etc/passwd">'),
            ),
            id="external entity",
        ),
        pytest.param(
            document("", DTD.format('<!ENTITY % p SYSTEM "http://evil.example/">%p;')),
            id="parameter entity",
        ),
        pytest.param(
            document("", '<!DOCTYPE metalink SYSTEM "http://evil.example/a.dtd">'),
            id="external DTD",
        ),
        pytest.param(b"<!doctype html><html></html>", id="small doctype"),
        pytest.param(
            b"<!DOCTYPE html>\n<html><body>404</body></html>", id="a web page"
        ),
        pytest.param(document("&unknown;"), id="unknown entity"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"   ", id="blanks"),
        pytest.param(b"\0" * 1000, id="zeros"),
        pytest.param(b"d8:announce3:urle", id="a torrent"),
        pytest.param(file(URL).replace(b"a.iso<", b"a\0iso<"), id="NUL"),
        pytest.param(file(URL).replace(b"a.iso<", b"a&#0;iso<"), id="NUL written"),
        pytest.param(file(URL)[:-5], id="truncated"),
        pytest.param(file(URL) + b"<more/>", id="more than one root"),
        pytest.param(file(URL).replace(b"</url>", b"</uri>"), id="wrong end"),
        pytest.param(file(URL + "\xff").replace(b"\xc3\xbf", b"\xff"), id="not UTF-8"),
        pytest.param(
            MIRRORBRAIN.replace("UTF-8", "UTF-16").encode(), id="not the UTF-16 it says"
        ),
        pytest.param(MIRRORBRAIN.encode("utf-16"), id="not the UTF-8 it says"),
        pytest.param(MIRRORBRAIN.encode("utf-32"), id="UTF-32"),
    ],
)
def test_what_is_no_metalink_is_said_to_be_none(data: bytes) -> None:
    """No entity is expanded and none is fetched."""
    assert refusal(data).startswith("not a Metalink: ")


@pytest.mark.parametrize(
    "encoding",
    ["utf-7", "utf-32", "cp1252", "idna", "unicode_escape", "undefined", "x-no-such"],
)
def test_an_encoding_beyond_xml_is_an_error(encoding: str) -> None:
    """No codec of Python's is chosen by a server."""
    text = MIRRORBRAIN.replace("UTF-8", encoding)
    assert f"encoding {encoding!r} is not allowed" in refusal(text.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"<metalink/>",
        b"<html></html>",
        b'<metalink xmlns="urn:ietf:params:xml:ns:metalink4"/>',
        b'<file xmlns="urn:ietf:params:xml:ns:metalink"/>',
        b'<rss version="2.0"><channel/></rss>',
    ],
)
def test_another_root_is_named(data: bytes) -> None:
    """So that one sees what came instead."""
    assert refusal(data).startswith("not a Metalink: its root is ")


def test_metalink_3_is_not_supported() -> None:
    """And that is what is said."""
    data = b'<metalink version="3.0" xmlns="http://www.metalinker.org/"><files/></metalink>'
    assert refusal(data) == "Metalink 3 is not supported"


@pytest.mark.parametrize("inside", ["", "<x/>", f'<x><file name="a">{URL}</file></x>'])
def test_a_document_without_files_is_an_error(inside: str) -> None:
    """There is nothing to fetch."""
    assert refusal(document(inside)) == "the Metalink names no file"


# -- bounds ----------------------------------------------------------------------


def filled(head: str, unit: str) -> bytes:
    """As large as a document may be, and without an end."""
    begin = f'<metalink xmlns="{NAMESPACE}">{head}'.encode()
    return begin + unit.encode() * ((LARGEST - len(begin)) // len(unit))


def numbered(text: str, count: int) -> str:
    return "".join(text.format(number) for number in range(count))


def test_the_largest_document_is_16_mib() -> None:
    """One byte more is refused before it is looked at."""
    data = file(URL)
    assert only(data + b" " * (LARGEST - len(data))).name == "a.iso"
    assert "16 MiB" in refusal(data + b" " * (LARGEST - len(data) + 1))


@pytest.mark.parametrize(
    ("head", "unit", "words"),
    [
        ("", "<a>", "too deep"),
        ('<file name="a"><url>', "x", "a url that is too long"),
        ('<file name="a"><url>', "<![CDATA[x]]>", "a url that is too long"),
        ('<file name="a"><hash>', "x", "a hash that is too long"),
        ("<!--", "x", "without an end"),
        ("<a ", "x", "without an end"),
        ("<a b='", "x", "without an end"),
        (numbered("<a{}/>", MOST_NAMES), "<b/>", "different names"),
        ("<a " + numbered("b{}='' ", MOST_NAMES), "/><b>", "different names"),
        (numbered('<a xmlns:p{}="u"/>', MOST_NAMES), "<b/>", "different names"),
    ],
    ids=lambda value: value[:20],
)
def test_what_grows_without_end_is_refused_early(
    head: str, unit: str, words: str
) -> None:
    """Neither memory nor time goes into the rest of it."""
    data = filled(head, unit)
    tracemalloc.start()
    before = time.thread_time()
    message = refusal(data)
    spent = time.thread_time() - before
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words in message
    assert peak < 8 * MIB
    assert spent < 10


def test_there_may_be_many_files_but_not_any_number() -> None:
    """Ten thousand."""
    one = f'<file name="a">{URL}</file>'
    assert len(parse_metalink(document(one * MOST_FILES))) == MOST_FILES
    assert "10,000 files" in refusal(document(one * (MOST_FILES + 1)))


def test_elements_are_counted() -> None:
    """Also those that mean nothing to us."""
    good = file(URL + "<x/>" * (MOST_ELEMENTS - 3))
    assert only(good).name == "a.iso"
    assert "too many elements" in refusal(file(URL + "<x/>" * (MOST_ELEMENTS - 2)))


def test_a_long_comment_is_no_trouble() -> None:
    """If it is no longer than what the parser may hold."""
    comment = f"<!--{'x' * (LONGEST_TOKEN - 100)}-->"
    assert only(file(comment + URL)).name == "a.iso"


def test_text_that_does_not_count_may_be_long() -> None:
    """A description or signature is passed over, not kept."""
    data = file(f"<description>{'long ' * MIB}</description>{URL}")
    tracemalloc.start()
    assert only(data).name == "a.iso"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MIB


def test_an_honest_list_of_pieces_is_read() -> None:
    """100 GiB in pieces of 1 MiB."""
    count = 100 << 10
    described = pieces("sha-1", MIB, *[SHA1] * count)
    found = only(file(f"{URL}<size>{count * MIB}</size>{described}"))
    assert found.pieces is not None
    assert len(found.pieces.hexes) == count


# -- whatever comes --------------------------------------------------------------


READ = "read"


def check(data: bytes) -> None:
    """It is refused, or all that comes out can be relied on."""
    found: tuple[MetalinkFile, ...] = ()
    message = READ
    try:
        found = parse_metalink(data)
    except RefusedError as error:
        message = str(error)
    assert 0 < len(message) < 200
    assert found or message != READ
    for each in found:
        assert each.name == sanitise(each.name) != ""
        assert 0 < len(each.urls) <= MOST_URLS
        for target in each.urls:
            check_url(target)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_surprise(data: bytes) -> None:
    """Whatever comes, it is files or a refusal."""
    check(data)
    check(document("").replace(b"</metalink>", data))


VALID = [
    MIRRORBRAIN.encode(),
    OFFICE.encode(),
    MIRRORBRAIN.replace("UTF-8", "UTF-16").encode("utf-16"),
]
SCRAPS = [
    *(b"<", b">", b"&", b"&#xD800;", b"&#55357;", b"\0", b"\xd8\x00", b"]]>", b"<!--"),
    *(b"<![CDATA[", b"<!DOCTYPE a [", b'<!ENTITY a "b">', b"<?xml ?>", b"xmlns=''"),
    *(b"encoding='idna'", b"<file name='..'>", b"</file>", b"<pieces/>", b"\xff\xfe"),
]


@settings(max_examples=300)
@given(st.data())
def test_no_damage_is_a_surprise(data: st.DataObject) -> None:
    """A good document with bytes lost, doubled or put in is read or refused."""
    document = bytearray(data.draw(st.sampled_from(VALID)))
    places = st.integers(0, len(document))
    for _ in range(data.draw(st.integers(1, 4))):
        start, stop = sorted((data.draw(places), data.draw(places)))
        put = st.sampled_from(SCRAPS) | st.binary(max_size=8)
        near = min(stop, start + data.draw(st.sampled_from([0, 1, 8, len(document)])))
        kept = bytes(document[start:near]) * data.draw(st.integers(0, 2))
        document[start:near] = data.draw(put) + kept
    check(bytes(document))


@given(
    st.text(st.characters(codec="utf-8")),
    st.text(st.characters(codec="utf-8")),
    st.text(st.characters(codec="utf-8")),
)
def test_no_text_is_a_surprise(name: str, target: str, value: str) -> None:
    """Names, URLs, numbers and digests of any letters."""

    def quoted(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    name, target, value = map(quoted, (name, target, value))
    hashes = f'<hash type="{value}">{value}</hash>{pieces(value, value, value)}'
    check(file(f"{URL}<size>{value}</size>{hashes}{url(target, value)}", name))


# -- headers ---------------------------------------------------------------------


BASE = "https://example.org/files/a.iso"


def test_the_links_of_the_rfc_are_understood() -> None:
    """The example of RFC 6249 section 1.1, as headers that were joined."""
    header = (
        "<http://www2.example.com/example.ext>; rel=duplicate; pri=1; pref,"
        "<ftp://ftp.example.com/example.ext>; rel=duplicate; pri=2; geo=gb; depth=1,"
        '<http://example.com/example.ext.torrent>; rel=describedby; type="application/x-bittorrent"; name="differentname.ext",'
        '<http://example.com/example.ext.meta4>; rel=describedby; type="application/metalink4+xml",'
        '<http://example.com/example.ext.asc>; rel=describedby; type="application/pgp-signature"'
    )
    assert links(header, BASE) == Links(
        ("http://www2.example.com/example.ext",),
        "http://example.com/example.ext.meta4",
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<http://b/>; rel=duplicate", ["http://b/"]),
        ('<http://b/>;rel="duplicate"', ["http://b/"]),
        ('  < http://b/ > ; REL = "x DUPLICATE" ; ; pri = "4";', ["http://b/"]),
        (r'<http://b/>; rel="du\plicate"', ["http://b/"]),
        ("<http://b/x,y;z>; rel=duplicate", ["http://b/x,y;z"]),
        ('<http://b/>; title="a, <http://c/>; \\" ;"; rel=duplicate', ["http://b/"]),
        ("<http://b/>; title*=UTF-8'de'a%20b; rel=duplicate", ["http://b/"]),
        ("<http://b/>; rel=duplicate; rel=other", ["http://b/"]),
        ("<http://b/>; rel=other; rel=duplicate", []),
        ("<http://b/>; rel=duplicates", []),
        ("<http://b/>; rel=duplicate; anchor=/other", []),
        ("<http://b/>; geo=de", []),
        ("<http://b/>", []),
        ("</m/a.iso>; rel=duplicate", ["https://example.org/m/a.iso"]),
        ("<b.iso>; rel=duplicate", ["https://example.org/files/b.iso"]),
        ("<//c.example/b>; rel=duplicate", ["https://c.example/b"]),
        (f"<{BASE}>; rel=duplicate, <>; rel=duplicate", []),
        ("<ftp://b/>; rel=duplicate, <file:///b>; rel=duplicate", []),
        ("<http://[b/>; rel=duplicate, <http://b:x/>; rel=duplicate", []),
        ("<http://b/\tc>; rel=duplicate, <http://b/ c>; rel=duplicate", []),
        (
            "<http://b/>; rel=duplicate, <http://b/>; rel=duplicate; pri=1",
            ["http://b/"],
        ),
        ("<http://b/>; rel=duplicate junk, <http://c/>; rel=duplicate", ["http://c/"]),
        ("<http://b/> junk; rel=duplicate, <http://c/>; rel=duplicate", ["http://c/"]),
        ("http://b/; rel=duplicate, <http://c/>; rel=duplicate", ["http://c/"]),
        ("<http://b/, <http://c/>; rel=duplicate", ["http://c/"]),
        (", ,, <http://c/>; rel=duplicate,", ["http://c/"]),
        ('<http://b/>; rel="duplicate', []),
        ("", []),
    ],
)
def test_links_are_read_as_they_are_written(header: str, expected: list[str]) -> None:
    """RFC 8288: quotes, blanks and commas; what is malformed is passed over alone."""
    assert list(links(header, BASE).duplicates) == expected


def test_duplicates_come_by_priority() -> None:
    """As in a document; one without a number is the last."""
    header = ", ".join(
        f"<http://{name}/>; rel=duplicate{pri}"
        for name, pri in [
            ("none", ""),
            ("third", "; pri=3"),
            ("bad", "; pri=0"),
            ("first", "; pri=1; geo=de; depth=2"),
            ("second", '; pri="2"'),
        ]
    )
    hosts = [each.split("/")[2] for each in links(header, BASE).duplicates]
    assert hosts == ["first", "second", "third", "none", "bad"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<m>; rel=describedby; type=application/metalink4+xml", BASE[:-5] + "m"),
        (
            '<m>; rel=DescribedBy; type="Application/Metalink4+XML; q=1"',
            BASE[:-5] + "m",
        ),
        (
            ", ".join(
                f'<http://x/{number}>; rel="describedby"; type="{MEDIA_TYPE}"'
                for number in (1, 2)
            ),
            "http://x/1",
        ),
        ("<m>; rel=describedby", ""),
        ("<m>; rel=describedby; type=application/metalink+xml", ""),
        ("<m>; rel=alternate; type=application/metalink4+xml", ""),
        ("<ftp://x/m>; rel=describedby; type=application/metalink4+xml", ""),
    ],
)
def test_a_document_about_the_file_is_found(header: str, expected: str) -> None:
    """The first one of the kind that can be read."""
    assert links(header, BASE).described_by == expected


def test_there_may_be_many_duplicates_but_not_any_number() -> None:
    """The best 32 of what is looked at."""
    header = ",".join(
        f"<http://{number}/>; rel=duplicate; pri={LOOKED_AT - number}"
        for number in range(2 * LOOKED_AT)
    )
    found = links(header, BASE).duplicates
    assert len(found) == MOST_LINKS
    assert found[0] == f"http://{LOOKED_AT - 1}/"


@pytest.mark.parametrize(
    "unit",
    ["<", ">", '"', "\\", '"\\', "; ", "<a>;a=", '<a>;a="', "a ", "=", ",", "<a>; "],
)
@pytest.mark.parametrize("begin", ["", "<a>;", '<a>; rel="', "<"])
def test_no_header_takes_long(begin: str, unit: str) -> None:
    """What is repeated a million times takes no longer than what is looked at."""
    header = begin + unit * 1_000_000
    before = time.thread_time()
    assert links(header, BASE).described_by == ""
    assert time.thread_time() - before < 5


@given(st.text(), st.text() | st.just(BASE))
def test_no_header_is_a_surprise(text: str, base: str) -> None:
    """Whatever stands there, it is links that can be fetched, or none."""
    for header in (text, f"<{text}>; rel=duplicate", f"<x>; rel=duplicate; {text}"):
        found = links(header, base)
        for target in (*found.duplicates, *filter(None, [found.described_by])):
            check_url(target)


@given(
    st.lists(
        st.sampled_from(
            ["<", ">", '"', "\\", ";", ",", "=", " ", "rel", "duplicate", "a", "//b/"]
        ),
        max_size=30,
    )
)
def test_no_mixture_of_signs_is_a_surprise(signs: list[str]) -> None:
    """The signs that mean something, in any order."""
    for target in links("".join(signs), BASE).duplicates:
        check_url(target)
