"""What a network is like: frozen values, in seconds and bytes per second."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

SEGMENT = 1448
"""Bytes that one packet carries."""
FIRST_WINDOW = 10 * SEGMENT
"""Bytes that a new connection sends before it hears anything (RFC 6928)."""
MATHIS = 1.22


@dataclass(frozen=True, slots=True)
class Every:
    """One in so many connections, or requests, crawls at `rate`."""

    one_in: int
    rate: float
    of_requests: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """One in so many connections breaks after some bytes: reset, or silent for ever."""

    one_in: int
    after: int
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Storm:
    """From `begin` on, for `seconds`, every request is refused."""

    begin: float
    seconds: float
    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server, and the way there."""

    rtt: float
    handshakes: float = 2.0
    """Round trips until a connection stands: one for TCP, one for TLS 1.3."""
    think: float = 0.0
    """Seconds before each answer, besides the way."""
    cap: float = inf
    """Of each connection."""
    uplink: float = inf
    """Of all of them together."""
    crowding: float = 0.0
    """Share of the uplink that each further connection costs everybody."""
    loss: float = 0.0
    """Share of packets."""
    most: int | None = None
    """Requests it serves at a time; more are refused with 429."""
    crawls: Every | None = None
    breaks: Break | None = None
    storm: Storm | None = None

    @property
    def lane(self) -> float:
        """What one connection brings at best, alone."""
        if not self.loss:
            return self.cap
        return min(self.cap, MATHIS * SEGMENT / (self.rtt * sqrt(self.loss)))

    def capacity(self, connections: int) -> float:
        """Of the uplink, with so many on it."""
        return self.uplink / (1 + self.crowding * max(connections - 1, 0))


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing passes for some seconds."""

    begin: float
    seconds: float
