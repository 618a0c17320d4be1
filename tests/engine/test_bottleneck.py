"""What one look says limits a job, and what many looks agree on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, cycle, islice, repeat

import pytest

from engine.bottleneck import LEAD, QUORUM, SPAN, Signs, Tally, cause
from engine.model import Bottleneck

TICK = 0.1
B = Bottleneck

NETWORK = Signs(lanes=4)
THROTTLE = Signs(lanes=4, throttled=4)
DISK = Signs(lanes=4, storing=4)
READER = Signs(lanes=1, in_order=True, is_at_horizon=True, is_reader_busy=True)
HEAD = Signs(lanes=1, in_order=True, is_at_horizon=True)
SERVER = Signs(lanes=4, refused=3)
NOBODY = Signs()

# -- one look --------------------------------------------------------------------

LOOKS = {
    "lanes that receive": (Signs(lanes=4), B.NETWORK),
    "most held back by the limit": (Signs(lanes=4, throttled=3), B.THROTTLE),
    "half held back by the limit": (Signs(lanes=4, throttled=2), B.NETWORK),
    "the only lane held back": (Signs(lanes=1, throttled=1), B.THROTTLE),
    "most wait for the disk": (Signs(lanes=4, storing=3), B.DISK),
    "half wait for the disk": (Signs(lanes=4, storing=2), B.NETWORK),
    "most wait for the reader": (Signs(lanes=4, storing=3, in_order=True), B.READER),
    "at the horizon, bytes to use": (READER, B.READER),
    "bytes to use, and room": (
        Signs(lanes=4, in_order=True, is_reader_busy=True),
        B.NETWORK,
    ),
    "at the horizon, nothing to use": (HEAD, B.HEAD),
    "most turned away": (Signs(lanes=4, refused=3), B.SERVER),
    "half turned away": (Signs(lanes=4, refused=2), B.NETWORK),
    "some turned away, and the window cut": (
        Signs(lanes=8, refused=1, is_cut=True),
        B.SERVER,
    ),
    "the window cut a moment ago": (Signs(lanes=4, is_cut=True), B.SERVER),
    "most wait for a first byte": (Signs(lanes=4, unanswered=3), B.SERVER),
    "half wait for a first byte": (Signs(lanes=4, unanswered=2), B.NETWORK),
    "closed, but lanes still receive": (Signs(lanes=4, is_closed=True), B.NETWORK),
    "closed, and no lane flies": (Signs(is_closed=True), B.SERVER),
    "all has come, and the reader reads": (
        Signs(in_order=True, is_reader_busy=True),
        B.READER,
    ),
    "no lane flies": (Signs(), None),
    "no lane flies, the window once cut": (Signs(is_cut=True), None),
    "no lane flies, the horizon once met": (Signs(is_at_horizon=True), None),
}


@pytest.mark.parametrize(("seen", "word"), LOOKS.values(), ids=LOOKS)
def test_one_look(seen: Signs, word: Bottleneck | None) -> None:
    """Things queue before the narrowest place: that is where most lanes are."""
    assert cause(seen) is word


BOTH = {
    "a limit goes before the disk": (
        Signs(lanes=3, throttled=2, storing=2),
        B.THROTTLE,
    ),
    "a limit goes before the head": (
        Signs(lanes=1, throttled=1, in_order=True, is_at_horizon=True),
        B.THROTTLE,
    ),
    "a busy reader goes before a server that refuses": (
        Signs(lanes=2, refused=2, is_at_horizon=True, is_reader_busy=True),
        B.READER,
    ),
    "a server that refuses goes before the head": (
        Signs(lanes=2, refused=2, is_at_horizon=True),
        B.SERVER,
    ),
    "the head goes before a server that is late": (
        Signs(lanes=1, unanswered=1, is_at_horizon=True, is_cut=True),
        B.HEAD,
    ),
}


@pytest.mark.parametrize(("seen", "word"), BOTH.values(), ids=BOTH)
def test_of_two_signs_the_nearer_one_counts(seen: Signs, word: Bottleneck) -> None:
    """What is downstream holds up what is upstream, and not the other way round."""
    assert cause(seen) is word


# -- many looks ------------------------------------------------------------------


def words(looks: Iterable[Signs], tally: Tally | None = None) -> list[Bottleneck]:
    """The word after each of the looks, a tenth of a second apart."""
    tally, found = tally or Tally(), []
    for number, seen in enumerate(looks, start=1):
        tally.look(seen, number * TICK)
        found.append(tally.word)
    return found


def changes(found: Iterable[Bottleneck]) -> list[Bottleneck]:
    """The words without their repetitions."""
    kept: list[Bottleneck] = []
    for word in found:
        if kept[-1:] != [word]:
            kept.append(word)
    return kept


def test_it_is_the_network_until_something_else_is_seen() -> None:
    """Nobody has looked yet."""
    assert Tally().word is B.NETWORK


@pytest.mark.parametrize("seen", [THROTTLE, DISK, READER, HEAD, SERVER])
def test_a_lasting_cause_is_named_within_half_a_second(seen: Signs) -> None:
    """The first word needs a few looks, not more."""
    found = words(repeat(seen, QUORUM))
    assert found[:-1] == [B.NETWORK] * (QUORUM - 1)
    assert found[-1] is cause(seen)


def test_a_new_cause_is_named_within_two_seconds() -> None:
    """What has been true for most of the last seconds gives way, once."""
    found = words(chain(repeat(DISK, 50), repeat(THROTTLE, 20)))
    assert changes(found) == [B.NETWORK, B.DISK, B.THROTTLE]


def test_a_hiccup_changes_nothing() -> None:
    """One second of something else is not what limits a job."""
    hiccup = [*repeat(READER, 40), *repeat(HEAD, 10), *repeat(READER, 40)]
    assert changes(words(hiccup)) == [B.NETWORK, B.READER]


@pytest.mark.parametrize("period", [1, 2, 3, 5])
def test_what_alternates_does_not_flicker(period: int) -> None:
    """Of two causes in turn one is named, and stays."""
    turns = cycle([*repeat(READER, period), *repeat(NETWORK, period)])
    found = words(islice(turns, 300))
    assert len(changes(found[30:])) == 1


def test_the_most_frequent_cause_is_named() -> None:
    """Two looks of three decide, however they are mixed."""
    found = words(islice(cycle([SERVER, NETWORK, SERVER]), 60))
    assert found[-1] is B.SERVER


def test_another_word_must_be_well_ahead() -> None:
    """A quarter of the votes more: being ahead by one is chance."""
    full = int(SPAN / TICK)
    behind = int(full * (1 - LEAD) / 2) + 1
    close = [*repeat(DISK, behind), *repeat(NETWORK, full - behind)]
    ahead = [*repeat(DISK, behind - 1), *repeat(NETWORK, full - behind + 1)]
    assert words(close)[-1] is B.DISK
    assert words(ahead)[-1] is B.NETWORK


def test_where_nothing_flies_nobody_votes() -> None:
    """Between two requests the word stays what it was."""
    assert words([*repeat(THROTTLE, 10), *repeat(NOBODY, 100)])[-1] is B.THROTTLE


def test_votes_from_before_a_pause_do_not_count() -> None:
    """After standing still for long it is what is seen now, as soon as it is seen."""
    tally = Tally()
    words(repeat(THROTTLE, 30), tally)
    for number in range(QUORUM):
        tally.look(NETWORK, 100.0 + number * TICK)
    assert tally.word is B.NETWORK
