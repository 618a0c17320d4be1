"""What a fault costs: a nap, lanes, or the end."""

from __future__ import annotations

import pytest

from engine.errors import (
    Denied,
    ExpiredError,
    Fault,
    ForgotRange,
    HydraError,
    NetworkError,
    RefusedError,
)
from engine.patience import GIVE_UP_AFTER, UNREACHABLE_FOR, Patience
from engine.window import Window
from tests.support.listener import Listener

BORN = 1000.0


class Clock:
    """The time is what the test says."""

    def __init__(self) -> None:
        self.now = BORN

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("engine.patience.monotonic", clock)
    return clock


@pytest.fixture
def window() -> Window:
    window = Window("example.org", BORN)
    window.join(16, BORN)
    return window


def patience(typed: float | None = None) -> Patience:
    return Patience(typed, Listener())


def test_a_fault_costs_a_nap(clock: Clock, window: Window) -> None:
    """What may pass is asked again soon, and nobody else is bothered."""
    assert 0 <= patience().charge(Fault("reset"), window, reached=True) <= 0.25
    assert window.size == 16
    assert window.has_room(clock.now)


def test_the_nap_is_told(clock: Clock, window: Window) -> None:
    """People read what happened and when it goes on."""
    told = Listener()
    Patience(None, told).charge(
        Fault("HTTP 503", status=503, retry_after=7.0), window, reached=True
    )
    assert told == ["HTTP 503, again in 7.0 s"]
    assert told.fields == [
        {"host": "example.org", "reason": "HTTP 503", "status": 503, "wait": 7.0}
    ]


@pytest.mark.parametrize(
    ("status", "size"), [(429, 8), (503, 8), (500, 16), (None, 16)]
)
def test_a_host_that_asks_for_less_gets_less(
    clock: Clock, window: Window, status: int | None, size: int
) -> None:
    """Congestion halves the window, other faults leave it."""
    patience().charge(Fault("no", status=status), window, reached=True)
    assert window.size == size


def test_retry_after_closes_the_window(clock: Clock, window: Window) -> None:
    """What a host asks of one lane is obeyed by all."""
    fault = Fault("HTTP 500", retry_after=5.0)
    assert patience().charge(fault, window, reached=True) == 5.0
    assert window.closed_for(clock.now) == 5.0


def test_patience_ends_as_what_the_fault_becomes(clock: Clock, window: Window) -> None:
    """After five minutes a fault is an error, of the kind it asked to be."""
    for final in (NetworkError, RefusedError):
        clock.now = BORN
        waiting = patience()
        clock.now = BORN + GIVE_UP_AFTER
        with pytest.raises(final, match="reset") as raised:
            waiting.charge(Fault("reset", final=final), window, reached=True)
        assert isinstance(raised.value.__cause__, Fault)


def test_a_host_nobody_reached_is_given_up_early(clock: Clock, window: Window) -> None:
    """A refused port is worth ten seconds, unless it has served us before."""
    waiting = patience()
    clock.now += UNREACHABLE_FOR
    fault = Fault("cannot connect", unreachable=True)
    waiting.charge(fault, window, reached=True)
    with pytest.raises(NetworkError, match="cannot connect"):
        waiting.charge(fault, window, reached=False)


def test_a_typed_number_is_for_every_host(clock: Clock, window: Window) -> None:
    """Who typed how long to try means it, also for a host that nobody reached."""
    waiting = patience(60.0)
    fault = Fault("cannot connect", unreachable=True)
    clock.now += 59.0
    waiting.charge(fault, window, reached=False)
    clock.now += 1.0
    with pytest.raises(NetworkError):
        waiting.charge(fault, window, reached=True)


def test_new_bytes_restore_it(clock: Clock, window: Window) -> None:
    """Patience is counted from the last byte that nobody had."""
    waiting = patience(60.0)
    clock.now += 50.0
    waiting.progressed(1)
    clock.now += 50.0
    assert waiting.charge(Fault("reset"), window, reached=True) <= 0.25


def test_what_is_excused_is_not_counted(clock: Clock, window: Window) -> None:
    """Throttled, paused or asleep for an hour, there is as much patience as before."""
    waiting = patience(60.0)
    clock.now += 3600.0
    waiting.excuse(3600.0)
    clock.now += 59.0
    waiting.charge(Fault("reset"), window, reached=True)
    clock.now += 1.0
    with pytest.raises(NetworkError):
        waiting.charge(Fault("reset"), window, reached=True)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_who_is_denied_asks_with_fewer_lanes(
    clock: Clock, window: Window, status: int
) -> None:
    """A host that served before and now says no may mean that there are too many."""
    patience().charge(Denied(f"HTTP {status}", status=status), window, reached=True)
    assert (window.size, window.latest.reason) == (8, f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ExpiredError),
        (403, ExpiredError),
        (410, ExpiredError),
        (404, RefusedError),
    ],
)
def test_who_is_denied_to_the_end_has_an_expired_link(
    clock: Clock, window: Window, status: int, kind: type[HydraError]
) -> None:
    """Only what is not found is gone for good; both say with which status."""
    fault = Denied(f"HTTP {status}", status=status)
    with pytest.raises(RefusedError, match=f"HTTP {status}") as raised:
        patience(0.0).charge(fault, window, reached=True)
    assert type(raised.value) is kind
    assert raised.value.status == status


def test_who_forgets_a_range_gets_no_fewer_lanes(clock: Clock, window: Window) -> None:
    """A whole file in place of a part says nothing about how many may ask."""
    patience().charge(ForgotRange("the whole came"), window, reached=True)
    assert window.size == 16


@pytest.mark.parametrize(("lost", "size"), [(3, 16), (4, 8), (8, 8), (16, 16)])
def test_broken_connections_are_told_to_the_window(
    clock: Clock, window: Window, lost: int, size: int
) -> None:
    """Faults that are lost connections count as such, and only the window judges."""
    for _ in range(16):
        window.enter()
    window.received(1000)
    waiting = patience()
    waiting.charge(Fault("HTTP/2 stream reset"), window, reached=True)
    for _ in range(lost):
        waiting.charge(Fault("connection reset", lost=True), window, reached=True)
    assert window.size == 16
    window.received(1000)
    window.judge(clock.now + 20.0)
    assert window.size == size
