"""Draws the pictures of this folder from the demo: `python screenshots/take.py`.

They are of a real run: the app, the engine, and the demo's origin on loopback.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from engine import Config, Engine, JobSpec, parse_digest
from engine.testing import demo_origin
from hydratui.app import HydraApp

HERE = Path(__file__).parent
SIZES = {"wide": (120, 36), "narrow": (80, 24)}
WARM = 5.0
"""Seconds until the graphs have something to show."""


async def take(label: str, size: tuple[int, int], folder: Path) -> None:
    """Running, throttled and paused, in one size."""
    async with demo_origin() as origin, Engine(Config(output=folder)) as engine:
        for path, resource in origin.resources.items():
            digest = parse_digest(resource.content.digest("sha256"), "sha256")
            engine.add(JobSpec(origin.url(path), checksum=digest))
        app = HydraApp(engine)
        async with app.run_test(size=size) as pilot:
            await pilot.press("j")
            await _show(app, f"running-{label}", WARM)
            engine.set_limit(8e6)
            await _show(app, f"throttled-{label}", WARM)
            engine.pause(2)
            engine.set_limit(None)
            await _show(app, f"paused-{label}", 1.0)


async def _show(app: HydraApp, name: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    (HERE / f"{name}.svg").write_text(app.export_screenshot())


async def main() -> None:
    for label, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            await take(label, size, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
