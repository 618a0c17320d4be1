"""Tokens by hand, and lanes that wait in line for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given, strategies as st

from engine.limiter import BURST, REFILL, RESUMED, Limiter, TokenBucket, Turn


class Clock:
    """The time is what the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Limiters and turns that look at this clock."""
    clock = Clock()
    monkeypatch.setattr("engine.limiter.monotonic", clock)
    return clock


class Lane:
    """A paused connection as the limiter sees it: once resumed, it asks again."""

    def __init__(self, limiter: Limiter, size: int = 100, wants: int = 1) -> None:
        self.limiter = limiter
        self.size = size
        self.wants = wants
        self.got = 0
        self.satisfied = asyncio.Event()

    def ask(self) -> None:
        """Take all it wants, block by block, or wait where it is told to."""
        while self.wants and self.limiter.admit(self.size, self.ask):
            self.got += self.size
            self.wants -= 1
        if not self.wants:
            self.satisfied.set()


def serve(limiter: Limiter) -> None:
    """What the refill timer does."""
    limiter._serve()


# -- the bucket --------------------------------------------------------------


def test_a_new_bucket_is_empty() -> None:
    """Nothing is free of charge, not even the first byte."""
    bucket = TokenBucket(1000.0, 5.0)
    assert not bucket.has_tokens(5.0)
    assert bucket.has_tokens(5.001)


def test_the_last_taker_goes_into_debt() -> None:
    """More than there is may be taken; the next one waits until it is paid."""
    bucket = TokenBucket(1000.0, 0.0)
    assert bucket.has_tokens(0.01)
    bucket.take(510)
    assert not bucket.has_tokens(0.25)
    assert not bucket.has_tokens(0.5)
    assert bucket.has_tokens(0.511)


def test_tokens_do_not_pile_up() -> None:
    """After a silence only a short burst is there."""
    bucket = TokenBucket(1000.0, 0.0)
    assert bucket.has_tokens(100.0)
    bucket.take(int(1000 * BURST))
    assert not bucket.has_tokens(100.0)


def test_a_clock_that_stands_still_brings_nothing() -> None:
    """Asking twice at one moment does not refill twice."""
    bucket = TokenBucket(1000.0, 0.0)
    assert bucket.has_tokens(0.01)
    bucket.take(10)
    assert not bucket.has_tokens(0.01)
    assert not bucket.has_tokens(0.005)


def test_another_rate_counts_at_once() -> None:
    """What was saved at a high rate is not spent at a low one."""
    bucket = TokenBucket(1e6, 0.0)
    assert bucket.has_tokens(1.0)
    bucket.rate = 100.0
    assert bucket.has_tokens(1.001)
    bucket.take(int(100 * BURST))
    assert not bucket.has_tokens(1.001)


@given(
    st.floats(10, 1e9),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 1 << 20)), max_size=50),
)
def test_no_schedule_beats_the_rate(
    rate: float, steps: list[tuple[float, int]]
) -> None:
    """Whenever and however much is taken, only the last block is ahead of the rate."""
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, 0
    for passed, size in steps:
        now += passed
        if bucket.has_tokens(now):
            assert taken <= rate * now * (1 + 1e-9)
            bucket.take(size)
            taken += size


@given(st.floats(1e3, 1e9), st.floats(0.001, 10.0))
def test_a_greedy_taker_gets_the_rate(rate: float, seconds: float) -> None:
    """Who always comes back gets what the rate allows, to the block."""
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, 0
    size = int(rate * seconds) + 1
    for _ in range(100):
        now += REFILL
        while bucket.has_tokens(now):
            bucket.take(size)
            taken += size
    assert rate * now <= taken + 1e-6 * rate
    assert taken <= rate * now + size + 1e-6 * rate


# -- the line ----------------------------------------------------------------


def test_no_limit_admits_everything() -> None:
    """Without a rate nobody waits, and no loop is needed."""
    limiter = Limiter()
    lane = Lane(limiter, wants=1000)
    lane.ask()
    assert lane.got == 100_000
    assert (limiter.rate, limiter.tightest, limiter.denials) == (None, None, 0)


async def test_who_is_told_no_is_resumed_when_tokens_return(clock: Clock) -> None:
    """A lane that must wait is called as soon as there are tokens, not earlier."""
    limiter = Limiter(1000.0)
    lane = Lane(limiter)
    lane.ask()
    serve(limiter)
    assert lane.got == 0
    clock.now += REFILL
    serve(limiter)
    assert lane.got == 100
    limiter.close()


async def test_first_come_first_served(clock: Clock) -> None:
    """Many lanes share the rate in the order in which they came."""
    limiter = Limiter(10_000.0)
    lanes = [Lane(limiter, wants=10) for _ in range(4)]
    for lane in lanes:
        lane.ask()
    served = []
    for _ in range(40):
        before = [lane.got for lane in lanes]
        clock.now += 0.01
        serve(limiter)
        served += [n for n, lane in enumerate(lanes) if lane.got > before[n]]
    assert served == [0, 1, 2, 3] * 10
    limiter.close()


async def test_nobody_jumps_the_line(clock: Clock) -> None:
    """Who comes while others wait goes to the end, even if tokens are there."""
    limiter = Limiter(1000.0)
    first, second = Lane(limiter), Lane(limiter)
    first.ask()
    clock.now += 0.01
    second.ask()
    assert (first.got, second.got) == (0, 0)
    serve(limiter)
    assert (first.got, second.got) == (100, 0)
    limiter.close()


async def test_a_burst_serves_as_many_as_it_pays_for(clock: Clock) -> None:
    """When tokens for several are there, several are resumed at once."""
    limiter = Limiter(10_000.0)
    lanes = [Lane(limiter) for _ in range(8)]
    for lane in lanes:
        lane.ask()
    clock.now += 60.0
    serve(limiter)
    assert sum(lane.got for lane in lanes) == int(10_000 * BURST)
    limiter.close()


async def test_a_higher_rate_wakes_those_who_wait(clock: Clock) -> None:
    """The limit may be raised while lanes wait for it."""
    limiter = Limiter(1.0)
    lane = Lane(limiter)
    lane.ask()
    clock.now += 0.01
    limiter.rate = 1e6
    assert lane.got == 100
    assert limiter.rate == 1e6


async def test_a_lower_rate_lets_the_debt_be_paid_first(clock: Clock) -> None:
    """The limit may be lowered while lanes wait for it."""
    limiter = Limiter(1e6)
    lane = Lane(limiter, size=20_100, wants=2)
    clock.now += 0.02
    lane.ask()
    limiter.rate = 1000.0
    clock.now += 0.1
    serve(limiter)
    assert lane.got == 20_100
    clock.now += 0.01
    serve(limiter)
    assert lane.got == 40_200
    limiter.close()


async def test_no_rate_wakes_everybody(clock: Clock) -> None:
    """Lifting the limit lets all who wait go on at once."""
    limiter = Limiter(1000.0)
    lanes = [Lane(limiter, wants=50) for _ in range(3)]
    for lane in lanes:
        lane.ask()
    limiter.rate = None
    assert [lane.got for lane in lanes] == [5000] * 3


async def test_a_limit_may_come_later(clock: Clock) -> None:
    """A limit set in flight holds from the next block on."""
    limiter = Limiter()
    lane = Lane(limiter, wants=1)
    lane.ask()
    limiter.rate = 1000.0
    lane.wants = 1
    lane.ask()
    assert lane.got == 100
    limiter.close()


async def test_closing_forgets_those_who_wait(clock: Clock) -> None:
    """After the end nobody is resumed."""
    limiter = Limiter(1000.0)
    lane = Lane(limiter)
    lane.ask()
    limiter.close()
    clock.now += 1.0
    serve(limiter)
    assert lane.got == 0
    Limiter().close()


async def test_one_who_fails_holds_up_nobody(clock: Clock) -> None:
    """A lane that breaks when it is resumed does not take the others with it."""
    limiter = Limiter(1000.0)
    lane = Lane(limiter)

    def broken() -> None:
        raise ConnectionError

    assert not limiter.admit(100, broken)
    lane.ask()
    clock.now += 0.01
    with pytest.raises(ConnectionError):
        serve(limiter)
    await lane.satisfied.wait()
    assert lane.got == 100


# -- two limits --------------------------------------------------------------


async def test_the_parents_limit_holds_too(clock: Clock) -> None:
    """A job's lanes wait for the job's limit, and for everybody's."""
    everybody = Limiter(1000.0)
    job = Limiter(1e9, everybody)
    lane = Lane(job, wants=10)
    clock.now += 0.01
    lane.ask()
    assert lane.got == 100
    for _ in range(10):
        clock.now += 0.05
        serve(everybody)
    assert lane.got == 600
    for limiter in (everybody, job):
        limiter.close()


async def test_a_denial_by_the_parent_costs_no_tokens(clock: Clock) -> None:
    """Tokens are taken from both limits or from none."""
    everybody = Limiter(1000.0)
    job = Limiter(10_000.0, everybody)
    lane = Lane(job, size=10, wants=1000)
    clock.now += 0.01
    lane.ask()
    assert lane.got == 10
    assert job._bucket is not None
    assert job._bucket._tokens == pytest.approx(90)
    for limiter in (everybody, job):
        limiter.close()


async def test_the_childs_limit_holds_alone(clock: Clock) -> None:
    """Under a parent without a limit only the job's own counts."""
    everybody = Limiter()
    job, free = Limiter(1000.0, everybody), Limiter(None, everybody)
    held, unheld = Lane(job, wants=10), Lane(free, wants=10)
    held.ask()
    unheld.ask()
    assert (held.got, unheld.got) == (0, 1000)
    job.close()


@pytest.mark.parametrize(
    ("own", "above", "tightest"),
    [
        (None, None, None),
        (5.0, None, 5.0),
        (None, 7.0, 7.0),
        (5.0, 7.0, 5.0),
        (7.0, 5.0, 5.0),
    ],
)
def test_the_tightest_limit_binds(
    own: float | None, above: float | None, tightest: float | None
) -> None:
    """Of two limits the lower one decides."""
    assert Limiter(own, Limiter(above)).tightest == tightest


async def test_denials_show_that_a_limit_binds(clock: Clock) -> None:
    """Each time a lane is told to wait is counted, with those of the parent."""
    everybody = Limiter(1000.0)
    job = Limiter(1000.0, everybody)
    Lane(job).ask()
    Lane(everybody).ask()
    assert (job.denials, everybody.denials) == (2, 1)
    for limiter in (everybody, job):
        limiter.close()


# -- the real clock ----------------------------------------------------------


async def test_the_timer_serves_the_line() -> None:
    """On the running loop lanes are resumed by themselves, and not too fast."""
    rate, size = 2_000_000.0, 10_000
    started = monotonic()
    limiter = Limiter(rate)
    lanes = [Lane(limiter, size, wants=10) for _ in range(2)]
    for lane in lanes:
        lane.ask()
    for lane in lanes:
        await lane.satisfied.wait()
    assert monotonic() - started >= 200_000 / rate
    limiter.close()


# -- a turn of the loop ------------------------------------------------------


async def test_with_nobody_watching_a_turn_takes_what_it_takes(clock: Clock) -> None:
    """Without a budget every callback is admitted."""
    turn = Turn(asyncio.get_running_loop())
    for _ in range(100):
        clock.now += 1.0
        assert turn.admits(lambda: None)


async def test_a_turn_has_a_budget(clock: Clock) -> None:
    """Past its budget a turn admits nobody, and the next one resumes them in order."""
    turn = Turn(asyncio.get_running_loop())
    turn.budget = 0.008
    resumed: list[str] = []
    later = asyncio.Event()

    def resume(name: str) -> Callable[[], None]:
        return lambda: resumed.append(name)

    assert turn.admits(resume("never told no"))
    clock.now += 0.007
    assert turn.admits(resume("still in time"))
    clock.now += 0.002
    assert not turn.admits(resume("first"))
    assert not turn.admits(resume("second"))
    assert resumed == []
    asyncio.get_running_loop().call_soon(later.set)
    await later.wait()
    assert resumed == ["first", "second"]
    assert turn.admits(resume("a new turn"))


async def test_who_is_resumed_spends_the_next_turns_budget(clock: Clock) -> None:
    """Those who wait are served over as many turns as they need, each once, in order."""
    turn = Turn(asyncio.get_running_loop())
    turn.budget = 0.008
    done: list[int] = []
    told_no = Counter[int]()

    def work(number: int) -> None:
        if not turn.admits(lambda: work(number)):
            told_no[number] += 1
            return
        clock.now += 0.005
        done.append(number)

    for number in range(6):
        work(number)
    assert done == [0, 1]
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3]
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3, 4, 5]
    assert set(told_no.values()) == {1}


async def test_a_budget_may_be_lifted_while_some_wait(clock: Clock) -> None:
    """Without a budget all who wait go on in the next turn."""
    turn = Turn(asyncio.get_running_loop())
    turn.budget = 0.001
    resumed: list[int] = []
    assert turn.admits(lambda: None)
    clock.now += 1.0
    assert not turn.admits(lambda: resumed.append(1))
    assert not turn.admits(lambda: resumed.append(2))
    turn.budget = None
    await asyncio.sleep(0)
    assert resumed == [1, 2]


async def test_one_who_breaks_does_not_end_the_turns(clock: Clock) -> None:
    """When resuming one fails, the others are resumed in the next turn."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)
    turn = Turn(loop)
    turn.budget = 0.001
    resumed: list[int] = []

    def broken() -> None:
        raise ConnectionError

    assert turn.admits(lambda: None)
    clock.now += 1.0
    assert not turn.admits(broken)
    assert not turn.admits(lambda: resumed.append(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert resumed == [2]


async def test_a_turn_resumes_only_as_many_as_its_budget_bears(clock: Clock) -> None:
    """Resuming takes no time itself, what it sets off does: a few in each turn."""
    turn = Turn(asyncio.get_running_loop())
    turn.budget = 3 * RESUMED
    resumed: list[int] = []
    for number in range(7):
        turn.resume(lambda number=number: resumed.append(number))  # type: ignore[misc]
    assert resumed == []
    for most in (3, 6, 7):
        await asyncio.sleep(0)
        assert resumed == list(range(most))


async def test_with_nobody_watching_whoever_has_room_goes_on_at_once() -> None:
    """Without a budget resuming waits for nothing."""
    resumed: list[int] = []
    Turn(asyncio.get_running_loop()).resume(lambda: resumed.append(1))
    assert resumed == [1]
