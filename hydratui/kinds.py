"""What a value may be: how it is written, what is allowed, what it means.

Every layer of the settings hands over text; a kind turns it into what the engine
takes. Where a text is wrong in itself it raises ValueError with what is needed, and
UsageError where the reason already shows the value. The engine is imported when a
value is wanted, not before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

Toml = str | int | float | bool | list[str]
"""What a key of the file may hold."""

AUTO, NONE = "auto", "none"
_MASK = "***"
_USERINFO = r"(?<=://)[^\s/@]+(?=@)"
_PROXY_USERINFO = r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@"
_QUERY_VALUE = r"(?<==)[^&#\s=][^&#\s]*(?=[&#\s]|$)"
_INTEGER = r"[+-]?(?:0|[1-9]\d{0,17})"
_DECIMAL = r"[+-]?\d{1,15}\.\d{1,15}"


class Kind:
    """Words, as they are; an empty one is none."""

    needed = "a string is needed"
    choices: Sequence[str] = ()
    """All there is to choose from; empty where anything may be written."""
    proposed: Sequence[str] = ()
    """What a shell may complete where there are no choices: words people often mean."""
    lenient = False
    """Whether an empty text is as good as the built-in one."""

    def __init__(self, allowed: str = "", *, unit: str = "") -> None:
        self._allowed = allowed
        self.unit = unit
        """What a bare number counts, as people read it."""

    @property
    def allowed(self) -> str:
        """What may be written, in words."""
        return self._allowed

    def parse(self, text: str) -> object:
        """What the text means."""
        return text or None

    def masked(self, text: str) -> str:
        """The text as it may be shown."""
        return re.sub(_USERINFO, _MASK, text)

    def revealed(self, text: str, known: str) -> str:
        """What somebody made of `masked(known)`, with the secrets back in their place."""
        return known if text == self.masked(known) else text

    def read(self, raw: object) -> str:
        """A value of the file as text."""
        if isinstance(raw, str):
            return raw
        raise ValueError(self.needed)

    def write(self, text: str) -> Toml:
        """The text as a value of the file."""
        return text


class _Number(Kind):
    """What may stand in the file as a bare number."""

    needed = "a number is needed"

    def read(self, raw: object) -> str:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return repr(raw)
        return super().read(raw)

    def write(self, text: str) -> Toml:
        plain = text.strip()
        if re.fullmatch(_INTEGER, plain):
            return int(plain)
        return float(plain) if re.fullmatch(_DECIMAL, plain) else text


class Count(_Number):
    """A whole number, or `auto`."""

    def parse(self, text: str) -> object:
        if text.strip() == AUTO:
            return None
        try:
            return int(text)
        except ValueError:
            raise ValueError("a whole number is needed, or auto") from None


class Seconds(_Number):
    """A span of time; `auto` where the engine has a rule of its own."""

    def __init__(self, allowed: str, *, auto: bool = False) -> None:
        super().__init__(allowed, unit="s")
        self._auto = auto

    def parse(self, text: str) -> object:
        if self._auto and text.strip() == AUTO:
            return None
        try:
            return float(text)
        except ValueError:
            raise ValueError("a number is needed") from None


class Size(_Number):
    """Some MiB, or with K, M, G or Ki, Mi, Gi behind it."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed, unit="MiB")

    def parse(self, text: str) -> object:
        return _bytes(text, "Mi")


class Rate(_Number):
    """Some MB/s, or with K, M, G or Ki, Mi, Gi behind it; `none` lifts the limit.

    With times before them, several: `08:00,2M 23:00,none`.
    """

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed, unit="MB/s")

    def parse(self, text: str) -> object:
        if ":" not in text:
            return _rate(text)
        from engine import Timetable

        return Timetable(tuple(map(_timed, text.split())))


def _timed(text: str) -> tuple[int, float | None]:
    """A time of the day in minutes, and the rate from then."""
    time, comma, rate = text.partition(",")
    clock = re.fullmatch(r"(\d{1,2}):(\d\d)", time)
    if not comma or clock is None or int(clock[2]) > 59:
        raise ValueError(f"{text!r}: it is written as HH:MM,RATE")
    return int(clock[1]) * 60 + int(clock[2]), _rate(rate)


def _rate(text: str) -> int | None:
    return None if text.strip() in {NONE, "off"} else _bytes(text, "M")


def _bytes(text: str, unit: str) -> int:
    from engine import parse_size

    try:
        return parse_size(text, unit)
    except OverflowError:
        raise ValueError("that is too much") from None


class Switch(Kind):
    """On or off."""

    needed = "true or false is needed"
    _WORDS = {"true": True, "yes": True, "on": True, "1": True}  # noqa: RUF012
    _WORDS |= {"false": False, "no": False, "off": False, "0": False}

    def __init__(self) -> None:
        super().__init__("true or false")

    def parse(self, text: str) -> object:
        try:
            return self._WORDS[text.strip().lower()]
        except KeyError:
            raise ValueError(self.needed) from None

    def read(self, raw: object) -> str:
        return str(raw).lower() if isinstance(raw, bool) else super().read(raw)

    def write(self, text: str) -> Toml:
        return bool(Switch.parse(self, text))


class Netrc(Switch):
    """On or off: whether logins come from the file that many programs share."""

    def parse(self, text: str) -> object:
        """Where it is, if it is wanted: at $NETRC, or in the home directory."""
        from pathlib import Path

        from engine import check_netrc

        if not super().parse(text):
            return None
        name = os.environ.get("NETRC") or "~/.netrc"
        path = Path(os.path.expanduser(name))  # noqa: PTH111
        check_netrc(path)
        return path


class Word(Kind):
    """One of a few words."""

    def __init__(self, *choices: str) -> None:
        super().__init__(", ".join(choices))
        self.choices = choices

    def parse(self, text: str) -> object:
        if text not in self.choices:
            raise ValueError(f"it is one of {self.allowed}")
        return text


class Conflict(Word):
    """What to do with a name that is taken."""

    def __init__(self) -> None:
        super().__init__("rename", "overwrite", "skip", "fail")

    def parse(self, text: str) -> object:
        from engine import OnConflict

        return OnConflict(str(super().parse(text)))


class Browser(Kind):
    """Whose fingerprint to show; `none` is plain curl."""

    lenient = True

    @property
    def choices(self) -> Sequence[str]:  # type: ignore[override]
        from engine import browsers

        return (NONE, *browsers())

    def parse(self, text: str) -> object:
        from engine import UsageError

        if text not in self.choices:
            known = ", ".join(self.choices)
            raise UsageError(f"unknown browser {text!r}; known are {known}")
        return None if text == NONE else text


class Algorithm(Kind):
    """A hash algorithm, by any of the names people use."""

    proposed = (
        *("md5", "sha1", "sha2", "sha224", "sha256", "sha384", "sha512"),
        *("sha3", "sha3_224", "sha3_256", "sha3_384", "sha3_512"),
        *("blake2", "blake2b", "blake2s"),
    )

    def parse(self, text: str) -> object:
        from engine import algorithm_named

        return algorithm_named(text)


class Folder(Kind):
    """A directory, that may yet have to be made."""

    lenient = True

    def parse(self, text: str) -> object:
        from pathlib import Path

        return Path(os.path.expanduser(text))  # noqa: PTH111


class File(Kind):
    """A file that is there and may be read."""

    def parse(self, text: str) -> object:
        from pathlib import Path

        name = os.path.expanduser(text)  # noqa: PTH111
        try:
            readable = os.access(name, os.R_OK)
        except ValueError:
            readable = False
        if not readable:
            raise ValueError("it cannot be read")
        return Path(name)


class CookieFile(File):
    """A file of cookies; it is read more than once, which a pipe cannot be."""

    def parse(self, text: str) -> object:
        from pathlib import Path

        from engine import UsageError, read_cookie_file

        path = super().parse(text)
        assert isinstance(path, Path)
        if path.is_fifo():
            raise ValueError("it is a pipe, a file is needed")
        try:
            read_cookie_file(path)
        except UsageError as error:
            raise ValueError(str(error).removeprefix(f"{path}: ")) from None
        return path


class Login(Kind):
    """A user and a password, as `user:password`."""

    def parse(self, text: str) -> object:
        from engine import parse_login

        return parse_login(text) if text else None

    def masked(self, text: str) -> str:
        user, colon, _ = text.partition(":")
        return f"{user}:{_MASK}" if colon else text


class Proxy(Kind):
    """The URL of a proxy, `none`, or `auto`, which leaves it to the environment."""

    lenient = True

    def parse(self, text: str) -> object:
        return {AUTO: None, NONE: ""}.get(text, text)

    def masked(self, text: str) -> str:
        return re.sub(_PROXY_USERINFO, rf"\1{_MASK}@", text)


class Lines(Kind):
    """Several of a kind, one a line; typed again and again, a list in the file."""

    def read(self, raw: object) -> str:
        items = raw if isinstance(raw, list) else [raw]
        return self.joined([super(Lines, self).read(item) for item in items])

    def joined(self, items: Iterable[str]) -> str:
        """Several of them as one text."""
        items = list(items)
        for item in items:
            if "\n" in item:
                shown = self.masked(item.partition("\n")[0])
                raise ValueError(f"{shown!r}: line breaks are not allowed")
        return "\n".join(items)

    def write(self, text: str) -> Toml:
        return _lines(text)


class Headers(Lines):
    """Request headers, one a line."""

    needed = "a list of 'Name: value' is needed"

    def parse(self, text: str) -> object:
        return tuple(map(_header, _lines(text)))

    def masked(self, text: str) -> str:
        return "\n".join(map(_masked, _lines(text)))

    def revealed(self, text: str, known: str) -> str:
        secrets = _lines(known)
        return "\n".join(_revealed(line, secrets) for line in _lines(text))


class Links(Lines):
    """URLs, one a line."""

    needed = "a list of URLs is needed"

    def parse(self, text: str) -> object:
        from engine import check_url

        links = tuple(_lines(text))
        for link in links:
            check_url(link)
        return links

    def masked(self, text: str) -> str:
        return re.sub(_QUERY_VALUE, _MASK, super().masked(text))


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _header(text: str) -> tuple[str, str]:
    from engine import UsageError

    name, colon, value = text.partition(":")
    if not colon:
        first, *rest = text.split(maxsplit=1) or [text]
        shown = first + " ..." if rest else text
        raise UsageError(f"{shown!r}: it is written as 'Name: value'")
    return name.strip(), value.strip()


def _masked(header: str) -> str:
    from engine import is_secret

    name, colon, _ = header.partition(":")
    secret = colon and is_secret(name)
    return f"{name}: {_MASK}" if secret else re.sub(_USERINFO, _MASK, header)


def _revealed(line: str, secrets: list[str]) -> str:
    """The header that is shown as this line, each of them once."""
    for secret in secrets:
        if line == _masked(secret):
            secrets.remove(secret)
            return secret
    return line
