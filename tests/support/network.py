"""A network of its own, which a test may break: a namespace with a loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

SKIP_REASON = "needs root, ip and iptables to make a network namespace"

Rule = tuple[str, ...]
SILENCE: Rule = ("-j", "DROP")
"""Packets vanish: a total outage."""
RESETS: Rule = ("-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")


def loss(share: float) -> Rule:
    """One packet in so many vanishes."""
    how = ("-m", "statistic", "--mode", "random", "--probability", f"{share:g}")
    return (*how, "-j", "DROP")


class Network:
    """A namespace; what is run with its prefix sees no other network."""

    def __init__(self, name: str) -> None:
        self.prefix = ("ip", "netns", "exec", name)

    @contextmanager
    def broken(self, rule: Rule) -> Iterator[None]:
        """While this lasts, packets meet with the rule."""
        self._iptables("-A", rule)
        try:
            yield
        finally:
            self._iptables("-D", rule)

    def _iptables(self, verb: str, rule: Rule) -> None:
        subprocess.run([*self.prefix, "iptables", verb, "INPUT", *rule], check=True)


def available() -> bool:
    if os.geteuid() or not all(map(shutil.which, ("ip", "iptables"))):
        return False
    with network() as made:
        probing = [*made.prefix, "iptables", "-L"]
        return not subprocess.run(probing, capture_output=True, check=False).returncode


@contextmanager
def network() -> Iterator[Network]:
    name = f"hydra-{uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        made = Network(name)
        up = [*made.prefix, "ip", "link", "set", "lo", "up"]
        subprocess.run(up, check=True)
        yield made
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
