"""How many lanes may fly to one host: additive increase, multiplicative decrease.

The policy, a function of what each interval brought:

- start at 4 and double while each doubling brings a quarter more bytes;
- then one more at a time, or an eighth of many, kept while that brings at least half
  of its fair share;
- otherwise go back and hold, and try again now and then; but not while bytes come
  faster and faster: far away a new connection takes many round trips to be fast;
- what was concluded is void when less than half of what it was concluded from still
  comes: some servers give each connection a quick beginning, and then hardly anything;
- halve on a refusal (429, 503, 403 where it had worked) and on bursts of broken
  connections, at most once per `CUT_SPACING`: what one storm cost is charged once;
  a step that is refused while it is judged is only taken back: what was before works;
  where all break together that is an outage, and the window is kept;
- intervals in which something else was the limit (throttle, reader, disk,
  horizon, nobody who wanted another lane) are not judged at all.

Where the user typed a number the window starts there, and yields only to
congestion; it comes back one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic

from engine.model import WindowChange, WindowSnapshot

FIRST_SIZE = 4
CEILING = 128
INTERVAL = 0.1
"""Seconds of the shortest interval that is judged."""
ROUND_TRIPS = 3
"""An interval must be long enough for a new lane to have brought something."""
CUT_SPACING = 1.0
BURST = 4
"""One in so many lanes that break in one interval are too many, unless all do."""
HOLD = 8.0
"""Seconds before a window that stopped paying is tried one larger again."""
VOID = 0.5
"""What share of the bytes that a hold was concluded from must still come."""
DOUBLING_PAYS = 0.25
SHARE = 8
"""A step is an eighth of the window, and one lane at least: less is lost in noise."""
RISING = 0.1
"""How much more the later half of an interval must bring, to be still beginning."""
MANY = 8
"""One in so many unanswered lanes are enough to wait for."""
LONGEST_ANSWER = 5.0
"""Seconds to wait at most for those that a step let start."""
REMEMBERED = 64
"""Changes kept for the graph."""


class Window:
    """One host's window, and the count of the lanes in it."""

    def __init__(self, host: str, now: float) -> None:
        self.host = host
        self.ceiling = CEILING
        self.size = FIRST_SIZE
        self.flying = 0
        self.latency = 0.0
        """Seconds the host takes to its first byte, as its lanes see it."""
        self._closed_until = 0.0
        self._typed = 0
        self._jobs = 0
        self._before = 0
        """What it was before it was cut to one; 0 if it was not."""
        self._was_cut = False
        self._doubling = True
        self._base: tuple[int, float] | None = None
        self._hold_until = 0.0
        self._held_rate = 0.0
        """Bytes per second when it was concluded that more lanes do not pay."""
        self._cut_at = -CUT_SPACING
        self._refused_at = -HOLD
        self._half: tuple[float, int] | None = None
        """Seconds and bytes of the first half of the interval, once it has passed."""
        self._stepped_at = -inf
        """When the last step was made, as long as it waits for answers."""
        self._unanswered = 0
        """Lanes that took off and have had no byte yet."""
        self._wanted = False
        self._lost = self._lost_of = self._bytes_since_loss = 0
        self._changes: deque[WindowChange] = deque(maxlen=REMEMBERED)
        self._begin(now)
        self._say(now, "starting", cut=False)

    def join(self, threads: int | None, now: float) -> None:
        """A job comes: it gets what was typed for it, and at least its one lane."""
        self._jobs += 1
        self._typed += threads or 0
        size = min(max(self._jobs, self._typed or self.size), CEILING)
        self.ceiling = size if self._typed else CEILING
        if self._was_cut:
            size = min(size, self.size)
        if size != self.size:
            self._doubling = self._doubling and not self._typed
            self._set(now, size, "as asked" if self._typed else "a lane for each file")

    def part(self, threads: int | None) -> None:
        """A job goes; the window keeps what it learned."""
        self._jobs -= 1
        self._typed -= threads or 0
        if not self._typed:
            self.ceiling = CEILING

    def resize(self, before: int | None, threads: int | None, now: float) -> None:
        """A job was given another number of lanes, or the choice back with None."""
        self._was_cut = False
        self.part(before)
        self.join(threads, now)

    def has_room(self, now: float) -> bool:
        """Whether one more lane may fly; who is told no shows that it wants to."""
        if now < self._closed_until:
            return False
        self._wanted = self._wanted or self.flying >= self.size
        return self.flying < self.size

    @property
    def latest(self) -> WindowChange:
        """The last change, with its reason."""
        return self._changes[-1]

    def closed_for(self, now: float) -> float:
        """Seconds until a lane may take off again."""
        return max(self._closed_until - now, 0.0)

    @property
    def share(self) -> int:
        """Most lanes of one job, so that each job on this host has its part."""
        return -(-self.size // max(self._jobs, 1))

    @property
    def is_over(self) -> bool:
        """Whether more lanes fly than should: one must land."""
        return self.flying > self.size

    def received(self, size: int) -> None:
        """Count body bytes into the running interval."""
        self._bytes += size
        self._bytes_since_loss += size

    def expect(self) -> None:
        """A lane has taken off; it brings nothing until it is answered."""
        self._unanswered += 1

    def answered(self) -> None:
        """One of those has had its first bytes, or has given up."""
        self._unanswered -= 1

    def excuse(self, reason: str) -> None:
        """Something else was the limit in this interval; it will not be judged."""
        self._excuse = reason

    def lost(self) -> None:
        """A connection broke. Some of many are a sign of too many; all are an outage."""
        self._lost += 1
        self._lost_of = max(self._lost_of, self.flying)
        self._bytes_since_loss = 0

    def cut_to_one(self, reason: str, now: float) -> None:
        """Nobody is served any more: let one lane find out why."""
        self._refused_at = now
        if self.size > 1:
            self._before = self.size
            self._cut(1, reason, now)

    def reopen(self, now: float) -> None:
        """What the one lane found out has been mended: all may fly again."""
        if self._before > self.size:
            self._set(now, self._before, "a fresh link")
        self._before = 0
        self._refused_at = now - HOLD

    def cut(self, reason: str, now: float) -> None:
        """The host refused somebody: take back the last step, or halve.

        Not if the last cut was just now. A step that is refused was one too many.
        """
        self._refused_at = now
        before = self.size // 2 if self._base is None else self._base[0]
        self._shrink(before, reason, now)

    def is_refused(self, now: float) -> bool:
        """Whether it holds because the host wanted fewer lanes, a moment ago."""
        return now - self._refused_at < HOLD

    def close_until(self, when: float) -> None:
        """Let nobody take off before `when` (Retry-After is for the whole host)."""
        self._closed_until = max(self._closed_until, when)

    def judge(self, now: float) -> None:
        """End the interval if it was long enough, and move the window by it."""
        if self._goes_on(now):
            return
        rate, is_rising = self._bytes / (now - self._began), self._is_rising(now)
        lost, judged = self._lost, self._wanted and not self._excuse and rate > 0
        is_burst = max(2, self.size / BURST) <= lost < self._lost_of
        others_go_on = self._bytes_since_loss > 0
        self._begin(now)
        if is_burst and others_go_on:
            self._shrink(self.size // 2, f"{lost} connections broke", now)
        elif judged and not lost:
            self._move(rate, now, is_rising=is_rising)

    def enter(self) -> None:
        self.flying += 1

    def leave(self) -> None:
        self.flying -= 1

    def snapshot(self) -> WindowSnapshot:
        return WindowSnapshot(
            host=self.host,
            size=self.size,
            flying=self.flying,
            ceiling=self.ceiling,
            reason=self.latest.reason,
            changes=tuple(self._changes),
        )

    def _shrink(self, size: int, reason: str, now: float) -> None:
        if now - self._cut_at >= CUT_SPACING:
            self._cut(max(1, size), reason, now)

    def _cut(self, size: int, reason: str, now: float) -> None:
        self._cut_at = now
        self._was_cut = True
        self._doubling = False
        self._held_rate = 0.0
        self._hold_until = now + HOLD
        self._set(now, size, reason, cut=True)

    def _goes_on(self, now: float) -> bool:
        """Whether the interval is not over; one that judges a step begins with answers."""
        if self._base is not None and self._waits(now):
            self._count_anew(now)
            return True
        passed, needed = now - self._began, self._needed()
        if self._pays_already(passed):
            needed = max(INTERVAL, needed / ROUND_TRIPS)
        if passed < needed and self._half is None and passed >= needed / 2:
            self._half = (passed, self._bytes)
        return passed < needed

    def _pays_already(self, passed: float) -> bool:
        """Whether a doubling brings enough, however it goes on: do not wait for more."""
        if self._base is None or not self._doubling or passed <= 0:
            return False
        return self._bytes / passed >= (1 + DOUBLING_PAYS) * self._base[1]

    def _waits(self, now: float) -> bool:
        """Whether many of those that the last step let start have brought nothing yet."""
        is_answered = MANY * self._unanswered <= self.size
        if is_answered or now - self._stepped_at > LONGEST_ANSWER:
            self._stepped_at = -inf
        return self._stepped_at > -inf

    def _is_rising(self, now: float) -> bool:
        if self._half is None:
            return False
        passed, early = self._half
        late = (self._bytes - early) / (now - self._began - passed)
        return late > (1 + RISING) * early / passed

    def _move(self, rate: float, now: float, *, is_rising: bool) -> None:
        if self._base is not None:
            base_size, base_rate = self._base
            gain = rate / base_rate - 1
            fair = (self.size - base_size) / base_size
            pays = gain >= min(fair / 2, DOUBLING_PAYS)
            if is_rising and not pays:
                return
            self._base = None
            if not pays:
                self._retreat((base_size, base_rate), gain, now)
                return
            self._doubling = self._doubling and gain >= DOUBLING_PAYS
        elif rate < VOID * self._held_rate:
            self._held_rate, self._hold_until = 0.0, now
            self._doubling = not self._typed
        if now >= self._hold_until and self.size < self.ceiling:
            base = (self.size, rate)
            step = self.size if self._doubling else max(1, self.size // SHARE)
            more = "one more" if step == 1 else f"{step} more"
            target = min(self.size + step, self.ceiling)
            self._set(now, target, "doubling" if self._doubling else more)
            self._base = base

    def _retreat(self, base: tuple[int, float], gain: float, now: float) -> None:
        size, self._held_rate = base
        self._doubling = False
        self._hold_until = now + HOLD
        beyond = f"lanes {size + 1}-{self.size}" if self.size > size + 1 else "one more"
        self._set(now, size, f"holding at {size}: {beyond} added {gain:.0%}")

    def _needed(self) -> float:
        """One lane of many is less than the noise of a short interval: take longer."""
        shortest = max(INTERVAL, ROUND_TRIPS * self.latency)
        return (
            shortest if self._doubling else max(0.5, shortest) * max(1.0, self.size / 8)
        )

    def _begin(self, now: float) -> None:
        self._count_anew(now)
        self._wanted = False
        self._excuse = ""
        self._lost = self._lost_of = self._bytes_since_loss = 0

    def _count_anew(self, now: float) -> None:
        self._began = now
        self._bytes = 0
        self._half = None

    def _set(self, now: float, size: int, reason: str, *, cut: bool = False) -> None:
        self._base = None
        self.size = size
        self._stepped_at = now
        self._begin(now)
        self._say(now, reason, cut=cut)

    def _say(self, now: float, reason: str, *, cut: bool) -> None:
        self._changes.append(WindowChange(now, self.size, reason, cut))


class Seat:
    """A job's part in the window of the host that it asks, which may change."""

    def __init__(self, window_of: Callable[[str], Window], threads: int | None) -> None:
        self.window: Window | None = None
        self._window_of = window_of
        self._threads = threads

    def take(self, host: str) -> Window:
        """Be counted in the window of that host."""
        window = self._window_of(host)
        if window is not self.window:
            self.leave()
            window.join(self._threads, monotonic())
            self.window = window
        return window

    def leave(self) -> None:
        """Be counted nowhere."""
        if self.window is not None:
            self.window.part(self._threads)
            self.window = None

    def resize(self, threads: int | None) -> None:
        """Another number was typed; None lets the window find out."""
        if self.window is not None:
            self.window.resize(self._threads, threads, monotonic())
        self._threads = threads
