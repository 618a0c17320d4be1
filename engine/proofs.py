"""Sources are compared before their bytes are mixed, and again after each rest.

Each has somebody who sees to it for as long as a transfer runs. No lane waits for
that: what is not proven is not asked, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.errors import Fault, RefusedError
from engine.mirrors import DisagreesError, Mirror, Mirrors
from engine.model import MirrorState
from engine.plan import Plan
from engine.sinks import Sink


class Proofs:
    """Of all sources of one transfer; `on_proven` is told when one may be used."""

    def __init__(
        self, mirrors: Mirrors, plan: Plan, sink: Sink, on_proven: Callable[[], None]
    ) -> None:
        self._mirrors = mirrors
        self._plan = plan
        self._sink = sink
        self._on_proven = on_proven
        self._has_landed = asyncio.Event()

    def begin(self, group: asyncio.TaskGroup) -> set[asyncio.Task[None]]:
        """See to every source, where there are several; the tasks never end."""
        if len(self._mirrors) == 1 or self._plan.size is None:
            return set()
        if self._plan.done.total:
            self.begin_to_compare()
        return {
            group.create_task(self._attend(mirror), name=mirror.host)
            for mirror in self._mirrors
        }

    def begin_to_compare(self) -> None:
        """Something is here by now that others can be compared with."""
        self._has_landed.set()

    async def _attend(self, mirror: Mirror) -> None:
        await self._has_landed.wait()
        while True:
            if mirror.state is MirrorState.UNTRIED:
                await self._prove(mirror)
            if mirror.state is not MirrorState.BENCHED:
                await mirror.until_benched()
            elif mirror.rests:
                await asyncio.sleep(mirror.rests)
                mirror.state = MirrorState.UNTRIED
            else:
                return

    async def _prove(self, mirror: Mirror) -> None:
        sample = await self._sink.sample(self._plan.done)
        try:
            if sample is None:
                raise Fault("nothing is here to compare with")  # noqa: TRY301
            await mirror.prove(self._mirrors.first.remote, sample)
        except DisagreesError as error:
            self._mirrors.refuse(mirror, str(error), for_good=True)
        except (Fault, RefusedError) as error:
            self._mirrors.refuse(mirror, str(error), for_good=False)
        else:
            self._mirrors.tell_proven(mirror)
            self._on_proven()
