"""Terminals of all sizes, that change while something is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import Phase, given, settings, strategies as st
from rich.cells import cell_len

from engine import JobSnapshot
from tests.hydratui.stage import NARROW, WIDE, Stage, failed, staged
from tests.hydratui.support import hostile_queue, mixed_queue, running_job

LEAST = (60, 15)

QUEUES: dict[str, Callable[[], list[JobSnapshot]]] = {
    "mixed": mixed_queue,
    "hostile": hostile_queue,
    "lanes": lambda: [running_job(lanes=128)],
    "empty": list,
}
CLOSED = ("escape", "escape", "escape")
MOVES: dict[str, Sequence[str]] = {
    "nothing": (),
    **{f"view {number}": (*CLOSED, str(number)) for number in range(1, 8)},
    "zoom": ("z",),
    "scroll": ("j", "pagedown", "G"),
    "another density": ("v",),
    "another order": ("V",),
    "freeze": ("f",),
    "sort": ("s",),
    "mark": ("m", "m"),
    "filter": ("/", "a", "enter"),
    "prompt": (":", "l"),
    "add": (*CLOSED, "a", "h", "t", "t", "p"),
    "edit": (*CLOSED, "e"),
    "throttle": (*CLOSED, "t"),
    "fresh link": (*CLOSED, "u"),
    "remove": (*CLOSED, "d"),
    "quit": (*CLOSED, "q"),
    "settings": (*CLOSED, "comma", "pagedown"),
    "help": (*CLOSED, "?", "pagedown"),
    "palette": (*CLOSED, "ctrl+p", "o"),
    "close": CLOSED,
}
SIZES = st.tuples(st.integers(1, 240), st.integers(1, 70)) | st.sampled_from(
    [(1, 1), (59, 15), (60, 14), LEAST, NARROW, (99, 29), (100, 30), WIDE, (240, 70)]
)
STEPS = st.lists(st.tuples(SIZES, st.sampled_from(list(MOVES))), min_size=4, max_size=8)


def check(stage: Stage, size: tuple[int, int]) -> None:
    """Every row is as wide as the terminal, and there are as many as it has."""
    rows = stage.rows
    assert len(rows) == size[1]
    assert {cell_len(row) for row in rows} == {size[0]}
    if stage.is_home():
        is_small = size[0] < LEAST[0] or size[1] < LEAST[1]
        words = f"terminal too small ({size[0]}x{size[1]})"
        begin = words[: max(size[0] - 2, 0)].rstrip()
        assert rows[0].startswith(begin) is is_small
        assert stage.queue.is_on_screen is not (is_small or stage.main.is_zoomed)


async def walk(
    jobs: Iterable[JobSnapshot], steps: Sequence[tuple[tuple[int, int], str]]
) -> None:
    """Resize, press, resize; a crash on the way is raised where the app ends."""
    async with staged(jobs) as stage:
        await stage.happen(*failed(1))
        for size, move in steps:
            await stage.resize(*size)
            stage.app.tick()
            await stage.settle()
            check(stage, size)
            for key in MOVES[move]:
                if stage.has_left():
                    return
                await stage.press(key)
            await stage.settle()
            if stage.has_left():
                return
            check(stage, size)


@pytest.mark.parametrize("name", QUEUES)
@settings(max_examples=5, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(steps=STEPS)
def test_a_terminal_may_have_any_size_at_any_time(
    name: str, steps: list[tuple[tuple[int, int], str]]
) -> None:
    """Whatever is open, nothing breaks and nothing sticks out."""
    asyncio.run(walk(QUEUES[name](), steps))


@pytest.mark.parametrize("size", [(1, 1), (59, 15), LEAST, (100, 30)])
async def test_everything_can_be_opened_at_any_size(size: tuple[int, int]) -> None:
    """All of it, one after the other."""
    await walk(QUEUES["lanes"](), [(size, move) for move in MOVES])


async def test_a_resize_moves_everything_to_its_new_place() -> None:
    """From wide to narrow to tiny and back, nothing is left over."""
    async with staged(mixed_queue()) as stage:
        before = stage.picture
        for size in [(240, 70), NARROW, LEAST, (50, 10), (1, 1), WIDE]:
            await stage.resize(*size)
            stage.app.tick()
            await stage.settle()
        assert stage.picture == before
