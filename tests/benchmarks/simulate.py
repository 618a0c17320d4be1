"""`python -m tests.benchmarks.simulate`: how near the engine comes to the ideal.

The whole table takes minutes of CPU and no network; the same seeds give the same
numbers on every machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import process_time

from engine import Event
from tests.benchmarks.simulation.shapes import Shape, long_shapes, shapes
from tests.benchmarks.simulation.world import Result, simulate

EXPECTED = Path(__file__).parent / "simulation" / "expected.json"
TOLERANCE = 0.005
"""Efficiency that may be lost unnoticed."""
ROW = "{:24} {:>8} {:>8} {:>6} {:>8} {:>6} {:>5} {:>8} {:>5} {:>7} {:>6}  {}"
HEAD = (
    "shape", "ideal s", "took s", "eff", "requests", "conns", "429s", "twice MB",
    "lanes", "held MB", "spread", "",
)  # fmt: skip


def main() -> int:
    options = _parser().parse_args()
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    print(ROW.format(*HEAD).rstrip())
    began, results = process_time(), []
    for shape in _chosen(options):
        results.append(simulate(shape, _print if options.trace else None))
        print(_line(results[-1], expected), flush=True)
    print(*_summary(results, process_time() - began), sep="\n")
    if options.accept:
        _accept(results, expected)
    return int(options.check and any(_is_worse(one, expected) for one in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.simulate", description=__doc__
    )
    add = parser.add_argument
    add("--only", metavar="NAME", help="shapes whose names begin with it")
    add("--long", action="store_true", help="those that take minutes as well")
    add("--trace", action="store_true", help="print what the engine tells")
    add("--check", action="store_true", help="exit 1 when one is worse than expected")
    add("--accept", action="store_true", help="expect from now on what was found")
    return parser


def _chosen(options: argparse.Namespace) -> Iterator[Shape]:
    is_wide = options.long or options.only
    all_ = (*shapes(), *(long_shapes() if is_wide else ()))
    return (shape for shape in all_ if shape.name.startswith(options.only or ""))


def _line(result: Result, expected: Mapping[str, float]) -> str:
    words = [
        "BELOW" if result.is_weak else "",
        "WORSE" if _is_worse(result, expected) else "",
    ]
    return ROW.format(
        result.shape.name,
        f"{result.ideal:.2f}",
        f"{result.took:.2f}",
        f"{result.efficiency:.3f}",
        f"{result.requests:.0f}",
        f"{result.connections:.0f}",
        f"{result.refused:.0f}",
        f"{result.twice / 1e6:.1f}",
        f"{result.lanes:.0f}",
        f"{result.held / 1e6:.1f}",
        f"{result.spread:.2f}" if result.shape.files else "",
        " ".join(filter(None, words)),
    ).rstrip()


def _summary(results: list[Result], seconds: float) -> Iterator[str]:
    weak = sum(result.is_weak for result in results)
    yield f"{len(results)} shapes, {weak} below target; {seconds:.0f} s of CPU"


def _is_worse(result: Result, expected: Mapping[str, float]) -> bool:
    return result.efficiency < expected.get(result.shape.name, 0.0) - TOLERANCE


def _accept(results: Iterable[Result], expected: Mapping[str, float]) -> None:
    found = {one.shape.name: round(one.efficiency, 3) for one in results}
    EXPECTED.write_text(json.dumps({**expected, **found}, indent=1) + "\n")


def _print(seconds: float, event: Event) -> None:
    print(f"{seconds:9.3f}  {event.kind:9} {event.text}")


if __name__ == "__main__":
    sys.exit(main())
