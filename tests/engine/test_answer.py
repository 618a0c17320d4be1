"""What is kept of an answer for people, and how it reads."""

from __future__ import annotations

import pytest

from engine.answer import MOST_FIELDS, Answer, told
from engine.model import Hop

URL = "https://cdn.example/pool/file.bin?sig=s3cret"
HEAD = """content-type: Application/Zip; charset=x
etag: "v1"
last-modified: Wed, 01 Jan 2025 00:00:00 GMT
set-cookie: id=s3cret
x-served: by us"""


def test_the_head_is_told_in_its_order() -> None:
    """Names in lower case, values as they came, what may be a secret masked."""
    seen = told((Answer(206, URL, HEAD),))
    assert seen.headers == (
        ("content-type", "Application/Zip; charset=x"),
        ("etag", '"v1"'),
        ("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT"),
        ("set-cookie", "***"),
        ("x-served", "by us"),
    )
    assert (seen.etag, seen.media_type) == ('"v1"', "application/zip")
    assert seen.last_modified == "Wed, 01 Jan 2025 00:00:00 GMT"


def test_one_field_is_read_by_its_name() -> None:
    """All its values, and none where there is no field of just that name."""
    answer = Answer(206, URL, f"{HEAD}\nx-link: no\nlink: <a>\nlink: <b>")
    assert answer.each("link") == ("<a>", "<b>")
    assert answer.each("served") == answer.each("age") == ()


@pytest.mark.parametrize(("status", "ranges"), [(206, True), (200, False), (416, True)])
def test_a_whole_answer_shows_that_there_are_no_ranges(
    status: int, *, ranges: bool
) -> None:
    """A 200 came where a part was asked for."""
    assert told((Answer(status, URL, ""),)).ranges is ranges


def test_an_answer_may_say_nothing() -> None:
    """A server owes nobody a validator."""
    seen = told((Answer(200, URL, ""),))
    assert (seen.headers, seen.etag, seen.last_modified) == ((), None, None)
    assert seen.media_type == ""


def test_the_way_is_told_hop_by_hop() -> None:
    """Each redirect with its status, and the answer itself last; all masked."""
    first = Answer(302, "https://example.org/file?token=s3cret", "location: x")
    seen = told((first, Answer(206, URL, HEAD)))
    assert seen.hops == (
        Hop(302, "https://example.org/file?token=***"),
        Hop(206, "https://cdn.example/pool/file.bin?sig=***"),
    )


def test_what_a_redirect_says_of_the_file_is_told() -> None:
    """Hugging Face puts the digest on the redirect; who said it is said as well."""
    hub = Answer(
        302,
        "https://hub.example/file",
        'location: https://cdn.example?sig=s3cret\nx-linked-etag: "abc"\nserver: hub',
    )
    seen = told((hub, Answer(206, URL, "server: cdn")))
    assert seen.headers == (
        ("server", "cdn"),
        ("x-linked-etag", '"abc" (from hub.example)'),
    )


def test_no_secret_is_in_what_is_told_or_in_a_traceback() -> None:
    """What is kept has secrets; neither its repr nor what is told shows one."""
    way = (Answer(302, URL, HEAD), Answer(206, URL, HEAD))
    assert "s3cret" not in repr(way)
    assert "s3cret" not in repr(told(way))


def test_only_so_many_fields_are_told() -> None:
    """A server that sends thousands does not fill the screen."""
    head = "\n".join(f"x-{number}: z" for number in range(1000))
    assert len(told((Answer(200, URL, head),)).headers) == MOST_FIELDS


def test_a_field_that_was_cut_in_its_name_is_left_out() -> None:
    """The text that is kept ends somewhere; half a name is no field."""
    assert told((Answer(200, URL, "server: us\nset-coo"),)).headers == (
        ("server", "us"),
    )
