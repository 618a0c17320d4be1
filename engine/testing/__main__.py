"""The command line of an origin in a process of its own.

It prints one line of JSON once it listens, and ends on SIGTERM, on SIGINT, or
when the pipe at its stdin closes. Each line that comes through that pipe is answered
with one of JSON: what it has counted so far. `/file` is the large file, `/small/0000` and
so on are the small ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import ssl
import stat
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import get_args

from engine.testing.answers import Length, Resource, Script, slow_every
from engine.testing.content import Content
from engine.testing.demo import demo_origin
from engine.testing.faults import Status, crawl_every
from engine.testing.origin import Origin

POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def main() -> None:
    asyncio.run(serve(origin_from(parser().parse_args())))


async def serve(origin: Origin) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    stdin = sys.stdin.fileno()
    if stat.S_ISFIFO(os.fstat(stdin).st_mode):
        loop.add_reader(stdin, listen, stdin, origin, ended)
    async with origin:
        say({"port": origin.port, "url": origin.url("")})
        await ended.wait()


def listen(stdin: int, origin: Origin, ended: asyncio.Event) -> None:
    heard = os.read(stdin, 1024)
    for _ in range(heard.count(b"\n")):
        say(asdict(origin.counts))
    if not heard:
        ended.set()


def say(values: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def origin_from(asked: argparse.Namespace) -> Origin:
    """The origin that the command line describes."""
    if asked.demo:
        return demo_origin(asked.seed)
    count, size = asked.files
    contents = {"/file": Content(asked.size, asked.seed)}
    for number in range(count):
        contents[f"/small/{number:04}"] = Content(size, asked.seed + 1 + number)
    rate = asked.rate
    if asked.slow_one is not None:
        rate = slow_every(asked.slow_every, asked.slow_one, asked.rate)
    resources = {
        path: Resource(
            content,
            rate=rate,
            latency=asked.latency,
            ranges=not asked.no_ranges,
            length=asked.length,
        )
        for path, content in contents.items()
    }
    script: Script = ()
    if asked.slow_request is not None:
        script = crawl_every(asked.slow_every_request, asked.slow_request)
    return Origin(
        resources,
        script=script,
        max_connections=asked.max_connections,
        uplink=asked.uplink,
        refusal=Status(429, retry_after=1),
        ssl=tls(*asked.tls) if asked.tls else None,
        port=asked.port,
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("engine.testing", description=__doc__)
    add = options.add_argument
    add("--size", type=amount, default=1 << 30, help="of /file, such as 1GiB")
    add("--files", type=crowd, default=(0, 0), metavar="NxSIZE", help="small files")
    add("--seed", type=int, default=0)
    add("--rate", type=amount, help="bytes per second of each connection")
    add("--uplink", type=amount, help="bytes per second of all connections together")
    add("--latency", type=float, default=0.0, help="seconds before each response")
    add("--slow-one", type=amount, metavar="RATE", help="of every N-th connection")
    add("--slow-every", type=int, default=8, metavar="N")
    add("--slow-request", type=amount, metavar="RATE", help="of every N-th request")
    add("--slow-every-request", type=int, default=6, metavar="N")
    add("--max-connections", type=int, help="more at the same time are told 429")
    add("--no-ranges", action="store_true")
    add("--length", choices=get_args(Length), default="known")
    add("--tls", nargs=2, metavar=("CERT", "KEY"))
    add("--port", type=int, default=0)
    add("--demo", action="store_true", help="the files and the network of --demo")
    return options


def amount(text: str) -> int:
    """Bytes: `10M` is ten million, `10Mi` and `10MiB` are 10 * 2**20."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(i?)B?", text)
    if match is None:
        raise ValueError(text)
    number, unit, binary = match.groups()
    scale: int = (1024 if binary else 1000) ** POWERS[unit]
    return round(float(number) * scale)


def crowd(text: str) -> tuple[int, int]:
    """`2000x64KiB` as a count and a size."""
    count, _, size = text.partition("x")
    return int(count), amount(size)


def tls(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


if __name__ == "__main__":
    main()
