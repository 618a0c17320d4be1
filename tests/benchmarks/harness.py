"""Rounds: everybody does the same thing in turn, and nobody always goes first."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import site
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.benchmarks.cases import Bar, Case, Entrant
from tests.benchmarks.measure import RunError
from tests.benchmarks.peers import OURS, PEERS, Errand, Program, Take
from tests.benchmarks.sites import Served, UnavailableError
from tests.benchmarks.takes import READER, Run, Sample

REPOSITORY = Path(__file__).parents[2]
KINDS = ("cache", "config", "data", "state")
"""Of what a program keeps in the home of who runs it."""


@dataclass(slots=True)
class Standing:
    """How one entrant does; grows with the rounds."""

    entrant: Entrant
    argv: tuple[str, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    absent: str = ""
    """Why it does not take part."""
    trouble: str = ""
    """Why it is out of the race."""

    def median(self, measure: str) -> float:
        values = [getattr(sample, measure) for sample in self.samples]
        return statistics.median(values) if values and not self.trouble else math.nan


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar, and how high ours got."""

    bar: Bar
    ours: float
    rival: float
    limit: float

    @property
    def met(self) -> bool | None:
        """None where there is nothing to compare."""
        if math.isnan(self.ours) or math.isnan(self.limit):
            return None
        return self.bar.met(self.ours, self.limit)

    @property
    def ratio(self) -> float:
        """Ours to the rival's, or to the bar where that is more than a share of it."""
        base = self.limit if self.bar.plus else self.rival
        return self.ours / base if base else math.nan


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case, run to its end."""

    case: Case
    standings: tuple[Standing, ...]

    def verdicts(self) -> Iterator[Verdict]:
        by_label = {each.entrant.label: each for each in self.standings}
        for bar in self.case.bars:
            ours = by_label[OURS].median(bar.measure)
            rival = by_label[bar.rival].median(bar.measure) if bar.rival else math.nan
            yield Verdict(bar, ours, rival, bar.limit(rival))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The programs that were found, and a place to work."""

    programs: Mapping[str, Program]
    scratch: Path
    rounds: int
    seconds: float
    """How long the slow reader reads."""

    def run(self, case: Case) -> Outcome:
        standings = [Standing(entrant) for entrant in case.entrants]
        for each in standings:
            if each.entrant.peer not in self.programs:
                each.absent = "absent"
        try:
            self._race(case, standings)
        except UnavailableError as error:
            for each in standings:
                each.absent = f"skipped: {error}"
        return Outcome(case, tuple(standings))

    def _race(self, case: Case, standings: list[Standing]) -> None:
        """All rounds; raises UnavailableError."""
        rounds = (case.rounds or self.rounds) * case.repeats
        files = self.scratch / "files"
        files.mkdir(exist_ok=True)
        with contextlib.ExitStack() as stack:
            served = {
                place: stack.enter_context(place.serve(files))
                for place in {each.entrant.site for each in standings}
            }
            for number in range(rounds):
                for each in _rotated(standings, number):
                    _tell(
                        f"row {case.row}, {number + 1}/{rounds}: {each.entrant.label}"
                    )
                    self._sample(case, each, served[each.entrant.site])

    def _sample(self, case: Case, standing: Standing, served: Served) -> None:
        if standing.absent or standing.trouble:
            return
        take = standing.entrant.take or case.take
        with (
            _folder(self.scratch / "out") as folder,
            _folder(self.scratch / "home") as home,
        ):
            errand = Errand(
                take=take,
                urls=served.urls,
                lanes=standing.entrant.lanes,
                folder=folder,
                cacert=served.cacert,
            )
            peer = PEERS[standing.entrant.peer]
            program = self.programs[peer.name]
            standing.argv = (*served.prefix, *peer.argv(program, errand))
            run = Run(
                argv=standing.argv,
                environment=environment(peer.name, home, served.cacert),
                folder=folder,
                litter=peer.litter,
                served=served,
                patience=self._patience(case, served.size),
                seconds=self.seconds,
            )
            try:
                standing.samples.append(_counted(run, take))
            except RunError as error:
                standing.trouble = str(error)

    def _patience(self, case: Case, size: int) -> float:
        """Whoever reads slowly to the end takes a multiple of what that must take."""
        if case.take is Take.SLOW and math.isinf(self.seconds):
            return 2 * size / READER + case.patience
        return case.patience


def _rotated(standings: list[Standing], by: int) -> list[Standing]:
    first = by % len(standings)
    return standings[first:] + standings[:first]


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[Path]:
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _counted(run: Run, take: Take) -> Sample:
    """With what the server has seen of it, where that counts."""
    before = run.served.counts()
    sample = run.sample(take)
    after = run.served.counts()
    if before is None or after is None:
        return sample
    return replace(
        sample,
        connections=after.connections - before.connections,
        refused=after.refused - before.refused,
    )


def environment(peer: str, home: Path, cacert: Path | None) -> dict[str, str]:
    """Nobody's settings, no proxy; the authority for those who have no option for it.

    What a program keeps for itself, it keeps below `home`, which is new for each run.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
        and not name.startswith(("HYDRA", "XDG_", "PYTHON"))
    }
    folders = {f"XDG_{kind.upper()}_HOME": str(home / kind) for kind in KINDS}
    added = {"HOME": str(home), "PYTHONUSERBASE": site.getuserbase(), **folders}
    if cacert is not None:
        added["SSL_CERT_FILE"] = str(cacert)
    if peer == OURS:
        added["PYTHONPATH"] = str(REPOSITORY)
    return kept | added


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
