"""Blocks come in any order and leave in the order of the file.

A min-heap by offset holds what came early. The horizon is the law that bounds
it: only bytes in `[cursor, cursor + capacity)` may be asked for, so however
slow the reader, never more than `capacity` bytes are held.
"""

from __future__ import annotations

from heapq import heappop, heappush

from engine.model import Block


class ReorderBuffer:
    """A heap of disjoint blocks and the cursor they leave at."""

    def __init__(self, capacity: int, cursor: int = 0) -> None:
        self.capacity = capacity
        self.cursor = cursor
        """First byte not yet released by the reader."""
        self._front = cursor
        self._heap: list[tuple[int, Block]] = []
        self._held = 0

    @property
    def horizon(self) -> int:
        """First offset there is no room for yet."""
        return self.cursor + self.capacity

    @property
    def front(self) -> int:
        """First byte not yet taken; a hole when blocks wait beyond it."""
        return self._front

    @property
    def held(self) -> int:
        """Bytes in memory: waiting in the heap, or taken and not yet released."""
        return self._held

    @property
    def waiting(self) -> int:
        """Bytes in the heap."""
        return self._held - (self._front - self.cursor)

    @property
    def depth(self) -> int:
        """Blocks in the heap."""
        return len(self._heap)

    @property
    def is_ready(self) -> bool:
        """Whether the block at the front is here."""
        return bool(self._heap) and self._heap[0][0] == self._front

    def push(self, block: Block) -> None:
        """Put in a block that shares no byte with any other ever pushed."""
        if block.offset < self._front:
            raise ValueError(f"block at {block.offset} is behind {self._front}")
        heappush(self._heap, (block.offset, block))
        self._held += block.size

    def take(self, most: int) -> list[Block]:
        """Remove the blocks that are next in line, about `most` bytes of them.

        They count as held until `release`.
        """
        taken: list[Block] = []
        size = 0
        while self.is_ready and size < most:
            _, block = heappop(self._heap)
            self._front = block.stop
            size += block.size
            taken.append(block)
        return taken

    def release(self, size: int) -> None:
        """The reader is done with the next `size` taken bytes; the horizon moves."""
        self.cursor += size
        self._held -= size
