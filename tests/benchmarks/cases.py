"""The rows of the contract: what is fetched, by whom, and how good is good enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.peers import BUFFER, MIB, OURS, Take
from tests.benchmarks.sites import NginxSite, Nothing, OriginSite, Scheme, Site

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """`measure` of ours against `factor` times that of `rival`, and `plus`."""

    measure: str
    """A field of Sample."""
    rival: str | None = None
    """The label of an entrant."""
    factor: float = 1.0
    plus: float = 0.0
    at_least: bool = False

    def limit(self, rival: float) -> float:
        return (self.factor * rival if self.rival else 0.0) + self.plus

    def met(self, ours: float, limit: float) -> bool:
        return ours >= limit if self.at_least else ours <= limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A program in a case."""

    peer: str
    label: str
    site: Site
    lanes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing done by several programs; the first is the one that is judged."""

    row: int
    work: str
    take: Take
    site: Site
    lanes: int = 16
    rivals: tuple[str, ...] = ()
    """Names of peers that do the same."""
    undisturbed: Site | None = None
    """Where ours does it once more, for comparison."""
    bars: tuple[Bar, ...]
    repeats: int = 1
    """Runs in each round; what takes milliseconds needs more of them."""
    rounds: int | None = None
    """Instead of as many as were asked for."""
    patience: float = 180.0
    """Seconds for one run."""

    @property
    def entrants(self) -> Iterator[Entrant]:
        for peer in (OURS, *self.rivals):
            yield Entrant(peer=peer, label=peer, site=self.site, lanes=self.lanes)
        if self.undisturbed is not None:
            yield Entrant(
                peer=OURS,
                label="undisturbed",
                site=self.undisturbed,
                lanes=self.lanes,
            )


def rows(size: int) -> Iterator[Case]:
    """All of them, with files of `size` where the contract says 1 GiB."""
    yield from _loopback(size)
    yield from _shaped(size)
    yield from _many()
    yield from _memory(size)
    yield from _starting()


def _loopback(size: int) -> Iterator[Case]:
    plain, tls = NginxSite("http", size), NginxSite("https", size)
    yield Case(
        row=1,
        work="nginx on loopback to disk, 16 lanes",
        take=Take.DISK,
        site=plain,
        rivals=("aria2c", "curl", "HydraStream"),
        bars=(
            Bar(measure="wall", factor=0.9, rival="aria2c"),
            Bar(measure="cpu", rival="aria2c"),
        ),
    )
    yield Case(
        row=2,
        work="the same, HTTPS",
        take=Take.DISK,
        site=tls,
        rivals=("aria2c", "curl", "HydraStream"),
        bars=(Bar(measure="wall", factor=0.7, rival="aria2c"),),
    )
    yield Case(
        row=3,
        work="streamed through a pipe, | cat, 16 lanes",
        take=Take.PIPE,
        site=plain,
        rivals=("curl", "HydraStream"),
        bars=(Bar(measure="wall", rival="curl"),),
    )


SHAPED = {Take.DISK: ("aria2c", "HydraStream"), Take.PIPE: ("HydraStream",)}
"""Who else can do it, where the origin sets the pace."""


def _shaped(size: int) -> Iterator[Case]:
    """Origins whose manners decide how fast anybody can be."""
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=4,
            work=f"10 MB/s per connection, 16 lanes, {take.name.lower()}",
            take=take,
            site=OriginSite(size, rate=10 * MB),
            rivals=SHAPED[take],
            bars=(Bar(measure="rate", plus=0.95 * 160 * MB, at_least=True),),
        )
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=5,
            work=f"100 ms per response, 4 MB/s per connection, {take.name.lower()}",
            take=take,
            site=OriginSite(size // 2, rate=4 * MB, latency=0.1),
            rivals=SHAPED[take],
            bars=(Bar(measure="rate", plus=0.90 * 16 * 4 * MB, at_least=True),),
        )
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=6,
            work=f"1 of 8 lanes at 50 KB/s, others at 10 MB/s, {take.name.lower()}",
            take=take,
            site=OriginSite(size // 2, rate=10 * MB, slow=(8, 50_000)),
            lanes=8,
            rivals=SHAPED[take],
            undisturbed=OriginSite(size // 2, rate=10 * MB),
            bars=(Bar(measure="wall", factor=1.15, rival="undisturbed"),),
            patience=60.0,
        )


def _many() -> Iterator[Case]:
    origin = OriginSite(64 << 10, files=2000, latency=0.02)
    for work, site, factor in (
        ("20 ms before each response", origin, 1.0),
        ("nginx on bare loopback", NginxSite("http", 64 << 10, files=2000), 0.5),
    ):
        yield Case(
            row=7,
            work=f"2,000 files of 64 KiB, {work}",
            take=Take.DISK,
            site=site,
            rivals=("aria2c", "HydraStream"),
            bars=(Bar(measure="files", factor=factor, rival="aria2c", at_least=True),),
            patience=30.0,
        )


def _memory(size: int) -> Iterator[Case]:
    schemes: tuple[Scheme, ...] = ("http", "https", "h2")
    for scheme in schemes:
        for lanes, margin in ((1, 60), (16, 60), (128, 110)):
            yield Case(
                row=8,
                work=f"memory, reader of 5 MB/s, {scheme}, {lanes} lanes",
                take=Take.SLOW,
                site=NginxSite(scheme, size),
                lanes=lanes,
                rivals=("HydraStream",) if lanes == 16 else (),
                bars=(Bar(measure="rss", plus=BUFFER + margin * MB),),
                rounds=1,
            )
    yield Case(
        row=8,
        work="memory, reader of 5 MB/s, 1 of 16 lanes at 50 KB/s",
        take=Take.SLOW,
        site=OriginSite(size, rate=10 * MB, slow=(16, 50_000)),
        bars=(Bar(measure="rss", plus=BUFFER + 60 * MB),),
        rounds=1,
    )


def _starting() -> Iterator[Case]:
    for work, site in (
        ("nginx on loopback", NginxSite("http", 16 * MIB)),
        ("100 ms before each response", OriginSite(MIB, latency=0.1)),
    ):
        yield Case(
            row=9,
            work=f"first byte on stdout, {work}",
            take=Take.FIRST,
            site=site,
            rivals=("curl", "HydraStream"),
            bars=(Bar(measure="first", factor=1.3, rival="curl", plus=0.220),),
            repeats=3,
        )
    yield Case(
        row=10,
        work="--version",
        take=Take.VERSION,
        site=Nothing(),
        rivals=("aria2c", "curl", "HydraStream"),
        bars=(Bar(measure="wall", plus=0.080),),
        repeats=5,
    )
    yield Case(
        row=10,
        work="--stream imports no Textual",
        take=Take.IMPORTS,
        site=NginxSite("http", 16 * MIB),
        bars=(Bar(measure="textual"),),
        rounds=1,
    )
