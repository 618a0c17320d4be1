"""The one table of options: what can be set, how it is written, what it means.

The command line, `config.toml`, the `HYDRA_TUI_*` variables, `--print-config`, the
settings screen, the completions and the manual all read it here: the same names,
words and units.

`--version` reads the table too. So no engine is loaded before a value is wanted, and
the rows are named tuples: dataclasses load `inspect`, a third of what that command
takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from hydratui.kinds import (
    Algorithm,
    Browser,
    Conflict,
    CookieFile,
    Count,
    File,
    Folder,
    Headers,
    Kind,
    Links,
    Login,
    Netrc,
    Proxy,
    Rate,
    Seconds,
    Size,
    Switch,
    Word,
)

PREFIX = "HYDRA_TUI_"
"""What the variables of the environment begin with."""


class Effect(Enum):
    """When a changed value begins to count, in an app that runs."""

    NOW = "at once"
    NEW = "for new downloads"
    START = "from the next start"


class Option(NamedTuple):
    """One thing that can be set."""

    name: str
    kind: Kind
    help: str
    group: str = ""
    label: str = ""
    """What the settings screen calls it; it shows none without a label."""
    metavar: str = ""
    short: str = ""
    default: str = ""
    """The built-in value as text; nothing, where there is none."""
    field: str = ""
    """What it sets in the engine's Config, if anything."""
    effect: Effect = Effect.START
    typed: bool = True
    """Whether it is an option of the command line too."""
    off: str = ""
    """The short form of its opposite, where a switch that is on has one."""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def opposite(self) -> str:
        """What turns a switch off."""
        return f"--no-{self.name}"

    @property
    def variable(self) -> str:
        return PREFIX + self.name.replace("-", "_").upper()

    def parse(self, text: str) -> object:
        """The value of a text.

        Where it has none, ValueError says what is needed, and UsageError shows the
        value as well.
        """
        if not text and self.kind.lenient:
            text = self.default
        value = self.kind.parse(text)
        if self.field:
            self._ask_engine(value)
        return value

    def _ask_engine(self, value: object) -> None:
        from engine import Config, UsageError

        alone: dict[str, Any] = {self.field: value}
        try:
            Config(**alone)
        except UsageError as error:
            raise UsageError(str(error).removeprefix(f"{self.flag}: ")) from None


_SPEED = (
    Option(
        "threads",
        Count("1 to 128, or auto"),
        "most connections for one file",
        label="Connections per file",
        metavar="N",
        short="-t",
        default="auto",
        field="threads",
        effect=Effect.NEW,
    ),
    Option(
        "jobs",
        Count("1 to 16, or auto"),
        "files at the same time",
        label="Files at once",
        metavar="N",
        default="auto",
        field="jobs",
    ),
    Option(
        "limit",
        Rate("20M, or 10 for 10M, or none; by the hour: '08:00,2M 23:00,none'"),
        "most bytes per second, everything together",
        label="Limit for everything",
        metavar="RATE",
        short="-l",
        default="none",
        field="limit",
        effect=Effect.NOW,
    ),
    Option(
        "min-chunk-mb",
        Size("0.0625 to 1024"),
        "smallest range asked for on disk downloads, in MiB",
        label="Smallest range",
        metavar="MB",
        default="1",
        field="min_chunk",
    ),
)

_STREAM = (
    Option(
        "stream",
        Switch(),
        "bytes to standard output, in order",
        short="-s",
        default="false",
    ),
    Option(
        "buffer",
        Size("4 to 65536"),
        "most memory a stream may hold, in MiB",
        label="Memory of a stream",
        metavar="MB",
        short="-b",
        default="64",
        field="buffer",
    ),
    Option(
        "stream-chunk-mb",
        Size("0.25 to 1024"),
        "largest range of a stream, in MiB",
        label="Largest range",
        metavar="MB",
        default="5",
        field="stream_chunk",
    ),
    Option("force", Switch(), "write a stream to a terminal", default="false"),
)

_NETWORK = (
    Option(
        "connect-timeout",
        Seconds("0.1 or more"),
        "seconds a connection may take to stand",
        label="Connect timeout",
        metavar="S",
        default="15",
        field="connect_timeout",
    ),
    Option(
        "stall-timeout",
        Seconds("0.1 or more"),
        "seconds of silence until a connection is replaced",
        label="Stall timeout",
        metavar="S",
        default="10",
        field="stall_timeout",
    ),
    Option(
        "give-up-after",
        Seconds("0 or more, or auto: 300, and 10 before any byte", auto=True),
        "seconds without progress until a download has failed",
        label="Give up after",
        metavar="S",
        default="auto",
        field="give_up_after",
    ),
    Option(
        "url-command",
        Kind(),
        "prints a fresh URL when the one in $HYDRA_TUI_URL has expired",
        label="Fresh link command",
        metavar="CMD",
        field="url_command",
    ),
    Option(
        "browser",
        Browser("a browser's name, or none"),
        "whose TLS and header fingerprint to show",
        label="Looks like",
        metavar="NAME",
        short="-B",
        default="chrome120",
        field="browser",
    ),
    Option(
        "header",
        Headers("'Name: value'"),
        "a header to send with every request, repeatable",
        label="Headers",
        metavar="'K: V'",
        short="-H",
        field="headers",
    ),
    Option(
        "user",
        Login("user:password"),
        "who to be at the server of each URL, and at no other",
        label="User",
        metavar="U:P",
        short="-u",
        field="user",
    ),
    Option(
        "netrc",
        Netrc(),
        "take logins from $NETRC or ~/.netrc, by host",
        label="Use netrc",
        default="false",
        field="netrc",
    ),
    Option(
        "cookies",
        CookieFile(),
        "cookies to begin with, in Netscape's format; more are taken from answers",
        label="Cookies",
        metavar="FILE",
        field="cookies",
    ),
    Option(
        "proxy",
        Proxy("an http, https or socks URL, or none, or auto"),
        "the way to all servers; auto asks $http_proxy and its like",
        label="Proxy",
        metavar="URL",
        short="-x",
        default="auto",
        field="proxy",
    ),
    Option(
        "cacert",
        File(),
        "certificates to trust instead of the system's",
        label="Certificates",
        metavar="FILE",
        field="cacert",
    ),
    Option(
        "insecure",
        Switch(),
        "do not verify certificates",
        label="Trust any server",
        default="false",
        field="insecure",
    ),
)

_STORAGE = (
    Option(
        "input",
        Kind(),
        "a list of URLs or a Metalink file, - for stdin",
        metavar="FILE",
        short="-i",
    ),
    Option(
        "output",
        Folder(),
        "where files go",
        label="Folder",
        metavar="DIR",
        short="-o",
        default="download",
        field="output",
        effect=Effect.NEW,
    ),
    Option("name", Kind(), "file name, for one URL", metavar="FILE", short="-O"),
    Option(
        "mirror",
        Links(),
        "another source of the file, repeatable, for one URL",
        metavar="URL",
    ),
    Option(
        "on-conflict",
        Conflict(),
        "if another file has the name",
        label="If the name is taken",
        metavar="HOW",
        default="rename",
        field="on_conflict",
    ),
    Option(
        "restart",
        Switch(),
        "begin anew instead of resuming",
        default="false",
        field="restart",
    ),
)

_VERIFY = (
    Option(
        "checksum",
        Kind(),
        "expected digest, or ALGO:HEX, for one URL",
        metavar="HEX",
    ),
    Option(
        "typehash",
        Algorithm("md5, sha1, sha2, sha3 and blake2 families"),
        "algorithm of a --checksum that does not say, preferred where several are known",
        label="Digests are",
        metavar="ALGO",
        short="-th",
        default="md5",
        field="typehash",
    ),
    Option(
        "verify",
        Switch(),
        "look for digests in headers and beside the file",
        label="Look for digests",
        short="-V",
        default="true",
        field="verify",
        off="-N",
    ),
)

_DISPLAY = (
    Option(
        "dry-run",
        Switch(),
        "ask only: size, digest, room and plan on standard output",
        short="-dr",
        default="false",
    ),
    Option(
        "no-ui",
        Switch(),
        "plain text on standard error",
        short="-nu",
        default="false",
    ),
    Option(
        "quiet",
        Switch(),
        "nothing on standard error but the final error",
        short="-q",
        default="false",
    ),
    Option(
        "json",
        Switch(),
        "JSON Lines on standard error instead of text",
        short="-j",
        default="false",
    ),
    Option(
        "debug",
        Switch(),
        "tracebacks, and what curl says into the log file",
        short="-d",
        default="false",
    ),
    Option(
        "theme",
        Kind(),
        "the colours of the app",
        label="Theme",
        default="hydra",
        effect=Effect.NOW,
        typed=False,
    ),
    Option(
        "mouse",
        Switch(),
        "let the app have the mouse, and not the terminal",
        label="Mouse",
        default="true",
        typed=False,
    ),
)


def _in(group: str, options: Iterable[Option]) -> Iterator[Option]:
    return (option._replace(group=group) for option in options)


OPTIONS = (
    *_in("Storage", _STORAGE),
    *_in("Speed", _SPEED),
    *_in("Stream", _STREAM),
    *_in("Network", _NETWORK),
    *_in("Verify", _VERIFY),
    *_in("Display", _DISPLAY),
)
BY_NAME = {option.name: option for option in OPTIONS}

_RUN = (
    Option("demo", Switch(), "try it, with an origin and a folder of its own"),
    Option(
        "config", Kind(), "another config.toml, which must be there", metavar="FILE"
    ),
    Option("print-config", Switch(), "print all settings, and where each comes from"),
    Option(
        "completion",
        Word("bash", "zsh", "fish"),
        "print completions of options",
        metavar="SHELL",
    ),
    Option("man", Switch(), "print the manual, for man -l -"),
    Option("help", Switch(), "show this help", short="-h"),
    Option("version", Switch(), "show the version", short="-v"),
)
RUN = tuple(_in("This run", _RUN))
"""What is asked of one run, and cannot be set for all."""

TYPED = (*(option for option in OPTIONS if option.typed), *RUN)
"""All that may be typed."""
