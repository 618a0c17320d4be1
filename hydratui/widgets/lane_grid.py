"""Every lane of the selected job: what it does, how far it is, how fast it comes.

As many lanes as there are must be seen at once, so they get smaller as they get
more: a bar each, then a short cell, then one block as high as the lane's speed.
Whoever wants them larger chooses so, and scrolls. Lanes run down the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual.geometry import Size

from engine import JobSnapshot, JobState
from hydratui.sampler import Frame
from hydratui.text import rate, safe
from hydratui.widgets.lane_cells import is_receiving
from hydratui.widgets.lane_layout import (
    Density,
    Grid,
    Look,
    Order,
    after,
    grid_for,
    grid_rows,
)
from hydratui.widgets.line import Line, LineWidget, Span, framed, indented, line
from hydratui.widgets.piece_bar import piece_line
from hydratui.widgets.signs import JOB_SIGNS

_ROOM_FOR_FACTS = 4


class LaneGrid(LineWidget[Frame]):
    """The lanes pane; it owns how the lanes are looked at."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.look = Look()

    @property
    def is_bare(self) -> bool:
        """Without a frame, where the terminal has no columns to spare."""
        return self.screen.has_class("-narrow")

    def next_density(self) -> None:
        self.look = replace(self.look, density=after(self.look.density), top=0)

    def next_order(self) -> None:
        self.look = replace(self.look, order=after(self.look.order), top=0)

    def scroll(self, step: int) -> None:
        """That many rows on; the next picture stops at the ends."""
        self.look = replace(self.look, top=max(self.look.top + step, 0))

    @property
    def page(self) -> int:
        """How many rows are seen at once."""
        return max(self._grid(self.content_size).height, 1)

    def lay(self, value: Frame, size: Size) -> Sequence[Line]:
        top = min(self.look.top, self._grid(size).last_top)
        self.look = replace(self.look, top=top)
        return lane_pane(
            value.job, size.width, size.height, look=self.look, bare=self.is_bare
        )

    def _grid(self, size: Size) -> Grid:
        job = self._value.job if self._value else None
        return laid_out(
            len(job.lanes) if job else 0,
            size.width,
            size.height,
            self.look,
            self.is_bare,
        )


_ASIS = Look()


def lane_pane(
    job: JobSnapshot | None,
    width: int,
    height: int,
    *,
    look: Look = _ASIS,
    bare: bool = False,
) -> list[Line]:
    """The pane; `bare` without a frame but with the same margin."""
    lanes = job.lanes if job else ()
    grid = laid_out(len(lanes), width, height, look, bare)
    body = _body(job, width - 4, height if bare else height - 2, look, grid)
    facts = _facts(look, grid)
    if bare:
        if facts and len(body) >= _ROOM_FOR_FACTS:
            body[-1] = line(width - 4, (" · ".join(facts), "dim"))
        margin: Span = ("  ", "text")
        return [(margin, *row, margin) for row in body]
    if job is not None and not job.state.is_final:
        facts.append("auto lanes" if job.threads is None else f"at most {job.threads}")
    return framed(
        width, height, indented(body), title=_title(job), foot=" · ".join(facts)
    )


def laid_out(count: int, width: int, height: int, look: Look, bare: bool) -> Grid:
    """The grid of a pane of that size, with a row for what must be said of it."""
    room = height - 1 if bare else height - 3
    grid = grid_for(count, width - 4, room, look.density)
    if bare and height >= _ROOM_FOR_FACTS and _facts(look, grid):
        return grid_for(count, width - 4, room - 1, look.density)
    return grid


def _facts(look: Look, grid: Grid) -> list[str]:
    """What is seen of them and how, where that is not all of them as they come."""
    facts = []
    if grid.last_top:
        top = min(look.top, grid.last_top)
        facts.append(f"rows {top + 1}–{top + grid.height} of {grid.rows}")  # noqa: RUF001
    if look.order is not Order.NUMBER:
        facts.append(look.order.value)
    if look.density is not Density.AUTO:
        facts.append(look.density.value)
    return facts


def _title(job: JobSnapshot | None) -> list[Span]:
    title: list[Span] = [("Lanes", "title")]
    if job is None or not job.lanes:
        return title
    receiving = [lane for lane in job.lanes if is_receiving(lane)]
    facts = f"  {len(job.lanes)}"
    if len(receiving) > 1:
        mean = sum(lane.rate for lane in receiving) / len(receiving)
        slowest = min(receiving, key=lambda lane: lane.rate)
        facts += f" · mean {rate(mean)} · slowest #{slowest.number}"
    return [*title, (facts, "dim")]


def _body(
    job: JobSnapshot | None, width: int, height: int, look: Look, grid: Grid
) -> list[Line]:
    if job is None:
        return [line(width)] * height
    rows = [piece_line(job, width)]
    if job.lanes:
        rows += grid_rows(job, width, look, grid)
    else:
        rows += _idle(job, width)
    return rows[:height] + [line(width)] * (height - len(rows))


def _idle(job: JobSnapshot, width: int) -> list[Line]:
    """What there is to say of a job without lanes."""
    sign = JOB_SIGNS[job.state]
    what = _IDLE.get(job.state, sign.word)
    said = safe(job.verdict) or what if job.state.is_final else what
    rows = [line(width), line(width, (f"{sign.glyph} ", sign.ink), (said, "text"))]
    if job.target:
        rows.append(line(width, ("  ", "dim"), (safe(job.target), "dim")))
    return rows


_IDLE = {
    JobState.QUEUED: "waits for its turn",
    JobState.PROBING: "asking the server for the file",
    JobState.RUNNING: "no lane is open just now",
    JobState.VERIFYING: "all bytes are here; computing the digest",
    JobState.PAUSED: "paused; Space resumes",
    JobState.CANCELLED: "cancelled",
}
