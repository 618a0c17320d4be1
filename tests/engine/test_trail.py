"""Where else a file may be had, and who is asked when a link fails."""

from __future__ import annotations

from typing import cast

import pytest

from engine.credentials import credentials_of
from engine.limiter import Limiter
from engine.source import Source
from engine.trail import MOST_MIRRORS, Trail
from engine.transport import Transport

URL = "https://example.org/file"
ONE, TWO, THREE = (f"https://mirror{number}.example/file" for number in (1, 2, 3))


def trail(*mirrors: str) -> Trail:
    limiter = Limiter()
    return Trail(
        URL,
        URL,
        lambda url: Source(cast(Transport, None), limiter, url),
        None,
        mirrors,
    )


@pytest.mark.parametrize(
    ("known", "told", "mirrors"),
    [
        pytest.param((), (ONE, TWO), [ONE, TWO], id="new"),
        pytest.param((ONE,), (TWO,), [ONE, TWO], id="behind the known"),
        pytest.param((ONE, TWO), (TWO, ONE), [ONE, TWO], id="known"),
        pytest.param((), (ONE, ONE), [ONE], id="told twice"),
        pytest.param((), (URL, ONE), [ONE], id="where it is asked for"),
        pytest.param((ONE,), (), [ONE], id="nothing"),
    ],
)
def test_each_place_is_learned_once(
    known: tuple[str, ...], told: tuple[str, ...], mirrors: list[str]
) -> None:
    """Places that were not known come behind those that were, in their order."""
    known_so_far = trail(*known)
    known_so_far.learn(told)
    assert known_so_far.mirrors == mirrors


def test_a_fresh_link_is_no_mirror_of_itself() -> None:
    """Neither where the job began nor what it follows now is another place."""
    followed = trail()
    followed.follow(TWO)
    followed.learn([URL, TWO, ONE])
    assert followed.mirrors == [ONE]


def test_not_every_place_is_kept() -> None:
    """Of too many places the first ones are kept, as they are the better ones."""
    crowd = [f"https://example.net/{number}" for number in range(MOST_MIRRORS + 5)]
    learned = trail(ONE)
    learned.learn(crowd)
    assert learned.mirrors == [ONE, *crowd[: MOST_MIRRORS - 1]]


def test_the_next_place_is_asked() -> None:
    """Where a place fails the next one is asked, and it stays a place for later."""
    failing = trail(ONE, TWO)
    assert failing.fall_back(0)
    assert failing.source.url == ONE
    assert failing.mirrors == [TWO, URL]


def test_each_place_is_asked_once() -> None:
    """Once every place was asked there is none to fall back to."""
    failing = trail(ONE, TWO)
    asked = []
    for places in range(3):
        asked.append(failing.source.url)
        assert failing.fall_back(places) == (places < 2)
    assert asked == [URL, ONE, TWO]
    assert failing.source.url == TWO


def test_without_other_places_nothing_changes() -> None:
    """A job with one link has nowhere to fall back to."""
    alone = trail()
    before = alone.source
    assert not alone.fall_back(0)
    assert alone.source is before


def test_where_it_fell_back_to_is_learned_no_more() -> None:
    """The place that is asked now, and those asked before, are known."""
    failing = trail(ONE)
    assert failing.fall_back(0)
    failing.learn([ONE, URL, THREE])
    assert failing.mirrors == [URL, THREE]


def test_what_is_private_is_not_taken_along() -> None:
    """Another place is not told what was given for the first one."""
    limiter = Limiter()
    headers = (("Cookie", "secret"),)
    private = Trail(
        URL,
        URL,
        lambda url: Source(
            cast(Transport, None), limiter, url, credentials_of(url, headers)
        ),
        None,
        (ONE,),
    )
    assert private.fall_back(0)
    assert not private.source.is_home(private.source.url)
