"""What the harness does around a run: a home of its own, counts, and who sits out."""

from __future__ import annotations

import dataclasses
import math
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as command, table
from tests.benchmarks.cases import Bar, Case, Entrant, rows
from tests.benchmarks.harness import Bench, environment
from tests.benchmarks.lossy import LACKING, LossySite, available
from tests.benchmarks.peers import OURS, PEERS, Errand, Take
from tests.benchmarks.sites import OriginSite, Served, Site, UnavailableError

ENDLESS = Bar(measure="wall", plus=600.0)
SMALL = OriginSite(300_000, most=8)


@dataclasses.dataclass(frozen=True, slots=True)
class NowhereSite:
    """What no machine has."""

    def serve(self, folder: Path) -> AbstractContextManager[Served]:
        raise UnavailableError(f"no {folder.name} here")


def bench(scratch: Path, *peers: str) -> Bench:
    found = {name: PEERS[name].locate() for name in peers}
    programs = {name: program for name, program in found.items() if program}
    return Bench(programs=programs, scratch=scratch, rounds=1, seconds=math.inf)


def case_at(site: Site, **changes: object) -> Case:
    case = Case(row=1, work="a test", take=Take.DISK, site=site, bars=(ENDLESS,))
    return dataclasses.replace(case, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", PEERS)
def test_nobody_writes_into_the_home_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    """Whatever the user has set, each peer is given the same folders of the scratch."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HYDRA_THREADS"):
        monkeypatch.setenv(name, "/users/own")

    given = environment(peer, tmp_path, None)

    assert "/users/own" not in given.values()
    kinds = ("CACHE", "CONFIG", "DATA", "STATE")
    homes = [given["HOME"], *(given[f"XDG_{kind}_HOME"] for kind in kinds)]
    assert all(Path(home).is_relative_to(tmp_path) for home in homes)


def test_what_a_run_leaves_is_gone_before_the_next(tmp_path: Path) -> None:
    """Neither its output nor its log, ledger and queue last."""
    outcome = bench(tmp_path, OURS).run(case_at(SMALL))

    assert [each.trouble for each in outcome.standings] == [""]
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "home").exists()


def test_an_origin_counts_connections_and_refusals(tmp_path: Path) -> None:
    """Of each run alone; where the server does not count, they are unknown."""
    alone = Entrant(peer=OURS, label="one lane", site=SMALL, lanes=1)
    outcome = bench(tmp_path, OURS).run(case_at(SMALL, beside=(alone,)))

    for each in outcome.standings:
        assert each.median("connections") >= 1
        assert each.median("refused") == 0


def test_one_beside_may_take_it_elsewhere(tmp_path: Path) -> None:
    """An entrant with a take of its own is judged by that one."""
    piped = Entrant(peer=OURS, label="piped", site=SMALL, take=Take.PIPE)
    outcome = bench(tmp_path, OURS).run(case_at(SMALL, beside=(piped,)))

    disk, pipe = outcome.standings
    assert (disk.trouble, pipe.trouble) == ("", "")
    assert "--stream" not in disk.argv
    assert "--stream" in pipe.argv


def test_a_site_that_cannot_be_is_no_failure(tmp_path: Path) -> None:
    """Its case is skipped, with the reason; nothing is said of its bars."""
    outcome = bench(tmp_path, OURS).run(case_at(NowhereSite(), rivals=("axel",)))

    assert [each.absent for each in outcome.standings] == ["skipped: no files here"] * 2
    assert [verdict.met for verdict in outcome.verdicts()] == [None]
    assert "skipped: no files here" in "\n".join(table.report(outcome))
    assert command.exit_code([outcome]) == 0


def test_wrong_bytes_are_a_failure(tmp_path: Path) -> None:
    """Of whomever, and the exit code says so."""
    outcome = Bench(
        programs={OURS: (sys.executable, "-S", "-c", "")},
        scratch=tmp_path,
        rounds=1,
        seconds=math.inf,
    ).run(case_at(SMALL))

    assert "1 of 1 outputs missing or wrong" in outcome.standings[0].trouble
    assert command.exit_code([outcome]) == 1


@pytest.mark.skipif(not available(), reason=LACKING)
def test_a_wire_that_loses_packets(tmp_path: Path) -> None:
    """What comes over it is right, after as long as the wire is long."""
    site = LossySite(300_000, loss=0.03, delay=0.05)
    there_and_back = 0.1

    outcome = bench(tmp_path, OURS, "curl").run(case_at(site, rivals=("curl",)))

    for each in outcome.standings:
        assert each.trouble == ""
        if not each.absent:
            assert each.median("wall") > 2 * there_and_back  # to connect, and to ask


def test_many_files_are_listed(tmp_path: Path) -> None:
    """One a line, for those who read lists: a command line has an end."""
    urls = tuple(f"http://127.0.0.1/{number}" for number in range(20_000))
    errand = Errand(take=Take.DISK, urls=urls, folder=tmp_path / "out")

    for peer in (PEERS[OURS], PEERS["aria2c"]):
        words = peer.argv(("program",), errand)
        assert not set(urls) & set(words)
        assert Path(words[words.index("-i") + 1]).read_text().splitlines() == [*urls]


def test_rows_are_told_without_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --rows; --only chooses among them."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--rows", "--only", "12,13"])

    assert command.main() == 0

    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[0] for line in lines] == ["row", "12", "13"]
    assert "429s ≤ 16" in lines[-1]


def test_bars_compare_with_those_who_take_part() -> None:
    """Each names an entrant of its case, or nobody; each peer is known."""
    for case in rows():
        labels = {entrant.label for entrant in case.entrants}
        assert {bar.rival for bar in case.bars} <= {*labels, None}, case.work
        assert {entrant.peer for entrant in case.entrants} <= {*PEERS}, case.work
