"""What is computed of networks: the clock, the shares, the slow beginning."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import engine.transfer
from tests.benchmarks.simulation import clock
from tests.benchmarks.simulation.network import Connection, Flow, Network, fair
from tests.benchmarks.simulation.physics import ideal
from tests.benchmarks.simulation.shapes import Files, Shape, one
from tests.benchmarks.simulation.sites import FIRST_WINDOW, Outage, Site
from tests.benchmarks.simulation.world import simulate

MEGA = 1e6
TINY = one("tiny", Site(rtt=0.02, cap=4 * MEGA), 40 * MEGA)


# -- the clock -------------------------------------------------------------------


def test_an_hour_passes_at_once() -> None:
    """Who sleeps is woken on time, and nobody has waited."""

    async def main() -> tuple[float, float]:
        began = vars(engine.transfer)["monotonic"]()
        await asyncio.sleep(3600)  # of virtual time
        return began, vars(engine.transfer)["monotonic"]()

    began = time.monotonic()
    first, last = clock.run(main, seed=1)
    assert last - first == pytest.approx(3600)
    assert time.monotonic() - began < 5
    assert vars(engine.transfer)["monotonic"] is time.monotonic


def test_standstill_is_an_error() -> None:
    """Nobody waits for ever for what no timer will bring."""
    with pytest.raises(clock.StandstillError):
        clock.run(lambda: asyncio.Event().wait(), seed=1)


# -- the shares ------------------------------------------------------------------


def test_what_is_shared_is_shared_evenly() -> None:
    """Who wants less than an even share gets that; the others divide the rest."""
    claims = [(1.0, "a"), (9.0, "a"), (9.0, "a"), (9.0, "b")]
    assert fair(claims, {"a": 5.0, "b": 9.0}, 100.0) == [1.0, 2.0, 2.0, 9.0]
    assert fair(claims, {"a": 5.0, "b": 9.0}, 8.0) == [1.0, 2.0, 2.0, 3.0]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from("ab")), max_size=12),
    st.floats(0, 200),
    st.floats(0, 200),
)
def test_nobody_gets_what_is_not_there(
    claims: list[tuple[float, str]], uplink: float, downlink: float
) -> None:
    """Not more than is wanted, nor than fits through any link; and nothing is wasted."""
    rates = fair(claims, {"a": uplink, "b": 50.0}, downlink)
    of = {
        link: sum(r for r, (_, at) in zip(rates, claims, strict=True) if at == link)
        for link in "ab"
    }
    assert of["a"] <= uplink + 1e-6
    assert of["b"] <= 50 + 1e-6
    assert sum(rates) <= downlink + 1e-6
    full = {"a": of["a"] >= uplink - 1e-6, "b": of["b"] >= 50 - 1e-6}
    for rate, (most, link) in zip(rates, claims, strict=True):
        assert rate <= most
        assert rate >= most - 1e-6 or full[link] or sum(rates) >= downlink - 1e-6


# -- one connection --------------------------------------------------------------


Arrivals = list[tuple[float, int]]


def arrivals(site: Site, size: int, outage: Outage | None = None) -> Arrivals:
    """When so many bytes came, and how many at a time."""

    async def main() -> Arrivals:
        network = Network({"host": site}, 1000 * MEGA, outage, seed=1)
        came: Arrivals = []
        ended = asyncio.Event()

        def arrive(count: int) -> None:
            came.append((network.passed, count))
            if not flow.left:
                ended.set()

        flow = Flow(
            network,
            Connection(network.hosts["host"], 1),
            size,
            float("inf"),
            arrive,
        )
        network.begin(flow)
        await ended.wait()
        return came

    return clock.run(main, seed=1)


def test_a_connection_begins_slowly() -> None:
    """Each round trip brings twice as much as the one before."""
    came = arrivals(Site(rtt=1.0), 100 * FIRST_WINDOW)
    brought = [sum(size for at, size in came if at < end) for end in (1, 2, 3, 4)]
    windows = [round(size / FIRST_WINDOW) for size in brought]
    assert windows == [3, 7, 15, 31]


def test_loss_bounds_a_connection() -> None:
    """The more is lost, and the farther it is, the less it brings (Mathis)."""
    site = Site(rtt=0.1, loss=0.01)
    assert site.lane == pytest.approx(176_656)
    assert arrivals(site, 1_000_000)[-1][0] == pytest.approx(1e6 / site.lane, rel=0.4)


def test_nothing_passes_in_an_outage() -> None:
    """What was on its way waits until it is over."""
    came = arrivals(Site(rtt=0.01, cap=MEGA), 3_000_000, Outage(1.0, 5.0))
    assert not [at for at, _ in came if 1.01 < at < 6.0]
    assert came[-1][0] == pytest.approx(8.0, abs=0.1)


# -- the whole -------------------------------------------------------------------


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_tiny_shape(*, is_stream: bool) -> None:
    """The engine fetches it whole, no faster than is possible, within its memory."""
    found = simulate(replace(TINY, is_stream=is_stream))
    assert 0.3 < found.efficiency <= 1.0
    assert found.connections > 1
    assert found.held <= 64 * 1024 * 1024 + 4 * MEGA


def test_many_files() -> None:
    """Each of them is fetched once."""
    files = (Files(count=20, size=50_000),)
    shape = Shape(name="few", sites={"host": Site(rtt=0.02)}, files=files, hosts=2)
    found = simulate(shape)
    assert found.requests == 40
    assert 0.1 < found.efficiency <= 1.0


def test_a_server_with_a_limit_refuses() -> None:
    """Who asks for more at a time than it serves is told so."""
    site = Site(rtt=0.02, cap=MEGA, most=2)
    found = simulate(one("two", site, 20 * MEGA))
    assert found.refused > 0
    assert ideal(found.shape) == pytest.approx(10, abs=0.3)


def test_the_same_seed_gives_the_same_run() -> None:
    """Nothing depends on the machine."""
    lossy = one("lossy", Site(rtt=0.03, loss=0.001, most=6), 40 * MEGA)
    assert simulate(lossy) == simulate(lossy)


def test_the_engine_knows_nothing_of_it() -> None:
    """What is judged is what ships."""
    sources = Path(engine.transfer.__file__).parent.rglob("*.py")
    assert not [path for path in sources if "simulat" in path.read_text()]
