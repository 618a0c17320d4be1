"""Followers of a front, and what holds them together; see `test_verify` for the file."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from engine.follower import DigestFollower, Step, fits, together
from engine.model import Pieces


@pytest.mark.parametrize(
    ("size", "count", "is_right"),
    [
        (1, 1, True),
        (100, 1, True),
        (101, 1, False),
        (101, 2, True),
        (200, 2, True),
        (200, 3, False),
        (0, 0, False),
        (0, 1, False),
    ],
)
def test_pieces_fit_a_file_that_has_as_many(
    size: int, count: int, is_right: bool
) -> None:
    """Every byte lies in one piece, and every piece has a byte."""
    assert fits(Pieces(100, "md5", ("aa",) * count), size) is is_right


def test_buffers_are_hashed_in_order() -> None:
    """Whatever they are, they are one text; what was measured is a rate."""
    follower = DigestFollower("sha256")
    follower.update([b"one", memoryview(b"two")])
    follower.measure()
    assert follower.at == 6
    assert follower.rate > 0
    assert follower.actual is None
    assert follower.finish() == hashlib.sha256(b"onetwo").hexdigest()
    assert follower.actual == follower.finish()


def steps(count: int) -> list[Step]:
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


async def turn() -> None:
    """Let what was called back be heard."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_steps_that_go_together_end_together() -> None:
    """The last to end ends all, and none at all have ended."""
    assert together([]).done()
    first, second = steps(2)
    whole = together([first, second])
    second.set_result(None)
    await turn()
    assert not whole.done()
    first.set_result(None)
    await turn()
    assert whole.result() is None


async def test_one_step_that_fails_fails_all() -> None:
    """But not before the others have ended: they may still use the memory."""
    first, second = steps(2)
    whole = together([first, second])
    first.set_exception(MemoryError("full"))
    await turn()
    assert not whole.done()
    second.set_result(None)
    await turn()
    with pytest.raises(MemoryError, match="full"):
        whole.result()


async def test_one_step_that_is_given_up_gives_up_all() -> None:
    """A pool that is closed begins nothing more."""
    first, second = steps(2)
    whole = together([first, second])
    first.cancel()
    second.set_result(None)
    await turn()
    assert whole.cancelled()
