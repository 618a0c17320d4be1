"""Bytes as a fluid: connections share what there is, and TCP lets them begin slowly.

Rates are constant between changes. A connection brings no more than its window in a
round trip, its cap, and its max-min fair share of the host's uplink and of our own
downlink. Its window begins with ten packets and doubles in each round trip in which
it was what held the connection back, up to what loss allows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from math import inf
from random import Random

from tests.benchmarks.simulation.sites import FIRST_WINDOW, Outage, Site

FINEST, COARSEST = 0.01, 0.15
"""Seconds between two deliveries of one connection: more of them when there are few."""
EACH = 0.0025
FLUSH = 0.004
"""Seconds until the first bytes are delivered."""
MOUTHFUL = 1 << 20
"""Bytes that are delivered at once at most."""
IDLE = 1.0
"""Seconds after which a connection begins slowly again (RFC 5681 section 4.1)."""
UNSTEADY = 0.25
"""By what share a lossy connection is faster or slower than it should be."""
STEADY_FOR = 2.0
"""Seconds at least that its luck lasts."""
NEXT = 1e-6
"""Seconds that a look is late, so that what it looks for has come."""
SOON = 0.01
"""Seconds until shares follow what grows or varies: all of it together."""

Claim = tuple[float, Hashable]
"""The most that somebody can use, and the uplink that it comes over."""


def fair(
    claims: Sequence[Claim], uplinks: Mapping[Hashable, float], downlink: float
) -> list[float]:
    """Max-min fair shares: nobody gets more without taking it from who has less."""
    rates = [0.0] * len(claims)
    left = dict(uplinks)
    open_ = sorted(range(len(claims)), key=lambda index: claims[index][0])
    while open_:
        crowd: dict[Hashable, int] = defaultdict(int)
        for index in open_:
            crowd[claims[index][1]] += 1
        shares = {link: left[link] / count for link, count in crowd.items()}
        level = min(*shares.values(), downlink / len(open_))
        done = [index for index in open_ if claims[index][0] <= level]
        if not done:
            tight = downlink / len(open_) <= level
            done = [i for i in open_ if tight or shares[claims[i][1]] <= level]
        for index in done:
            rates[index] = min(claims[index][0], level)
            left[claims[index][1]] = max(left[claims[index][1]] - rates[index], 0.0)
            downlink = max(downlink - rates[index], 0.0)
        settled = set(done)
        open_ = [index for index in open_ if index not in settled]
    return rates


class Connection:
    """A TCP connection, from its handshake to its end."""

    def __init__(self, host: Host, number: int) -> None:
        self.host = host
        self.number = number
        self.window = float(FIRST_WINDOW)
        self.idle_since = 0.0

    def begin(self, now: float) -> None:
        """A request: after a while without one it is careful again."""
        if self.idle_since and now - self.idle_since > IDLE:
            self.window = min(self.window, float(FIRST_WINDOW))


class Host:
    """A site at work."""

    def __init__(self, name: str, site: Site, random: Random) -> None:
        self.name = name
        self.site = site
        self.random = random
        self.idle: list[Connection] = []
        self.connections = self.requests = self.refused = 0
        self.serving = 0
        """Requests that it is at, as it knows."""
        self.lane = site.lane


class Flow:
    """One body on its way; `arrive` takes what came, `finish` hears of the end."""

    def __init__(
        self,
        network: Network,
        connection: Connection,
        size: int,
        crawl: float,
        arrive: Callable[[int], None],
    ) -> None:
        self.connection = connection
        self._host = connection.host
        self.left = size
        self.rate = 0.0
        self.is_paused = False
        self._network = network
        self._crawl = crawl
        self._arrive = arrive
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time()
        self._delivers_at = self._at + FLUSH
        """When whatever has come is handed over: the first of it soon."""
        self._part = 0.0
        """Bytes that have come and are not delivered."""
        self._burst = min(float(size), connection.window)
        """Bytes that come as fast as they can, as the window is open; 0 after that."""
        self._fills_window = size > connection.window
        self._round_ends = self._at + connection.host.site.rtt
        self._luck, self._luck_ends = 1.0, inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def most(self) -> float:
        """What it could bring if it were alone and nothing were out."""
        if self.is_paused:
            return 0.0
        most = min(self._host.lane * self._luck, self._crawl)
        if self._burst > 0:
            return most
        return min(most, self.connection.window / self._host.site.rtt)

    def move(self, rate: float) -> None:
        """From now on it brings so much."""
        if rate != self.rate:
            self.settle()
            self.rate = rate
            self._set_timer()

    def settle(self) -> None:
        """Count what has come since the last time."""
        now = self._loop.time()
        came = (now - self._at) * self.rate
        self._at = now
        self._part += came
        if self._burst > 0:
            self._burst = max(self._burst - came, 1.0)

    def begin(self) -> None:
        if self.connection.host.site.loss:
            self._roll()
        self._set_timer()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        """Look when something is due; who looks too early looks again."""
        if self.rate <= 0:
            self.stop()
            return
        now = self._loop.time()
        wanted = max(min(self.left, MOUTHFUL) - self._part, 0.0)
        due = min(now + wanted / self.rate, self._luck_ends)
        due = min(due, max(self._delivers_at, now))
        if self._burst > 0:
            due = min(due, now + self._burst / self.rate)
        elif self._is_bound:
            due = min(due, max(self._round_ends, now))
        if self._timer is None or not now < self._timer.when() <= due + NEXT:
            self.stop()
            self._timer = self._loop.call_at(due + NEXT, self._look)

    @property
    def _is_bound(self) -> bool:
        """Whether its window is what holds it back, and may grow."""
        bound = self.connection.window / self._host.site.rtt
        if self.rate < 0.9 * bound:
            return False
        site = self._host.site
        return bound < min(self._host.lane, site.uplink, self._network.downlink)

    def _look(self) -> None:
        self._timer = None
        self.settle()
        now, was_bursting = self._loop.time(), self._burst > 0
        is_changed = self._grow(now)
        if now >= self._luck_ends:
            self._roll()
            is_changed = True
        self._deliver(now)
        if self.left and not self.is_paused:
            self._set_timer()
        if not self.left or (was_bursting and is_changed):
            self._network.change()
        elif is_changed:
            self._network.change_soon()

    def _grow(self, now: float) -> bool:
        """The window doubles in each round trip that it was what was missing."""
        connection, rtt = self.connection, self.connection.host.site.rtt
        if 0 < self._burst <= 1:
            self._burst = 0.0
            if self._fills_window and self._is_bound:
                connection.window *= 2
            self._round_ends = max(self._round_ends, now)
            return True
        if self._burst > 0 or now < self._round_ends or not self._is_bound:
            return False
        connection.window *= 2
        self._round_ends = now + rtt
        return True

    def _deliver(self, now: float) -> None:
        size = min(int(self._part + 0.5), self.left)
        if size and (now >= self._delivers_at or size >= min(self.left, MOUTHFUL)):
            self._delivers_at = now + self._network.quantum
            self._part -= size
            self.left -= size
            self._arrive(size)

    def _roll(self) -> None:
        """How lucky a connection is changes now and then, where packets are lost."""
        host, now = self.connection.host, self._loop.time()
        self._luck_ends = now + max(STEADY_FOR, 10 * host.site.rtt)
        self._luck = host.random.uniform(1 - UNSTEADY, 1 + UNSTEADY)


class Network:
    """All hosts, our own downlink, and what flows just now."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        downlink: float,
        outage: Outage | None,
        seed: int,
    ) -> None:
        self.began = asyncio.get_running_loop().time()
        self.hosts = {
            name: Host(name, site, Random(f"{seed} {name}"))
            for name, site in sites.items()
        }
        self.downlink = downlink
        self.outage = outage
        self.flows: dict[Flow, None] = {}
        self._loop = asyncio.get_running_loop()
        self._is_changed = False
        self._later: asyncio.TimerHandle | None = None
        if outage is not None:
            begins = self.began + outage.begin + NEXT
            self._loop.call_at(begins, self.change)
            self._loop.call_at(begins + outage.seconds, self.change)

    @property
    def passed(self) -> float:
        """Seconds since it began."""
        return self._loop.time() - self.began

    @property
    def quantum(self) -> float:
        return min(max(FINEST, EACH * len(self.flows)), COARSEST)

    @property
    def is_out(self) -> bool:
        return self.out_for > 0

    @property
    def out_for(self) -> float:
        """Seconds until anything passes again."""
        outage = self.outage
        if outage is None or self.passed < outage.begin:
            return 0.0
        return max(outage.begin + outage.seconds - self.passed, 0.0)

    def begin(self, flow: Flow) -> None:
        self.flows[flow] = None
        flow.begin()
        self.change()

    def end(self, flow: Flow) -> None:
        flow.stop()
        if self.flows.pop(flow, self) is None:
            self.change()

    def change(self) -> None:
        """Somebody comes or goes: shares are computed anew, once a turn."""
        if not self._is_changed:
            self._is_changed = True
            self._loop.call_soon(self._share)

    def change_soon(self) -> None:
        """Somebody may use more, or less, than before."""
        if self._later is None:
            self._later = self._loop.call_later(SOON, self._share)

    def _share(self) -> None:
        self._is_changed = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        claims = [(flow.most, flow.connection.host) for flow in self.flows]
        for flow, rate in zip(self.flows, self._shares(claims), strict=True):
            flow.move(rate)

    def _shares(self, claims: list[tuple[float, Host]]) -> list[float]:
        if self.is_out:
            return [0.0] * len(claims)
        wanted: dict[Host, float] = defaultdict(float)
        crowd: dict[Host, int] = defaultdict(int)
        for most, host in claims:
            wanted[host] += most
            crowd[host] += 1
        uplinks: dict[Hashable, float] = {
            host: host.site.capacity(count) for host, count in crowd.items()
        }
        fits = all(uplinks[host] >= total for host, total in wanted.items())
        if fits and sum(wanted.values()) <= self.downlink:
            return [most for most, _ in claims]
        return fair(claims, uplinks, self.downlink)
