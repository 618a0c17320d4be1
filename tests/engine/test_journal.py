"""What is written down, torn in every way, and what may not be written down."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from engine import journal
from engine.journal import VERSION, DamagedError, Link, NewerError, Record
from engine.ranges import ByteRange, RangeSet

RECORD = Record(
    link=Link.of("https://example.org/file.bin?key=1"),
    name="file.bin",
    size=1000,
    etag='"abc"',
    last_modified="Wed, 21 Oct 2015 07:28:00 GMT",
    media_type="application/octet-stream",
    done=(ByteRange(0, 10), ByteRange(500, 1000)),
    device=2049,
    inode=131,
)

texts = st.text(st.characters(exclude_categories=()), max_size=20)
"""Every text that Python has, lone surrogates included."""
maybe_texts = st.none() | texts
offsets = st.integers(0, 1 << 62)
ranges = st.builds(lambda a, b: ByteRange(min(a, b), max(a, b)), offsets, offsets)


@st.composite
def records(draw: st.DrawFn) -> Record:
    done = tuple(RangeSet(draw(st.lists(ranges, max_size=5))))
    last = max((part.stop for part in done), default=0)
    return Record(
        link=Link(url=draw(texts), query=draw(texts)),
        name=draw(texts),
        size=draw(st.none() | st.integers(last, 1 << 63)),
        etag=draw(maybe_texts),
        last_modified=draw(maybe_texts),
        media_type=draw(texts),
        done=done,
        device=draw(st.integers(0, 1 << 64)),
        inode=draw(st.integers(0, 1 << 64)),
    )


def fields() -> dict[str, Any]:
    """What a good journal has, to be spoilt."""
    found = json.loads(journal.dump(RECORD))
    assert isinstance(found, dict)
    return found


def parse(fields: object) -> Record:
    return journal.parse(json.dumps(fields).encode())


def read_or_refuse(data: bytes) -> None:
    """The only ways there are: a record, or one of two errors."""
    with suppress(DamagedError, NewerError):
        assert isinstance(journal.parse(data), Record)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- written and read --------------------------------------------------------


@given(records())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, record: Record
) -> None:
    """A journal that was saved says what it was given, whatever that was."""
    path = tmp_path_factory.mktemp("journal") / "file.part.hydra"
    journal.save(path, record)
    assert journal.load(path) == record


@given(records())
def test_what_is_dumped_is_parsed(record: Record) -> None:
    """Every record goes into bytes and comes back."""
    assert journal.parse(journal.dump(record)) == record


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    """A file without a journal is no error."""
    assert journal.load(tmp_path / "file.part.hydra") is None
    assert journal.load(tmp_path / "no" / "folder.part.hydra") is None


def test_a_journal_lies_beside_its_file() -> None:
    """It has the name of the partial file and an ending of its own."""
    path = journal.path_of("/somewhere/file.tar.gz.part")
    assert path == "/somewhere/file.tar.gz.part.hydra"


def test_a_journal_knows_the_remote_file() -> None:
    """What it says of the file on the server can be compared with what is there now."""
    remote = RECORD.remote
    assert (remote.url, remote.size, remote.ranges) == (
        "https://example.org/file.bin",
        1000,
        True,
    )
    assert (remote.name, remote.etag) == (RECORD.name, RECORD.etag)
    assert (remote.last_modified, remote.media_type) == (
        RECORD.last_modified,
        RECORD.media_type,
    )


# -- saving ------------------------------------------------------------------


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """What somebody downloads is nobody else's business, whatever the umask is."""
    path = tmp_path / "file.part.hydra"
    path.touch(0o666)
    before = os.umask(0)
    try:
        journal.save(path, RECORD)
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600


def test_a_journal_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Who has opened the old one reads it to its end; no other file is left."""
    path = tmp_path / "file.part.hydra"
    journal.save(path, RECORD)
    with path.open("rb") as old:
        journal.save(path, replace(RECORD, name="other.bin"))
        assert journal.parse(old.read()) == RECORD
    assert journal.load(path) == replace(RECORD, name="other.bin")
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_began_is_no_hindrance(tmp_path: Path) -> None:
    """A half-written new journal is written again."""
    path = tmp_path / "file.part.hydra"
    (tmp_path / "file.part.hydra.new").write_bytes(bytes(5000))
    journal.save(path, RECORD)
    assert journal.load(path) == RECORD
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def little_room() -> Iterator[None]:
    """No file of this process may be larger than a few bytes: not for long, as its
    own output may be one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_journal_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    """Where the disk takes no more, what was true before is still written there."""
    path = tmp_path / "file.part.hydra"
    journal.save(path, RECORD)
    with little_room(), pytest.raises(OSError):
        journal.save(path, replace(RECORD, done=()))
    assert journal.load(path) == RECORD
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_leaves_the_old_one(tmp_path: Path) -> None:
    """A new journal that cannot be made is an error of the system, and changes nothing."""
    path = tmp_path / "file.part.hydra"
    journal.save(path, RECORD)
    (tmp_path / "file.part.hydra.new").mkdir()
    with pytest.raises(OSError):
        journal.save(path, replace(RECORD, done=()))
    assert journal.load(path) == RECORD


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    """What a file system does not take as a name is its error, and nothing is made."""
    with pytest.raises(OSError):
        journal.save(tmp_path / ("n" * 252), RECORD)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_not_written_through_a_link(tmp_path: Path) -> None:
    """Nobody can make us write into a file of his choice."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = tmp_path / "file.part.hydra"
    (tmp_path / "file.part.hydra.new").symlink_to(victim)
    with suppress(OSError):
        journal.save(path, RECORD)
    path.unlink(missing_ok=True)
    path.symlink_to(victim)
    journal.save(path, RECORD)
    assert victim.read_bytes() == b"precious"
    assert journal.load(path) == RECORD


# -- reading what was torn ---------------------------------------------------


def test_a_journal_that_was_cut_off_anywhere_is_damaged() -> None:
    """Of a torn journal nothing is believed."""
    data = journal.dump(RECORD)
    for size in range(len(data)):
        with pytest.raises(DamagedError):
            journal.parse(data[:size])


def test_a_journal_with_another_byte_anywhere_is_no_surprise() -> None:
    """Whatever one byte becomes, there is a record or an error that is expected."""
    data = journal.dump(RECORD)
    for at in range(len(data)):
        for value in range(256):
            read_or_refuse(data[:at] + bytes([value]) + data[at + 1 :])


@given(records(), st.data())
def test_no_journal_is_a_surprise_when_it_is_torn(
    record: Record, data: st.DataObject
) -> None:
    """A journal of anything may lose its end, and may change anywhere before."""
    whole = bytearray(journal.dump(record))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(whole))
    read_or_refuse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x00" * 100)
@example(b"\xff\xfe" + json.dumps({"version": 1}).encode("utf-16-le"))
@example(b"[" * 100_000)
@example(b'{"version": ' + b"1" * 5000 + b"}")
@example(b'{"version": 1e999}')
@example(b'{"version": NaN}')
def test_no_bytes_are_a_surprise(data: bytes) -> None:
    """Whatever lies there, it is a record or an error that is expected."""
    read_or_refuse(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(fields())), json_values)
def test_no_value_is_a_surprise(field: str, value: object) -> None:
    """Whatever one field says, it is a record or an error that is expected."""
    read_or_refuse(json.dumps(fields() | {field: value}).encode())


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=200))
def test_a_file_of_anything_is_no_surprise(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Reading a file ends as reading its bytes does."""
    path = tmp_path_factory.mktemp("journal") / "file.part.hydra"
    path.write_bytes(data)
    with suppress(DamagedError, NewerError):
        assert isinstance(journal.load(path), Record)


def test_what_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    """A folder, or a link to itself, where the journal should be is no journal."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for name in ("folder", "loop", "file/journal"):
        with pytest.raises(DamagedError, match=f"{name}: "):
            journal.load(tmp_path / name)


def test_a_journal_without_end_is_damaged(tmp_path: Path) -> None:
    """No more is read than the largest journal has."""
    with (tmp_path / "endless").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DamagedError):
        journal.load(tmp_path / "endless")


# -- what is refused ---------------------------------------------------------


def test_a_newer_journal_is_not_ours_to_judge() -> None:
    """What a later version wrote is told apart from what is damaged."""
    for later in ({"version": VERSION + 1}, fields() | {"version": 99}):
        with pytest.raises(NewerError, match=f"version {later['version']}"):
            parse(later)


@pytest.mark.parametrize("version", [0, -1, None, "1", 1.0, True, [1]])
def test_a_journal_of_no_known_version_is_damaged(version: object) -> None:
    """Only a whole number can be a version, and older ones there never were."""
    with pytest.raises(DamagedError):
        parse(fields() | {"version": version})


@pytest.mark.parametrize("field", sorted(fields()))
def test_a_journal_says_everything(field: str) -> None:
    """One that lacks a field is damaged."""
    spoilt = fields()
    del spoilt[field]
    with pytest.raises(DamagedError):
        parse(spoilt)


NO_RANGES: list[Any] = [
    [["1", "2"]],
    *([[1.0, 2]], [[True, 2]], [[-1, 2]], [[2, 1]], [[0, None]]),
]
WRONG: dict[str, list[Any]] = {
    "url": [None, 7, ["u"]],
    "query": [None, 7],
    "name": [None, 7, ["n"]],
    "size": ["1000", 1000.0, True, -1, [1000]],
    "etag": [7, False],
    "last_modified": [7, 1.5],
    "media_type": [None, 7],
    "file": [None, 7, [], [1], [1, 2, 3], ["1", "2"], [1, -2], [1, None], [1.0, 2]],
    "done": [None, 7, "abc", [7], [None], [[]], [[1]], [[1, 2, 3]], *NO_RANGES],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
)
def test_a_value_that_cannot_be_is_refused(field: str, value: object) -> None:
    """Of a journal with one wrong value nothing is believed."""
    with pytest.raises(DamagedError, match="not a journal"):
        parse(fields() | {field: value})


@pytest.mark.parametrize("done", [[[0, 1001]], [[1000, 1001]], [[0, 5], [2000, 3000]]])
def test_no_bytes_beyond_the_end_are_claimed(done: list[list[int]]) -> None:
    """Who claims more than the file has is not believed."""
    with pytest.raises(DamagedError, match="beyond the end"):
        parse(fields() | {"done": done})


def test_of_a_file_without_a_length_anything_may_be_here() -> None:
    """Where the length is not known, no claim is beyond it."""
    record = parse(fields() | {"size": None, "done": [[0, 1 << 50]]})
    assert (record.size, record.done) == (None, (ByteRange(0, 1 << 50),))


def test_what_is_here_is_read_as_a_set() -> None:
    """Claims that overlap, touch or are not in order say the same as their sum."""
    record = parse(fields() | {"done": [[50, 60], [0, 20], [10, 30], [30, 40], [7, 7]]})
    assert record.done == (ByteRange(0, 40), ByteRange(50, 60))


# -- what may not be written down --------------------------------------------


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://example.org/a/b.bin", "https://example.org/a/b.bin"),
        ("https://example.org/b?k=v", "https://example.org/b"),
        ("https://example.org/b#part", "https://example.org/b"),
        ("https://me:secret@example.org/b", "https://example.org/b"),
        ("https://me@example.org:8443/b", "https://example.org:8443/b"),
        ("https://a@b@example.org/b", "https://example.org/b"),
        ("HTTPS://Example.ORG/Path", "https://example.org/Path"),
        ("https://example.org", "https://example.org/"),
        ("https://example.org?k=v", "https://example.org/"),
        ("http://[::1]:80/b", "http://[::1]:80/b"),
        ("https://example.org/%41%2f", "https://example.org/%41%2f"),
    ],
)
def test_of_a_url_the_bare_part_is_written(url: str, written: str) -> None:
    """Scheme, host, port and path are kept; userinfo, query and fragment are not."""
    assert Link.of(url).url == written


def test_a_query_leaves_a_fingerprint() -> None:
    """The same query can be told from another, and that is all."""
    first, again, other, none = (
        Link.of(f"https://example.org/b{query}")
        for query in ("?a=1", "?a=1", "?a=2", "")
    )
    assert first == again
    assert len({first.query, other.query, none.query}) == 3
    assert {first.url, other.url, none.url} == {"https://example.org/b"}
    assert Link.of("https://me:pw@example.org/b?a=1#x") == first


secrets = st.text("GHJKLMNPQRSTUVWXYZ", min_size=8, max_size=20)
"""Texts that no fingerprint has by chance."""


@given(secrets, secrets, secrets)
def test_no_secret_is_written_down(user: str, password: str, token: str) -> None:
    """Nothing of userinfo and query is in a journal."""
    url = f"https://{user}:{password}@example.org/f?{token}&key={token}#{token}"
    data = journal.dump(replace(RECORD, link=Link.of(url)))
    for secret in (user, password, token):
        assert secret.encode() not in data
        assert secret.lower().encode() not in data


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_every_query_has_a_fingerprint(query: str) -> None:
    """Also what is no text that could be sent."""
    with suppress(ValueError):  # what urlsplit itself refuses
        assert len(Link.of("https://example.org/?" + query).query) == 16
