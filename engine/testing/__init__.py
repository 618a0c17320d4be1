"""A scripted, misbehaving HTTP/1.1 origin on loopback, for tests, benchmarks and --demo.

    resource = Resource(Content(5 << 20), script=[Status(503), None, CutAfter(9_000)])
    async with Origin({"/file": resource}) as origin:
        ...                                  # fetch origin.url("/file")
    assert origin.requests[1].range == ByteRange(0, 1 << 20)

A test reads as the list of things that happen. Nothing here knows the engine
beyond its ranges. Where speed is measured, `OriginProcess` runs the same in a
process of its own.
"""

from __future__ import annotations

from engine.testing.answers import (
    Fault,
    Rate,
    Request,
    Resource,
    Response,
    Script,
    slow_every,
)
from engine.testing.content import Content
from engine.testing.demo import demo_origin
from engine.testing.faults import (
    Crawl,
    CutAfter,
    Delay,
    EmptyReply,
    Garbage,
    IgnoreRange,
    Overlong,
    Page,
    RedirectLoop,
    Relabel,
    ResetAfter,
    Stall,
    Status,
    WrongContentRange,
    crawl_every,
)
from engine.testing.origin import Counts, Origin
from engine.testing.process import OriginProcess

__all__ = [
    "Content",
    "Counts",
    "Crawl",
    "CutAfter",
    "Delay",
    "EmptyReply",
    "Fault",
    "Garbage",
    "IgnoreRange",
    "Origin",
    "OriginProcess",
    "Overlong",
    "Page",
    "Rate",
    "RedirectLoop",
    "Relabel",
    "Request",
    "ResetAfter",
    "Resource",
    "Response",
    "Script",
    "Stall",
    "Status",
    "WrongContentRange",
    "crawl_every",
    "demo_origin",
    "slow_every",
]
