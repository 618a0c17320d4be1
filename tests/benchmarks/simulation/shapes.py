"""What is simulated: each shape a value, with the name it is known by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tests.benchmarks.simulation.sites import Break, Every, Outage, Site, Storm

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MEGA = 1e6
GIGABIT = 125 * MEGA
TARGET, TARGET_OF_ONE = 0.95, 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """So many files of a size on each host."""

    count: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Some work over some network."""

    name: str
    sites: Mapping[str, Site]
    """By host; several are mirrors of one file, unless there are many files."""
    size: int = 0
    """Of the one file, where there is one."""
    files: tuple[Files, ...] = ()
    hosts: int = 1
    """That have the files; all are like the one site."""
    is_stream: bool = False
    downlink: float = GIGABIT
    threads: int | None = None
    limit: float | None = None
    outage: Outage | None = None
    seeds: int = 1
    target: float = TARGET

    @property
    def total(self) -> int:
        each = sum(files.count * files.size for files in self.files)
        return self.size + self.hosts * each


def _ms(milliseconds: int) -> float:
    return milliseconds / 1000


def one(name: str, site: Site, size: float, **more: object) -> Shape:
    values = {"name": name, "sites": {"host": site}, "size": int(size), **more}
    return Shape(**values)  # type: ignore[arg-type]


def both(shape: Shape) -> Iterator[Shape]:
    """To a disk, and to a reader."""
    yield replace(shape, name=f"{shape.name} disk")
    yield replace(shape, name=f"{shape.name} stream", is_stream=True)


def _one_is_best() -> Iterator[Shape]:
    for rtt in (10, 50):
        site = Site(rtt=_ms(rtt), uplink=12.5 * MEGA)
        yield from both(one(f"one {rtt}ms", site, 500 * MEGA, target=TARGET_OF_ONE))
    site = Site(rtt=_ms(50), uplink=12.5 * MEGA, crowding=0.1)
    yield from both(one("one crowded", site, 500 * MEGA, target=TARGET_OF_ONE))


def _shared(*losses: float) -> Iterator[Shape]:
    for rtt in (1, 30, 100, 300):
        for loss in losses:
            site = Site(rtt=_ms(rtt), loss=loss)
            size = min(30 * GIGABIT, 30 * 128 * site.lane)
            name = f"gigabit {rtt}ms {loss:.2%}" if loss else f"gigabit {rtt}ms"
            yield from both(one(name, site, size))


def _capped(*caps: int) -> Iterator[Shape]:
    for cap in caps:
        for rtt in (1, 100, 300):
            for threads in (16, None):
                site = Site(rtt=_ms(rtt), cap=cap * MEGA)
                size = 40 * min((threads or 128) * cap * MEGA, GIGABIT)
                name = f"cap {cap} {rtt}ms {threads or 'auto'}"
                yield from both(one(name, site, size, threads=threads))


def _limited() -> Iterator[Shape]:
    for most in (4, 8, 20):
        for rtt in (30, 100):
            site = Site(rtt=_ms(rtt), cap=4 * MEGA, most=most)
            name = f"only {most} {rtt}ms"
            yield from both(one(name, site, 60 * most * 4 * MEGA))


def _slow_to_answer() -> Iterator[Shape]:
    site = Site(rtt=_ms(1), think=0.1, cap=4 * MEGA)
    yield from both(one("think 100ms 16", site, 40 * 64 * MEGA, threads=16))
    yield from both(one("think 100ms auto", site, 40 * GIGABIT))


def _straggling() -> Iterator[Shape]:
    base = Site(rtt=_ms(20), cap=10 * MEGA)
    size = 40 * 80 * MEGA
    lane = replace(base, crawls=Every(8, 50e3))
    yield from both(one("crawling lane", lane, size, threads=8, seeds=2))
    request = replace(base, crawls=Every(6, 30e3, of_requests=True))
    yield from both(one("crawling requests", request, size, threads=8, seeds=2))
    stall = replace(base, breaks=Break(8, 3 * MIB, silent=True))
    yield from both(one("stalling lane", stall, size, threads=8))


def _refusing() -> Iterator[Shape]:
    base = Site(rtt=_ms(30), cap=8 * MEGA)
    size = 60 * 64 * MEGA
    storm = replace(base, storm=Storm(10, 10, 429))
    yield from both(one("storm of 429", storm, size, threads=8))
    later = replace(base, storm=Storm(10, 1, 503, retry_after=5))
    yield from both(one("503 come later", later, size, threads=8))
    resets = replace(base, breaks=Break(10, 3 * MIB))
    yield from both(one("resets", resets, size, threads=8))
    yield from both(one("resets auto", resets, 60 * GIGABIT))


def _out() -> Iterator[Shape]:
    site = Site(rtt=_ms(30), cap=8 * MEGA)
    outage = Outage(20, 20)
    yield from both(one("outage", site, 60 * 64 * MEGA, threads=8, outage=outage))
    yield from both(one("outage auto", site, 40 * GIGABIT, outage=outage))


def _mirrored() -> Iterator[Shape]:
    fast = Site(rtt=_ms(20), uplink=40 * MEGA)
    other = Site(rtt=_ms(80), uplink=20 * MEGA)
    third = Site(rtt=_ms(40), cap=2 * MEGA)
    slow = Site(rtt=_ms(100), uplink=0.3 * MEGA)
    for name, sites, rate in (
        ("mirrors 40+20", (fast, other), 60),
        ("mirrors 20+40", (other, fast), 60),
        ("mirrors 40+20+n2", (fast, other, third), 125),
        ("mirrors 40+0.3", (fast, slow), 40),
        ("mirrors 0.3+40", (slow, fast), 40),
    ):
        named = {f"host{number}": site for number, site in enumerate(sites)}
        yield from both(Shape(name=name, sites=named, size=int(40 * rate * MEGA)))


def _many() -> Iterator[Shape]:
    near = Site(rtt=_ms(20), handshakes=2)
    for name, hosts, files in (
        ("1x2000x64Ki", 1, (Files(count=2000, size=64 * KIB),)),
        ("1x20000x16Ki", 1, (Files(count=20_000, size=16 * KIB),)),
        ("100x100x1Mi", 100, (Files(count=100, size=MIB),)),
        ("1000x10x64Ki", 1000, (Files(count=10, size=64 * KIB),)),
        ("1x40x64Mi", 1, (Files(count=40, size=64 * MIB),)),
    ):
        yield Shape(name=f"many {name}", sites={"host": near}, files=files, hosts=hosts)
    capped = replace(near, cap=4 * MEGA)
    mix = (Files(count=1, size=10 * GIB), Files(count=1000, size=64 * KIB))
    yield Shape(name="many 10Gi+1000", sites={"host": near}, files=mix)
    yield Shape(name="many 10Gi+1000 capped", sites={"host": capped}, files=mix)
    few = (Files(count=3, size=int(200 * MEGA)),)
    yield Shape(name="many limit", sites={"host": near}, files=few, limit=10 * MEGA)


def _far() -> Iterator[Shape]:
    near = Site(rtt=_ms(20))
    for name, hosts, files in (
        ("10000x10x16Ki", 10_000, (Files(count=10, size=16 * KIB),)),
        ("1x100000x16Ki", 1, (Files(count=100_000, size=16 * KIB),)),
    ):
        yield Shape(name=f"far {name}", sites={"host": near}, files=files, hosts=hosts)


def shapes() -> tuple[Shape, ...]:
    """All that the table shows, if nothing else is asked for."""
    return (
        *_one_is_best(),
        *_shared(0.0, 0.001),
        *_capped(1, 10),
        *_limited(),
        *_slow_to_answer(),
        *_straggling(),
        *_refusing(),
        *_out(),
        *_mirrored(),
        *_many(),
    )


def long_shapes() -> tuple[Shape, ...]:
    """More of the same, which takes minutes to compute, and is run when asked for."""
    return (*_shared(0.0001, 0.01), *_capped(4), *_far())
