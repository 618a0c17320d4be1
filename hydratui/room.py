"""How much is free where files go, asked beside the loop: a dead mount may not answer."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

EVERY = 5.0
"""Seconds between two looks."""


class Room:
    """Looks now and then, in a thread that keeps nobody alive."""

    def __init__(self, place: Path) -> None:
        self.free: int | None = None
        """Bytes, as of the last look; None while nobody knows."""
        self._place = place
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="hydra-room", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while True:
            self.free = room_at(self._place)
            if self._over.wait(EVERY):
                return


def room_at(path: Path) -> int | None:
    """Bytes free where a path is, or will be; None where nobody knows."""
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
