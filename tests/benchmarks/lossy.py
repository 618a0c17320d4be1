"""Real nginx at the far end of a wire that is long, and loses packets.

    python -m tests.benchmarks.lossy NEAR FAR LOSS DELAY

Not every kernel can delay packets, so the wire is this program: a device in each of
two network namespaces, and what goes into one comes out of the other, a while later.
No packet is larger than on a real one, and a loss is taken for a sign of congestion,
as by most servers.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.testing import Content
from tests.benchmarks.sites import Served, UnavailableError
from tests.support import nginx
from tests.support.network import Network, network
from tests.support.payload import Payload

LACKING = "needs root, ip, nginx and /dev/net/tun"
TUN = Path("/dev/net/tun")
SET_INTERFACE = 0x400454CA
PACKETS_ONLY = 0x1001
"""An interface of IP packets, without a header before each."""
LARGEST = 1 << 16
QUEUE = 10_000
"""Packets that may wait for this program: none is lost but those that shall be."""

HOSTS = ("10.7.0.1", "10.7.0.2")
"""Near and far."""

CONFIG = """\
daemon off;
worker_processes 1;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {host}:80; root {root}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class LossySite:
    """One file; those who fetch it run at the near end."""

    size: int
    loss: float
    """The share of packets that vanish, in each direction."""
    delay: float
    """Seconds that a packet takes, in each direction."""

    @contextlib.contextmanager
    def serve(self, folder: Path) -> Iterator[Served]:
        if not available():
            raise UnavailableError(LACKING)
        root = folder / f"lossy-{self.size}"
        root.mkdir(exist_ok=True)
        Payload.make(root, {"file": self.size})
        with (
            network() as near,
            network() as far,
            wire(near, far, self.loss, self.delay),
            server(far, root),
        ):
            url = f"http://{HOSTS[1]}/file"
            yield Served((url,), (Content(self.size),), prefix=near.prefix)


def available() -> bool:
    tools = shutil.which("ip") and nginx.program()
    return os.geteuid() == 0 and tools is not None and TUN.exists()


@contextlib.contextmanager
def wire(near: Network, far: Network, loss: float, delay: float) -> Iterator[None]:
    """From one namespace to the other, for as long as this lasts."""
    names = (near.prefix[-1], far.prefix[-1])
    ends = [sys.executable, "-m", __spec__.name, *names, f"{loss}", f"{delay}"]
    with _child(ends, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if not child.stdout.readline():
            raise UnavailableError("no wire could be made")
        yield


@contextlib.contextmanager
def server(far: Network, root: Path) -> Iterator[None]:
    with TemporaryDirectory(prefix="nginx-") as name:
        folder = Path(name)
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, root=root, host=HOSTS[1]))
        program = str(nginx.program())
        how = ["-p", str(folder), "-c", str(config), "-e", "error.log"]
        with _child([*far.prefix, program, *how]) as child:
            while not (folder / "pid").exists():
                if child.poll() is not None:
                    raise UnavailableError((folder / "error.log").read_text().strip())
                time.sleep(0.01)  # nginx tells nobody but its pid file
            yield


@contextlib.contextmanager
def _child(
    argv: list[str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=stdout, cwd=root
    ) as child:
        try:
            yield child
        finally:
            child.terminate()


# -- the wire itself ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Direction:
    """From one end to the other: what is on its way, and when each is due."""

    source: int
    sink: int
    loss: float
    delay: float
    luck: random.Random
    packets: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, now: float) -> None:
        """All that has been put in."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.source, LARGEST)
                if self.luck.random() >= self.loss:
                    self.packets.append((now + self.delay, packet))

    def give(self, now: float) -> None:
        """All that is due."""
        while self.packets and self.packets[0][0] <= now:
            os.write(self.sink, self.packets.popleft()[1])

    def wait(self, now: float) -> float:
        """Seconds until the next is due."""
        return max(self.packets[0][0] - now, 0.0) if self.packets else 1.0


def main() -> None:
    near, far, loss, delay = sys.argv[1:]
    ends = [
        _end(name, host, other)
        for name, host, other in zip((near, far), HOSTS, HOSTS[::-1], strict=True)
    ]
    directions = [
        Direction(source, sink, float(loss), float(delay), random.Random(source))
        for source, sink in (ends, ends[::-1])
    ]
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        for each in directions:
            each.take(now)
            each.give(now)
        select.select(ends, (), (), min(each.wait(now) for each in directions))


def _end(namespace: str, host: str, other: str) -> int:
    """A device in that namespace, and where its packets come from and go to."""
    device = f"wire-{namespace[-8:]}"
    end = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(
        end, SET_INTERFACE, struct.pack("16sH22x", device.encode(), PACKETS_ONLY)
    )
    for command in (
        f"ip link set {device} netns {namespace}",
        f"ip -n {namespace} address add {host} peer {other} dev {device}",
        f"ip -n {namespace} link set {device} mtu 1500 txqueuelen {QUEUE} up",
        f"ip -n {namespace} route replace {other} dev {device} congctl cubic",
    ):
        subprocess.run(command.split(), check=True)
    return end


if __name__ == "__main__":
    main()
