"""The ideal: what nobody could do better, who knew everything about the network.

One file: the first request must be answered before others can ask, as nobody knows
the file before. All other lanes have connected meanwhile, each to whoever serves it,
and ask at once; each begins as slowly as TCP does. Nothing crawls, breaks or is
refused, as who knows it all avoids it; an outage costs its seconds. A stream is
bounded by its buffer: the more lanes share it, the shorter is what each may ask for,
and the larger the part of the time in which it waits for an answer.

Many files: as many lanes as files may be at work at the same time, each asking again
as soon as it has its answer, and no faster than all bytes fit through what is shared.
"""

from __future__ import annotations

from math import inf, log2

from engine.config import MOST_JOBS, MOST_LANES, Config
from tests.benchmarks.simulation.shapes import Shape
from tests.benchmarks.simulation.sites import FIRST_WINDOW, Site

STEP = 0.002
"""Seconds that the beginning is computed in."""


def ideal(shape: Shape) -> float:
    """Seconds from nothing to the last byte."""
    best = _of_many(shape) if shape.files else _of_one(shape)
    if shape.limit is not None:
        best = max(best, shape.total / shape.limit)
    if shape.outage is not None:
        best += shape.outage.seconds
    return best


def _of_one(shape: Shape) -> float:
    begun, left = _beginning(shape)
    return begun + left / _steady(shape)


def _steady(shape: Shape) -> float:
    """Of all together, once all are as fast as they can be."""
    sites = list(shape.sites.values())
    rate = _rate(shape, sites, inf)
    if not shape.is_stream or len(sites) > 1 or sites[0].lane == inf:
        return rate
    (site,) = sites
    return min(rate, max(_in_order(site, n) for n in range(1, _lanes(site, shape) + 1)))


def _in_order(site: Site, lanes: int) -> float:
    """What so many lanes bring that share a buffer, each a part of it in its hands."""
    part = Config().buffer / lanes
    return lanes * part / (part / site.lane + site.rtt + site.think)


def _beginning(shape: Shape) -> tuple[float, float]:
    """When all are as fast as they can be, and the bytes that are left then."""
    sites = list(shape.sites.values())
    first = sites[0]
    answered = (first.handshakes + 1) * first.rtt + first.think
    left, now, steady = float(shape.size), answered, _steady(shape)
    settled = answered + max(
        _ramp(site, shape) + site.rtt + site.think for site in sites
    )
    while left > 0 and now < settled:
        left -= STEP * min(_rate(shape, sites, now - answered), steady)
        now += STEP
    return now, max(left, 0.0)


def _lanes(site: Site, shape: Shape) -> int:
    if site.crowding:
        return 1
    return min(shape.threads or MOST_LANES, site.most or MOST_LANES)


def _ramp(site: Site, shape: Shape) -> float:
    """Seconds in which a lane becomes as fast as it can be."""
    most = min(site.lane, site.uplink, shape.downlink)
    return site.rtt * (2 + max(log2(most * site.rtt / FIRST_WINDOW), 0))


def _rate(shape: Shape, sites: list[Site], since: float) -> float:
    """Of all together, so long after the first answer."""
    rates = [
        _of_site(shape, site, since, is_first=number == 0)
        for number, site in enumerate(sites)
    ]
    return min(sum(rates), shape.downlink)


def _of_site(shape: Shape, site: Site, since: float, *, is_first: bool) -> float:
    lanes = _lanes(site, shape)
    asked = since - site.rtt - site.think
    later = _of_lane(site, asked)
    first = _of_lane(site, since) if is_first else later
    others = (lanes - 1) * later if lanes > 1 else 0.0
    return min(first + others, site.uplink)


def _of_lane(site: Site, since: float) -> float:
    if since < 0:
        return 0.0
    if since == inf:
        return site.lane
    window: float = FIRST_WINDOW * 2.0 ** (1 + min(since / site.rtt, 60) // 1)
    return min(site.lane, window / site.rtt)


def _of_many(shape: Shape) -> float:
    site = next(iter(shape.sites.values()))
    count = shape.hosts * sum(files.count for files in shape.files)
    together = min(MOST_JOBS, count, site.most or MOST_JOBS)
    connecting = site.handshakes * site.rtt * max(shape.hosts / together, 1)
    asking = (site.rtt + site.think) * count / together
    lanes = min(MOST_LANES, site.most or MOST_LANES) * shape.hosts
    rate = min(lanes * site.lane, site.uplink * shape.hosts, shape.downlink)
    return max(
        connecting + asking, shape.total / rate + (site.handshakes + 1) * site.rtt
    )
