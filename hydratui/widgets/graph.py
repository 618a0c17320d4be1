"""The past as pictures: throughput with its limits, and what waited at the front.

How much of the past is shown is the user's choice: a minute, ten, or all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from engine import FrontSnapshot, JobSnapshot, JobState
from hydratui.sampler import LONG_SPAN, SPAN, Frame, Track
from hydratui.widgets.chart import (
    FEET,
    Chart,
    Curve,
    Level,
    nice_top,
    plot_height,
    reach,
)
from hydratui.widgets.line import Line, LineWidget, Span, framed, indented
from hydratui.widgets.plot import wants_blocks
from hydratui.widgets.window_plot import window_pane

_MIB = 1024 * 1024
_SPANS: tuple[float | None, ...] = (SPAN, LONG_SPAN, None)
"""None stands for everything since the beginning."""


class Graph(LineWidget[Frame]):
    """A graph over time; it owns how much of the past is shown."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.span: float | None = SPAN

    def next_span(self) -> None:
        """Show more of the past; after all of it, a minute again."""
        self.span = _SPANS[(_SPANS.index(self.span) + 1) % len(_SPANS)]


class ThroughputGraph(Graph):
    """All jobs together, the selected one among them, and the limits as lines."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return throughput_pane(
            value, size.width, size.height, blocks=wants_blocks(), span=self.span
        )


class WindowGraph(Graph):
    """How many lanes may fly to the host of the selected job, and how many do."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return window_pane(
            value, size.width, size.height, blocks=wants_blocks(), span=self.span
        )


class DepthGraph(Graph):
    """What has waited beyond the front of the selected job."""

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        return depth_pane(
            value, size.width, size.height, blocks=wants_blocks(), span=self.span
        )


# -------------------------------------------------------------- throughput


def throughput_pane(
    frame: Frame, width: int, height: int, *, blocks: bool, span: float | None = SPAN
) -> list[Line]:
    chart = Chart(
        cells=width - 4,
        height=plot_height(height - 2),
        now=frame.at,
        seconds=reach(frame.rates, frame.at, span),
        blocks=blocks,
    )
    limits = _limits(frame)
    past = frame.rates.over(chart.seconds)
    peak = max(past.peak, 1e6, *(limit.value for limit in limits))
    curves = [Curve(frame.rates, "graph")]
    if _is_one_of_many(frame):
        curves.append(Curve(frame.job_rates, "flight", filled=False))
    rows = chart.rows(curves, nice_top(peak / 1e6) * 1e6, unit=1e6, levels=limits)
    return framed(
        width,
        height,
        indented([*rows, chart.time_axis]),
        title=_title(frame, past, span),
        foot=FEET[span],
    )


def _is_one_of_many(frame: Frame) -> bool:
    """Whether the rates of the selected job are not those of all."""
    return sum(frame.counts[state] for state in JobState if state.is_live) > 1


def _limits(frame: Frame) -> list[Level]:
    limits = []
    if frame.snapshot.limit is not None:
        limits.append(Level(frame.snapshot.limit, "╌", "limit"))
    if frame.job is not None and frame.job.limit is not None:
        limits.append(
            Level(frame.job.limit, "┄", f"limit of #{frame.job.id}", is_above=True)
        )
    return limits


def _title(frame: Frame, past: Track, span: float | None) -> list[Span]:
    title: list[Span] = [
        ("Throughput", "title"),
        (" MB/s", "dim"),
        (f"  now {frame.snapshot.rate / 1e6:.0f}", "strong"),
    ]
    if _is_one_of_many(frame) and frame.job is not None:
        title.append((f" · #{frame.job.id} {frame.job.rate / 1e6:.0f}", "flight"))
    title.append((f" · peak {past.peak / 1e6:.0f}", "dim"))
    if span == SPAN:
        title.append((f" · mean {past.mean / 1e6:.0f}", "dim"))
    return title


# ------------------------------------------------------------------- depth


def depth_pane(
    frame: Frame, width: int, height: int, *, blocks: bool, span: float | None = SPAN
) -> list[Line]:
    job = frame.job
    if job is None or job.front is None:
        return framed(width, height, [], title=[("Beyond the front", "title")])
    chart = Chart(
        cells=width - 4,
        height=plot_height(height - 2),
        now=frame.at,
        seconds=reach(frame.waiting, frame.at, span),
        blocks=blocks,
    )
    name, unit = _unit(depth_top(frame, chart.seconds))
    title: list[Span] = [
        ("Reorder heap" if job.streaming else "Beyond the front", "title"),
        (f" {name}", "dim"),
        (f"  now {job.front.waiting / unit:.4g}", "strong"),
        (f" · {depth_words(job, job.front)}", "dim"),
    ]
    body = indented(depth_rows(frame, chart))
    return framed(width, height, body, title=title, foot=FEET[span])


def depth_words(job: JobSnapshot, front: FrontSnapshot) -> str:
    """In how many pieces lies what waits."""
    one = "block" if job.streaming else "range"
    return f"{front.depth} {one}{'' if front.depth == 1 else 's'}"


def depth_rows(frame: Frame, chart: Chart) -> list[Line]:
    """The graph with its axes, up to its bound where it has one."""
    top = depth_top(frame, chart.seconds)
    rows = chart.rows([Curve(frame.waiting, "graph")], top, unit=_unit(top)[1])
    return [*rows, chart.time_axis]


def depth_top(frame: Frame, seconds: float) -> float:
    """The top of the scale: the bound, or a little above the highest."""
    front = frame.job.front if frame.job else None
    if front is not None and front.capacity:
        return front.capacity
    highest = max(frame.waiting.over(seconds).peak, _MIB)
    unit = _unit(highest)[1]
    return nice_top(highest / unit) * unit


def _unit(top: float) -> tuple[str, int]:
    return ("MiB", _MIB) if top < 10_000 * _MIB else ("GiB", 1024 * _MIB)
