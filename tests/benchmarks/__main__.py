"""`python -m tests.benchmarks`: the table of how fast, against peers that are here."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.benchmarks import table
from tests.benchmarks.cases import GIB, Case, rows
from tests.benchmarks.harness import Bench, Outcome
from tests.benchmarks.peers import PEERS, Program, version

MULTIPLES = {"K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

BRIEFLY = 15.0
"""Seconds in which the memory of a stream has long reached its height."""

TMPFS = Path("/dev/shm")


def main() -> int:
    options = _parser().parse_args()
    chosen = [*_chosen(options.only, options.size)]
    if options.rows:
        _say(table.contents(chosen))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers end with us
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=_place()) as folder:
        bench = Bench(
            programs=_located(dict(options.program)),
            scratch=Path(folder),
            rounds=options.rounds,
            seconds=math.inf if options.full else BRIEFLY,
        )
        _say(_header(bench))
        outcomes = []
        for case in chosen:
            outcomes.append(bench.run(case))
            _say(table.report(outcomes[-1]))
    _say(table.summary(outcomes))
    if options.json:
        options.json.write_text(json.dumps([*map(table.record, outcomes)], indent=1))
    return exit_code(outcomes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure hydra-tui against its peers, in one run.",
        epilog="Exit code 1 when a run failed or gave wrong bytes; "
        "a bar that is not met is a result.\n\nRows:\n" + "\n".join(_works()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", type=_rows, metavar="ROW[,ROW]", help="these rows alone")
    add("--rows", action="store_true", help="what each row does, and no more")
    add("--rounds", type=int, default=3, help="runs of each program (%(default)s)")
    add("--size", type=_size, default="1Gi", help="of the big files (%(default)s)")
    add("--full", action="store_true", help="slow readers read to the end (row 8)")
    add("--json", type=Path, metavar="FILE", help="every sample, as JSON")
    add(
        "--program",
        type=_program,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"where one of {', '.join(PEERS)} is",
    )
    return parser


def _works() -> Iterator[str]:
    """The rows of the help text."""
    for case in rows(GIB):
        yield f"{case.row:4}  {case.work}"


def _rows(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]i?)?B?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 256Mi or 1G")
    return int(found[1]) * MULTIPLES.get(found[2], 1)


def _program(text: str) -> tuple[str, Program]:
    name, _, path = text.partition("=")
    if name not in PEERS or not path:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PATH of a known program"
        )
    return name, (path,)


def _place() -> Path | None:
    """Memory where there is some that is a file system, so that no disk is measured."""
    return TMPFS if os.access(TMPFS, os.W_OK) else None


def _located(given: dict[str, Program]) -> dict[str, Program]:
    found = {name: given.get(name) or peer.locate() for name, peer in PEERS.items()}
    return {name: program for name, program in found.items() if program}


def _chosen(only: frozenset[int] | None, size: int) -> Iterator[Case]:
    return (case for case in rows(size) if only is None or case.row in only)


def _header(bench: Bench) -> Iterator[str]:
    where = "tmpfs" if bench.scratch.is_relative_to(TMPFS) else "disk"
    yield (
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f} before), "
        f"{platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; outputs on {where} ({bench.scratch})"
    )
    yield (
        f"medians of {bench.rounds} rounds, order rotated, digest of every output "
        "compared; CPU and memory are the program's own, without cat or server"
    )
    for name in PEERS:
        found = bench.programs.get(name)
        yield f"{name}: {version(found) if found else 'absent'}"


def exit_code(outcomes: Iterable[Outcome]) -> int:
    return int(any(each.trouble for one in outcomes for each in one.standings))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
