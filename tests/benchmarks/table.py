"""What was found, for people and for programs."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Callable, Iterable, Iterator

from tests.benchmarks.cases import Bar, Case
from tests.benchmarks.harness import Outcome, Standing, Verdict

SHOWN_URLS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """How a field of Sample is called and printed."""

    name: str
    show: Callable[[float], str]

    def text(self, value: float) -> str:
        return "" if math.isnan(value) else self.show(value)


UNITS = {
    "wall": Unit("wall", "{:.3f} s".format),
    "cpu": Unit("CPU", "{:.2f} s".format),
    "rss": Unit("peak RSS", lambda value: f"{value / 1e6:.0f} MB"),
    "rate": Unit("rate", lambda value: f"{value / 1e6:,.1f} MB/s"),
    "files": Unit("files/s", "{:,.0f}".format),
    "first": Unit("first byte", "{:.3f} s".format),
    "connections": Unit("connections", "{:,.0f}".format),
    "refused": Unit("429s", "{:,.0f}".format),
    "textual": Unit("Textual modules", "{:.0f}".format),
}
"""Field of Sample → unit, in the order of the columns."""


def contents(cases: Iterable[Case]) -> Iterator[str]:
    """What there is to run."""
    lines = [["row", "work", "bars", "rivals"]]
    for case in cases:
        bars = "; ".join(map(_bar, case.bars))
        rivals = ", ".join(entrant.label for entrant in [*case.entrants][1:])
        lines.append([str(case.row), case.work, bars, rivals])
    yield from _columns(lines)


def report(outcome: Outcome) -> Iterator[str]:
    """One case: a line for everybody, the command lines, the bars."""
    case = outcome.case
    yield f"row {case.row}: {case.work}"
    shown = [
        measure
        for measure in UNITS
        if any(not math.isnan(each.median(measure)) for each in outcome.standings)
    ]
    head = ["", *(UNITS[measure].name for measure in shown), "output"]
    yield from _columns([head, *(_line(each, shown) for each in outcome.standings)])
    for each in outcome.standings:
        if each.argv:
            yield f"  $ {_command(each.argv)}"
    for verdict in outcome.verdicts():
        yield f"  {_sentence(verdict)}"


def summary(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """All bars on one page."""
    lines = [["row", "work", "bar", "limit", "ours", "ratio", ""]]
    for outcome in outcomes:
        case = outcome.case
        for verdict in outcome.verdicts():
            unit = UNITS[verdict.bar.measure]
            lines.append(
                [
                    str(case.row),
                    case.work,
                    _bar(verdict.bar),
                    unit.text(verdict.limit),
                    unit.text(verdict.ours),
                    _ratio(verdict),
                    _word(verdict),
                ]
            )
    yield from _columns(lines)


def record(outcome: Outcome) -> dict[str, object]:
    """The same as values for JSON."""
    return {
        "row": outcome.case.row,
        "work": outcome.case.work,
        "entrants": [
            {
                "label": each.entrant.label,
                "argv": each.argv,
                "absent": each.absent,
                "trouble": each.trouble,
                "median": _known({name: each.median(name) for name in UNITS}),
                "samples": [
                    _known(dataclasses.asdict(sample)) for sample in each.samples
                ],
            }
            for each in outcome.standings
        ],
        "bars": [
            {
                "bar": _bar(verdict.bar),
                "met": verdict.met,
                **_known({"ours": verdict.ours, "limit": verdict.limit}),
                **_known({"ratio": verdict.ratio}),
            }
            for verdict in outcome.verdicts()
        ],
    }


def _line(standing: Standing, shown: list[str]) -> list[str]:
    cells = [UNITS[measure].text(standing.median(measure)) for measure in shown]
    return [standing.entrant.label, *cells, _output(standing)]


def _output(standing: Standing) -> str:
    return standing.absent or standing.trouble or "right"


def _columns(lines: list[list[str]]) -> Iterator[str]:
    """Text to the left, the first column at least; the rest is numbers."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()


def _command(argv: tuple[str, ...]) -> str:
    urls = [word for word in argv if word.startswith("http")]
    left_out = set(urls[SHOWN_URLS:])
    words = shlex.join(word for word in argv if word not in left_out)
    return f"{words} … ({len(left_out):,} more)" if left_out else words


def _bar(bar: Bar) -> str:
    sign = "≥" if bar.at_least else "≤"
    unit = UNITS[bar.measure]
    share = f"{bar.factor:.3g} x " if bar.factor != 1 else ""
    rival = f"{share}{bar.rival}" if bar.rival else ""
    plus = unit.text(bar.plus) if bar.plus or not rival else ""
    return f"{unit.name} {sign} {' + '.join(filter(None, (rival, plus)))}"


def _sentence(verdict: Verdict) -> str:
    unit = UNITS[verdict.bar.measure]
    limit = unit.text(verdict.limit) or "unknown"
    ours = unit.text(verdict.ours) or "unknown"
    words = (_word(verdict), _ratio(verdict))
    return f"{_bar(verdict.bar)} ({limit}): {ours}, {' '.join(words)}".rstrip()


def _ratio(verdict: Verdict) -> str:
    if math.isnan(verdict.ratio):
        return ""
    base = "the bar" if verdict.bar.plus else verdict.bar.rival
    return f"{verdict.ratio:.2f} x {base}"


def _word(verdict: Verdict) -> str:
    match verdict.met:
        case None:
            return "not measured"
        case met:
            return "met" if met else "NOT MET"


def _known(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not math.isnan(value)}
