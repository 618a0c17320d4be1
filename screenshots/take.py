"""Draws the pictures of this folder from the demo: `python screenshots/take.py`.

They are of a real run: the app, the engine, and the demo's origin on loopback. Each
is written as SVG, and as PNG by resvg-py, with the fonts that this machine has.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from pathlib import Path

import resvg_py

from engine import Engine, JobSpec, parse_digest
from engine.testing import Origin, demo_origin
from hydratui.app import HydraApp
from hydratui.settings import built_in

HERE = Path(__file__).parent
SIZES = {"wide": (120, 36), "narrow": (80, 24)}
FONT = "DejaVu Sans Mono"
FOLDER = Path("/tmp/data")  # noqa: S108
"""Where the pictures say that files go."""
WARM = 6.0
"""Seconds until the graphs have something to show."""


async def take(label: str, size: tuple[int, int]) -> None:
    """The app at work, in one size."""
    settings = built_in()
    config = replace(settings.config, output=FOLDER)
    shown = Path.home() / ".config/hydra-tui/config.toml"
    async with demo_origin() as origin, Engine(config) as engine:
        _fill(engine, origin)
        app = HydraApp(engine, settings=settings._replace(config=config, path=shown))
        async with app.run_test(size=size):
            await _at_work(app, label)
            engine.set_limit(8e6)
            await _throttled(app, label)
            await _dialogs(app, label)


def _fill(engine: Engine, origin: Origin) -> None:
    for path, resource in origin.resources.items():
        digest = parse_digest(resource.content.digest("sha256"), "sha256")
        engine.add(JobSpec(origin.url(path), checksum=digest))
    url = origin.url("/model.safetensors")
    engine.add(JobSpec(url, command="gzip -c > model.gz"))
    for number in range(1, 9):
        url = origin.url(f"/dataset.tar?part={number}")
        engine.add(JobSpec(url, name=f"dataset-part-{number:02}.tar"), paused=True)


async def _at_work(app: HydraApp, label: str) -> None:
    await _press(app, "j")
    await asyncio.sleep(WARM)
    for key, view in (("1", "overview"), ("2", "lanes"), ("4", "graphs")):
        await _press(app, key)
        _draw(app, f"{view}-{label}")


async def _throttled(app: HydraApp, label: str) -> None:
    await _press(app, "1", "m", "k")
    await asyncio.sleep(WARM)
    _draw(app, f"throttled-{label}")
    await _press(app, "g", "j", "j", "j", "j", "3", "enter")
    await asyncio.sleep(WARM)
    _draw(app, f"pipe-{label}")
    await _press(app, "escape", "1")


async def _dialogs(app: HydraApp, label: str) -> None:
    await app._main.ask_to_add(ADDED)
    await asyncio.sleep(1.0)
    _draw(app, f"add-{label}")
    await _press(app, "escape", "escape")
    await _press(app, "comma")
    await _press(app, "down", "tab")
    _draw(app, f"settings-{label}")
    await _press(app, "escape", "question_mark")
    _draw(app, f"help-{label}")
    await _press(app, "escape")


async def _press(app: HydraApp, *keys: str) -> None:
    for key in keys:
        app.simulate_key(key)
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.3)


ADDED = """\
https://example.org/genomes/GRCh38.fa.gz
https://example.org/reads.tar | tar x -C reads
curl 'https://example.org/export.csv' -H 'Cookie: session=1'
ftp//example.org/bad
"""


def _draw(app: HydraApp, name: str) -> None:
    svg = app.export_screenshot()
    (HERE / f"{name}.svg").write_text(svg)
    local = re.sub(r"Fira Code", FONT, svg)
    drawn = resvg_py.svg_to_bytes(svg_string=local, monospace_family=FONT)
    (HERE / f"{name}.png").write_bytes(bytes(drawn))


def main() -> None:
    for label, size in SIZES.items():
        FOLDER.mkdir()
        try:
            asyncio.run(take(label, size))
        finally:
            shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
