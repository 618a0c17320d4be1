"""The programs that are compared, and how each is told to do the same errand."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

Program = tuple[str, ...]
"""The beginning of a command line."""

MIB = 1 << 20
BUFFER = 64 * MIB
"""What a stream may hold, for those that have such an option."""


class Take(Enum):
    """What is asked of a program, and where its output goes."""

    DISK = auto()
    PIPE = auto()
    """Into `cat`, and from there into a file."""
    FIRST = auto()
    """Into a reader that looks at the clock when the first byte arrives."""
    SLOW = auto()
    """Into a reader of 5 MB/s."""
    IMPORTS = auto()
    """As PIPE, with Python telling what it imports."""
    VERSION = auto()
    """Nothing is fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What to fetch, from where, to where, with how many connections."""

    take: Take
    urls: tuple[str, ...] = ()
    lanes: int = 1
    folder: Path
    """An empty one, for what it writes."""
    cacert: Path | None = None

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def many(self) -> bool:
        return len(self.urls) > 1

    def listed(self) -> str:
        """A file with all addresses, one a line."""
        path = self.folder.with_suffix(".txt")
        path.write_text("\n".join(self.urls))
        return str(path)


def _hydra(errand: Errand) -> list[str]:
    lanes = [] if errand.many else ["-t", str(errand.lanes)]
    tls = ["--cacert", str(errand.cacert)] if errand.cacert else []
    if errand.take is Take.DISK:
        how = ["--no-ui", "-q", *lanes, "-o", str(errand.folder)]
    else:
        how = ["--stream", "-q", *lanes, "-b", str(BUFFER // MIB)]
    what = ["-i", errand.listed()] if errand.many else [errand.url]
    return [*how, *tls, *what]


def _aria2c(errand: Errand) -> list[str]:
    common = ["--no-conf", "-q", "--file-allocation=none", "--allow-overwrite=true"]
    tls = [f"--ca-certificate={errand.cacert}"] if errand.cacert else []
    place = ["-d", str(errand.folder)]
    if not errand.many:
        lanes = str(min(errand.lanes, 16))  # aria2c allows no more to one server
        return [*common, *tls, f"-x{lanes}", f"-s{lanes}", "-k1M", *place, errand.url]
    return [*common, *tls, "-j16", *place, "-i", errand.listed()]


def _axel(errand: Errand) -> list[str]:
    """Not for HTTPS: it knows no certificate of an address that is a number."""
    place = ["-o", str(errand.folder / "out")]
    return ["-q", "-n", str(errand.lanes), *place, errand.url]


def _curl(errand: Errand) -> list[str]:
    tls = ["--http2", "--cacert", str(errand.cacert)] if errand.cacert else []
    place = ["-O", "--output-dir", str(errand.folder)]
    return ["-q", "-s", *tls, *(place if errand.take is Take.DISK else []), errand.url]


def _hydrastream(errand: Errand) -> list[str]:
    how = ["-nu", "-q", "-t", str(errand.lanes)]
    if errand.take is Take.DISK:
        return [*how, "-o", str(errand.folder), *errand.urls]
    return [*how, "-s", "-b", str(BUFFER), *errand.urls]


@dataclass(frozen=True, slots=True)
class Peer:
    """A program and its language."""

    name: str
    arguments: Callable[[Errand], list[str]]
    program: str
    """What it is called on the path."""
    litter: frozenset[str] = frozenset()
    """Files it writes beside the one that was asked for."""

    def locate(self) -> Program | None:
        """None where it is not installed."""
        found = shutil.which(self.program)
        return (found,) if found else None

    def argv(self, program: Program, errand: Errand) -> Program:
        if errand.take is Take.VERSION:
            return (*program, "--version")
        return (*program, *self.arguments(errand))


class Ours(Peer):
    """The one that is judged: of this environment first, installed or not."""

    def locate(self) -> Program | None:
        script = Path(sys.executable).with_name(self.program)
        if script.exists():
            return (str(script),)
        if importlib.util.find_spec("hydratui.cli") is not None:
            return (sys.executable, "-m", "hydratui.cli")
        return super().locate()


OURS = "hydra-tui"

PEERS = {
    peer.name: peer
    for peer in (
        Ours(OURS, _hydra, "hydra-tui"),
        Peer("aria2c", _aria2c, "aria2c"),
        Peer("axel", _axel, "axel"),
        Peer("curl", _curl, "curl"),
        Peer("HydraStream", _hydrastream, "hs", frozenset({"download.log"})),
    )
}


def version(program: Program) -> str:
    """The first line it says about itself."""
    said = subprocess.run(
        [*program, "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    return said.stdout.strip().partition("\n")[0].partition(" (")[0] or "no --version"
