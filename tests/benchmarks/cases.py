"""The rows of the contract: what is fetched, by whom, and how good is good enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.lossy import LossySite
from tests.benchmarks.peers import BUFFER, MIB, OURS, Take
from tests.benchmarks.sites import NginxSite, Nothing, OriginSite, Scheme, Site

MB = 1_000_000
GIB = 1 << 30
NO_SLOWER = 1 / 0.97


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
    lanes: int = 16
    take: Take | None = None
    """Instead of that of the case."""


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
    beside: tuple[Entrant, ...] = ()
    """Those who do something else, for comparison."""
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
        yield from self.beside


def undisturbed(site: Site, lanes: int) -> tuple[Entrant]:
    """Ours once more, where nothing is slow."""
    return (Entrant(peer=OURS, label="undisturbed", site=site, lanes=lanes),)


def rows(size: int = GIB) -> Iterator[Case]:
    """All of them, with files of `size` where the contract says 1 GiB."""
    yield from _loopback(size)
    yield from _shaped(size)
    yield from _many()
    yield from _memory(size)
    yield from _starting()
    yield from _http2(size)
    yield from _bottleneck(size // 4)
    yield from _crawling(size // 2)
    yield from _lossy(size // 16)
    yield from _distant(size // 2)
    yield from _crowd()


def _loopback(size: int) -> Iterator[Case]:
    plain, tls = NginxSite("http", size), NginxSite("https", size)
    yield Case(
        row=1,
        work="nginx on loopback to disk, 16 lanes",
        take=Take.DISK,
        site=plain,
        rivals=("aria2c", "axel", "curl", "HydraStream"),
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


SHAPED = {Take.DISK: ("aria2c", "axel", "HydraStream"), Take.PIPE: ("HydraStream",)}
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
            beside=undisturbed(OriginSite(size // 2, rate=10 * MB), 8),
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


def _http2(size: int) -> Iterator[Case]:
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=11,
            work=f"HTTP/2 over TLS, nginx on loopback, 16 lanes, {take.name.lower()}",
            take=take,
            site=NginxSite("h2", size),
            rivals=("curl",),
            bars=(Bar(measure="wall", rival="curl"),),
        )


def _bottleneck(size: int) -> Iterator[Case]:
    """More than one connection is of no use here, and must not do any harm."""
    for row, refusing, most in (
        (12, "", None),
        (13, ", more than 8 connections told 429", 8),
    ):
        site = OriginSite(size, uplink=25 * MB, most=most)
        alone = Entrant(peer=OURS, label="one lane", site=site, lanes=1)
        bars = tuple(
            Bar(measure="wall", factor=NO_SLOWER, rival=rival)
            for rival in (alone.label, "curl")
        )
        yield Case(
            row=row,
            work=f"25 MB/s for all connections together{refusing}",
            take=Take.DISK,
            site=site,
            rivals=("aria2c", "axel", "curl"),
            beside=(alone,),
            bars=bars if most is None else (*bars, Bar(measure="refused", plus=16)),
            patience=60.0,
        )


def _crawling(size: int) -> Iterator[Case]:
    """Whoever waits for slow answers, waits for hours."""
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=14,
            work=f"every 6th request at 30 KB/s, 8 lanes of 10 MB/s, {take.name.lower()}",
            take=take,
            site=OriginSite(size, rate=10 * MB, crawling=(6, 30_000)),
            lanes=8,
            beside=undisturbed(OriginSite(size, rate=10 * MB), 8),
            bars=(Bar(measure="wall", factor=1.15, rival="undisturbed"),),
            patience=60.0,
        )


def _lossy(size: int) -> Iterator[Case]:
    wire = {"loss": 0.01, "delay": 0.01}
    whole, part = (LossySite(share, **wire) for share in (size, size // 8))
    aria2c, curl = (
        Entrant(peer="aria2c", label="aria2c to disk", site=whole, take=Take.DISK),
        Entrant(peer="curl", label="curl, an eighth", site=part),
    )
    for take, rivals, beside, rival in (
        (Take.DISK, ("aria2c", "axel"), (curl,), "aria2c"),
        (Take.PIPE, (), (curl, aria2c), aria2c.label),
    ):
        yield Case(
            row=15,
            work=f"nginx, 1 % loss, 20 ms there and back, {take.name.lower()}",
            take=take,
            site=whole,
            rivals=rivals,
            beside=beside,
            bars=(Bar(measure="rate", rival=rival, at_least=True),),
        )


def _distant(size: int) -> Iterator[Case]:
    for take in (Take.DISK, Take.PIPE):
        yield Case(
            row=16,
            work=f"300 ms per response, 4 MB/s per connection, {take.name.lower()}",
            take=take,
            site=OriginSite(size, rate=4 * MB, latency=0.3),
            rivals=SHAPED[take],
            bars=(Bar(measure="rate", plus=0.90 * 16 * 4 * MB, at_least=True),),
        )


def _crowd() -> Iterator[Case]:
    for work, site, factor in (
        (
            "20 ms before each response",
            OriginSite(16 << 10, files=20_000, latency=0.02),
            1.0,
        ),
        ("nginx on bare loopback", NginxSite("http", 16 << 10, files=20_000), 0.5),
    ):
        yield Case(
            row=17,
            work=f"20,000 files of 16 KiB, {work}",
            take=Take.DISK,
            site=site,
            rivals=("aria2c",),
            bars=(
                Bar(measure="files", factor=factor, rival="aria2c", at_least=True),
                Bar(measure="rss", plus=150 * MB),
            ),
            rounds=1,
            patience=85.0,
        )
