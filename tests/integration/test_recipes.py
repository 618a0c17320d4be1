"""The README's recipes, word for word, in a folder where nothing is.

The network is a double: a proxy leads every host to one origin that speaks TLS, so
that addresses stay what they are in the README. All else is real: the shell, the
wheel that was built and installed, tar, ssh and tmux.
"""

from __future__ import annotations

import asyncio
import getpass
import io
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from engine.testing import Content, Origin, Resource
from tests.support.packages import SYSTEM, Environment, Ran, must, nobody, run
from tests.support.proxies import HOST, HttpProxy
from tests.support.readme import blocks, recipe, section
from tests.terminal.support import Terminal, opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

GENOME = Content(15_000_017, seed=9)
SAMPLES = (Content(3_000_017, seed=1), Content(2_000_003, seed=2))
CTRL_B, CTRL_S = "\x02", "\x13"
UPLINK = 5e6
"""Bytes per second of everything, where somebody is to be interrupted."""
PACKED = {"data/one.bin": Content(2_000_017, seed=3), "data/two.bin": Content(17)}


def archive(mode: str) -> Content:
    """What `data` is, packed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in PACKED.items():
            member = tarfile.TarInfo(name)
            member.size = content.size
            tar.addfile(member, io.BytesIO(content.read()))
    return Content.of(packed.getvalue())


FILES = {
    "/data.tar": Resource(archive("w")),
    "/data.tar.gz": Resource(archive("w:gz")),
    "/genome.fa.gz": Resource(GENOME),
    "/sample-1.bam": Resource(SAMPLES[0]),
    "/sample-2.bam": Resource(SAMPLES[1]),
}


class Everywhere(HttpProxy):
    """Leads to the one origin, whoever is asked for."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def _reach(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append(f"{host}:{port}")
        return await asyncio.open_connection(HOST, self._port)


@dataclass(frozen=True, slots=True)
class World:
    """All that somebody has: an empty folder, a command, a network."""

    folder: Path
    origin: Origin
    proxy: Everywhere
    variables: Mapping[str, str]

    async def types(self, script: str) -> Ran:
        """What becomes of what somebody types."""
        return await run("bash", "-c", script, cwd=self.folder, env=self.variables)

    def begins(self, script: str) -> subprocess.Popen[bytes]:
        """The same, for who does not wait for the end."""
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def window(self, script: str) -> AbstractAsyncContextManager[Terminal]:
        """The same, on a terminal."""
        program = ("env", *_assignments(self.variables), "bash", "-c", script)
        return opened(self.folder, program=program)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def names(self) -> set[str]:
        """Every file that there is."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found}


def _assignments(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in variables.items()]


@asynccontextmanager
async def world(
    installed: Environment, tmp_path: Path, uplink: float | None = None
) -> AsyncIterator[World]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    names = ("example.org", "*.example.org", "*.example.net")
    authority.issue_cert(*names).configure_cert(context)
    (folder := tmp_path / "here").mkdir()
    (home := tmp_path / "home").mkdir()
    async with (
        Origin(FILES, ssl=context, uplink=uplink) as origin,
        Everywhere(origin.port) as proxy,
    ):
        variables = nobody(home, installed.programs) | {
            "https_proxy": proxy.url(),
            "HYDRA_TUI_CACERT": str(tmp_path / "ca.pem"),
        }
        yield World(folder, origin, proxy, variables)


@pytest.fixture
async def here(installed: Environment, tmp_path: Path) -> AsyncIterator[World]:
    async with world(installed, tmp_path) as made:
        yield made


async def test_unpack_without_storing(here: World) -> None:
    """The archive is unpacked, and itself stored nowhere."""
    [script] = recipe("Unpack an archive without storing it.")
    ran = await here.types(script)
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert here.names() == set(PACKED)
    assert all(here.read(name) == content.read() for name, content in PACKED.items())
    assert set(here.proxy.asked) == {"example.org:443"}


async def test_unpack_what_is_not_there(here: World) -> None:
    """A download that fails is a line that fails."""
    [script] = recipe("Unpack an archive without storing it.")
    ran = await here.types(script.replace("data.tar.gz", "none.tar.gz"))
    assert ran.code != 0
    assert "404" in ran.err


async def test_unpack_what_needs_no_last_bytes(here: World) -> None:
    """`tar` leaves before the zeros at the end: the stream has failed nobody."""
    for _ in range(3):
        ran = await here.types(
            "set -o pipefail; hydra-tui -s https://example.org/data.tar | tar x"
        )
        assert (ran.code, ran.out) == (0, ""), ran.err
    assert here.names() == set(PACKED)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_a_genome_that_resumes(
    installed: Environment, tmp_path: Path, end: signal.Signals
) -> None:
    """Stopped by Ctrl-C or killed, the same line goes on where it stood."""
    [script] = recipe("A genome that resumes.")
    async with world(installed, tmp_path, UPLINK) as here:
        with here.begins(script) as first:
            await here.origin.until(lambda: here.origin.served > GENOME.size * 2 // 3)
            os.killpg(first.pid, end)
            first.wait()
        assert "genomes/genome.fa.gz" not in here.names()
        before = here.origin.served
        ran = await here.types(script)
        assert ran.code == 0, ran.err
        assert here.read("genomes/genome.fa.gz") == GENOME.read()
        assert here.origin.served - before < GENOME.size * 0.9
        assert here.names() == {"genomes/genome.fa.gz"}


async def test_a_batch_with_checksums(here: World) -> None:
    """Every file is checked; run again, nothing is fetched that is here."""
    [script] = recipe("A batch with checksums.")
    assert all(content.digest() in script for content in SAMPLES)
    ran = await here.types(script)
    assert ran.code == 0, ran.err
    for number, content in enumerate(SAMPLES, 1):
        assert here.read(f"samples/sample-{number}.bam") == content.read()
    times = {path: path.stat().st_mtime_ns for path in here.folder.glob("samples/*")}
    before = here.origin.served
    again = await here.types(script)
    assert again.code == 0, again.err
    assert here.origin.served - before < sum(c.size for c in SAMPLES) // 4
    assert times == {p: p.stat().st_mtime_ns for p in here.folder.glob("samples/*")}


async def test_a_batch_with_a_wrong_file(here: World) -> None:
    """One file of the batch that is not what it should be: 5, and it is told which."""
    [script] = recipe("A batch with checksums.")
    here.origin.resources["/sample-2.bam"] = Resource(Content(2_000_003, seed=7))
    ran = await here.types(script)
    assert ran.code == 5
    assert "sample-2.bam" in ran.err
    assert "samples/sample-1.bam" in here.names()
    assert "samples/sample-2.bam" not in here.names()


async def test_from_python(here: World) -> None:
    """A digest of what is never stored."""
    [program] = recipe("From Python.", "python")
    (here.folder / "fetch.py").write_text(program)
    ran = await here.types("python -W error fetch.py")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{GENOME.digest()} genome.fa.gz\n"
    assert here.names() == {"fetch.py"}


# -- over SSH


@pytest.fixture
def far(here: World, tmp_path: Path) -> World:
    """The same, and one more machine: an sshd with keys of its own.

    It is not listened for: the client starts it, and talks with it through a pipe.
    """
    path = os.pathsep.join((SYSTEM, "/usr/sbin"))
    for program in ("ssh", "ssh-keygen", "sshd", "tmux"):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"{program} is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it, for root
    keys = tmp_path / "ssh"
    (keys / "bin").mkdir(parents=True)
    for name in ("host", "own"):
        generate = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name)
        must(*generate, cwd=keys)
    sshd = _sshd(keys, here.variables, tmp_path)
    _ssh(keys, f"{shutil.which('sshd', path=path)} -i -f {sshd}")
    programs = os.pathsep.join((str(keys / "bin"), SYSTEM))
    return World(
        here.folder, here.origin, here.proxy, {**here.variables, "PATH": programs}
    )


def _sshd(keys: Path, variables: Mapping[str, str], folder: Path) -> Path:
    """Its configuration; who logs in has the command, and nobody's settings."""
    there = {
        **{name: text for name, text in variables.items() if name != "TERM"},
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "HYDRA_TUI_OUTPUT": str(folder / "far"),
        "TMUX_TMPDIR": str(folder),
    }
    lines = [
        f"HostKey {keys / 'host'}",
        f"AuthorizedKeysFile {keys / 'own.pub'}",
        "PermitRootLogin prohibit-password",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        f"SetEnv {' '.join(_assignments(there))}",
    ]
    path = keys / "sshd_config"
    path.write_text("\n".join([*lines, ""]))
    return path


def _ssh(keys: Path, server: str) -> None:
    """A client that knows one machine, by the name that the README gives it."""
    known = (keys / "host.pub").read_text()
    (keys / "known_hosts").write_text(f"far.example.org {known}")
    lines = [
        "Host far.example.org",
        f"User {getpass.getuser()}",
        f"IdentityFile {keys / 'own'}",
        "IdentitiesOnly yes",
        f"UserKnownHostsFile {keys / 'known_hosts'}",
        "LogLevel ERROR",
        f"ProxyCommand {server} 2>/dev/null",
    ]
    (keys / "ssh_config").write_text("\n".join([*lines, ""]))
    program = keys / "bin" / "ssh"
    real = shlex.quote(str(shutil.which("ssh")))
    program.write_text(f'#!/bin/sh\nexec {real} -F {keys / "ssh_config"} "$@"\n')
    program.chmod(0o755)


async def test_a_queue_that_nobody_looks_at(far: World, tmp_path: Path) -> None:
    """The queue goes on while nobody looks, and the same line shows it again."""
    script, _ = recipe("A queue over SSH.")
    far.origin.resources["/genome.fa.gz"] = Resource(GENOME, rate=5e5)
    tmux = ("env", f"TMUX_TMPDIR={tmp_path}", "tmux")
    try:
        async with far.window(script) as terminal:
            await terminal.shows("Nothing queued yet", "[downloads")
            terminal.paste("https://example.org/genome.fa.gz")
            await terminal.shows("Add downloads", "1 ok")
            terminal.type(CTRL_S)
            await terminal.shows("added 1")
            terminal.type(f"{CTRL_B}d")
            assert await terminal.ended() == 0
        left = far.origin.served
        assert must(*tmux, "list-sessions", cwd=tmp_path).startswith("downloads:")
        await far.origin.until(lambda: far.origin.served >= GENOME.size > left)
        async with far.window(script) as terminal:
            await terminal.shows("genome.fa.gz", "✓", "[downloads")
    finally:
        await run(*tmux, "kill-server", cwd=tmp_path)
    fetched = tmp_path / "far" / "genome.fa.gz"
    assert fetched.read_bytes() == GENOME.read()


async def test_a_stream_from_another_machine(far: World) -> None:
    """What only the far machine can reach comes here, byte for byte."""
    _, script = recipe("A queue over SSH.")
    ran = await far.types(script)
    assert ran.code == 0, ran.err
    assert far.read("data.tar.gz") == FILES["/data.tar.gz"].content.read()


# -- the other commands of the README


LOOK = "hydra-tui --dry-run URL"


def commands() -> list[str]:
    """What stands in its list of commands, but for the empty screen."""
    [listed] = blocks(section("What it does"), "sh")[:1]
    lines = [line.partition("  #")[0].strip() for line in listed.splitlines()]
    return [line for line in lines if line not in {"", "hydra-tui", LOOK}]


def spelled_out(command: str) -> str:
    """With real addresses and a real digest where the README has words for them."""
    addressed = re.sub(r"\bURL\b", "https://example.org/data.tar", command)
    addressed = re.sub(
        r"\bURL(\d)\b", r"https://mirror-\1.example.net/data.tar", addressed
    )
    digest = FILES["/data.tar"].content.digest()
    return re.sub(r"sha256:[0-9a-f]+…", f"sha256:{digest}", addressed)


METALINK = """\
<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="data.tar">
<url>https://example.org/data.tar</url></file></metalink>
"""


@pytest.mark.parametrize("command", commands())
async def test_the_list_of_commands(here: World, command: str) -> None:
    """Each command that the README lists does what is said beside it."""
    (here.folder / "list.txt").write_text("https://example.org/data.tar\n")
    (here.folder / "ubuntu.meta4").write_text(METALINK)
    given = here.names()
    ran = await here.types(spelled_out(command))
    assert (ran.code, ran.out) == (0, ""), ran.err
    made = here.names() - given
    assert made
    assert not [name for name in made if ".part" in name]


async def test_a_look_makes_nothing(here: World) -> None:
    """What it says goes to standard output; it is in the list of commands, too."""
    assert LOOK in blocks(section("What it does"), "sh")[0]
    ran = await here.types(spelled_out(LOOK))
    assert (ran.code, ran.err) == (0, "")
    assert "  size       1.91 MiB" in ran.out
    assert not here.names()


async def test_what_is_typed_in_a_shell(here: World, tmp_path: Path) -> None:
    """Completions are loaded and written, and a list comes from a pipe."""
    fish = tmp_path / "home" / ".config/fish/completions"
    fish.mkdir(parents=True)
    links = "".join(f'<a href="https://example.org{path}">' for path in FILES)
    (here.folder / "index.html").write_text(links)
    [lines] = blocks(section("In a shell"), "sh")
    ran = await here.types(f"set -e -o pipefail\n{lines}complete -p hydra-tui")
    assert ran.code == 0, ran.err
    assert b"hydra-tui" in (fish / "hydra-tui.fish").read_bytes()
    assert ran.out.startswith("complete ")
    packed = {"download/data.tar.gz", "download/genome.fa.gz"}
    assert here.names() == {"index.html", *packed}
