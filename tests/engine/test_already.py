"""Whether a file that is here is the one that a server has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.already import Wanted
from engine.ledger import Completed, Ledger, open_ledger
from engine.model import Digest, RemoteFile

URL = "https://example.org/file"
DATA = b"some bytes that were fetched"
RIGHT = Digest("sha256", hashlib.sha256(DATA).hexdigest())
WRONG = Digest("sha256", hashlib.sha256(b"").hexdigest())
MONDAY = "Mon, 06 Jan 2025 00:00:00 GMT"
TUESDAY = "Tue, 07 Jan 2025 00:00:00 GMT"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = open_ledger(tmp_path / "completed.db")
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def remote(size: int | None = len(DATA), **told: Any) -> RemoteFile:
    return RemoteFile(url=URL, size=size, ranges=True, name="file", **told)


def wrote(ledger: Ledger, file: Path, *, url: str = URL, **told: Any) -> None:
    ledger.add(Completed(target=file, url=url, size=len(DATA), **told))


@pytest.mark.parametrize(
    ("then", "now", "is_it"),
    [
        ({"etag": '"a"'}, {"etag": '"a"'}, True),
        ({"etag": '"a"'}, {"etag": '"b"'}, False),
        ({"etag": 'W/"a"'}, {"etag": 'W/"a"'}, True),
        ({"etag": '"a"'}, {}, False),
        ({"last_modified": MONDAY}, {"last_modified": MONDAY}, True),
        ({"last_modified": MONDAY}, {"last_modified": TUESDAY}, False),
        ({}, {}, False),
        ({"etag": '"a"'}, {"etag": '"a"', "size": len(DATA) + 1}, False),
        ({"etag": '"a"'}, {"etag": '"a"', "size": None}, False),
    ],
)
def test_what_was_completed_from_there_is_it_while_the_server_says_the_same(
    ledger: Ledger, file: Path, then: Any, now: Any, is_it: bool
) -> None:
    """Tags and dates are compared with those of then; the file's own date is not."""
    wrote(ledger, file, **then)
    wanted = Wanted(remote=remote(**now), url=URL, ledger=ledger)
    assert wanted.is_at(file) is is_it


@pytest.mark.parametrize(("head", "is_it"), [(DATA[:9], True), (b"other", False)])
def test_where_nothing_else_can_tell_the_first_bytes_do(
    ledger: Ledger, file: Path, head: bytes, is_it: bool
) -> None:
    """A server may give neither tag nor date."""
    wrote(ledger, file)
    wanted = Wanted(remote=remote(), url=URL, ledger=ledger, head=head)
    assert wanted.is_at(file) is is_it
    elsewhere = Wanted(remote=remote(), url=URL + "2", ledger=ledger, head=head)
    assert not elsewhere.is_at(file)


def test_a_digest_it_was_shown_to_have_is_believed(ledger: Ledger, file: Path) -> None:
    """Nobody reads a terabyte to learn what was written down about it."""
    wrote(ledger, file, digest=WRONG)
    assert Wanted(remote=remote(), digest=WRONG, url=URL, ledger=ledger).is_at(file)
    file.write_bytes(DATA[::-1])
    assert not Wanted(remote=remote(), digest=WRONG, url=URL, ledger=ledger).is_at(file)


def test_a_digest_nobody_has_compared_is_computed(ledger: Ledger, file: Path) -> None:
    """It decides, whatever tags and dates say."""
    wrote(ledger, file, etag='"a"')
    right = Wanted(remote=remote(etag='"b"'), digest=RIGHT, url=URL, ledger=ledger)
    wrong = Wanted(remote=remote(etag='"a"'), digest=WRONG, url=URL, ledger=ledger)
    assert right.is_at(file)
    assert not wrong.is_at(file)


def test_what_is_no_file_is_never_it(ledger: Ledger, tmp_path: Path) -> None:
    """Nothing, a folder, or what a symlink leads to."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "real").write_bytes(DATA)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("nothing", "folder", "link"):
        wanted = Wanted(remote=remote(), digest=RIGHT, url=URL, ledger=ledger)
        assert not wanted.is_at(tmp_path / name)
