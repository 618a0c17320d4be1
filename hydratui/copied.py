"""Command lines as browsers and shells have them: curl, wget and aria2c.

`copied` says what such a line would fetch. sh and cmd.exe quote differently; both
are read, with the `$'…'` and the carets that browsers write. Nothing is run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from engine import (
    Digest,
    UsageError,
    algorithm_named,
    check_header,
    parse_digest,
    parse_size,
)

_STARTS = re.compile(r"\s*(?:[$%>]\s+)?(curl|wget|aria2c)(?:\.exe)?(?:\s|$)")
_GET_ONLY = "only GET can be downloaded in parts"

OURS = frozenset(
    {
        *("range", "if-range", "accept-encoding", "host", "content-length"),
        *("connection", "keep-alive", "te", "transfer-encoding", "upgrade"),
        *("if-none-match", "if-modified-since", "if-match", "if-unmodified-since"),
        "proxy-connection",
    }
)
"""Headers that are for the connection, the range or a cache: never one for a job."""


class Meaningless(ValueError):
    """What was written makes no sense; the message says why."""


@dataclass(slots=True)
class Copied:
    """What a command line would fetch, gathered option by option."""

    urls: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """For the first URLs; where empty, that one goes to standard output."""
    directory: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    checksum: Digest | None = None
    limit: float | None = None
    command: str = ""
    """What it is piped into."""
    notes: list[str] = field(default_factory=list)
    """What was left out."""
    user: str | None = None
    password: str | None = None
    globbing: bool = True
    method: str = ""
    sends: str = ""
    """The option that sends data, if one does."""


def is_command(line: str) -> bool:
    """Whether the line begins a command that fetches something."""
    return _STARTS.match(line) is not None


def goes_on(line: str) -> bool:
    """Whether the command goes on in the next line."""
    line = line.rstrip()
    slashes = len(line) - len(line.rstrip("\\"))
    return slashes % 2 == 1 or line.endswith("^")


def copied(text: str) -> Copied:
    """What the command would fetch; Meaningless where it cannot be fetched here."""
    if _is_for_cmd(text):
        text = re.sub(r"\^\n?(.?)", r"\1", text, flags=re.DOTALL)
    start = _STARTS.match(text)
    assert start is not None
    words, command, target = _command(text[start.end() :])
    found = Copied(command=command)
    for meaning, option, value in _options(_TOOLS[start[1]], words):
        _TAKE[meaning](found, option, value)
    if target:
        found.names.insert(0, target)
    _finish(found)
    return found


def _is_for_cmd(text: str) -> bool:
    return '^"' in text or re.search(r"\^[ \t]*(\n|$)", text) is not None


# ------------------------------------------------------------------- words

_PIECE = re.compile(
    r"""
      (?P<gap>\s+)
    | \$'(?P<ansi>[^'\\]*(?:\\.[^'\\]*)*)'
    | \$?"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"
    | '(?P<single>[^']*)'
    | \\(?P<escaped>.?)
    | (?P<plain>[^\s'"\\$]+|\$)
    """,
    re.VERBOSE | re.DOTALL,
)
_ANSI = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})"
    r"|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b"}
_NAMED |= {"e": "\x1b", "E": "\x1b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    quoted: bool
    """Whether any of it was; then it is no operator."""
    stop: int


def _command(text: str) -> tuple[list[str], str, str]:
    """Its words, what its output is piped into and which file it goes to."""
    words: list[str] = []
    target = ""
    every = _split(text)
    for word in every:
        sign = "" if word.quoted else word.text
        if sign == "|":
            return words, text[word.stop :].strip(), target
        if sign in {";", "&", "&&", "||"}:
            break
        if into := re.fullmatch(r"(\d?)>{1,2}(.*)", sign, re.DOTALL):
            name = into[2] or next((word.text for word in every), "")
            target = target if into[1] == "2" else name
        else:
            words.append(word.text)
    return words, "", target


def _split(text: str) -> Iterator[_Word]:
    at, parts, quoted = 0, list[str](), False
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise Meaningless(f"a quote ({text[at]}) is never closed")
        if piece.lastgroup != "gap":
            parts.append(_unquoted(piece))
            quoted = quoted or piece.lastgroup != "plain"
        elif parts:
            yield _Word("".join(parts), quoted, at)
            parts, quoted = [], False
        at = piece.end()
    if parts:
        yield _Word("".join(parts), quoted, at)


def _unquoted(piece: re.Match[str]) -> str:
    kind = piece.lastgroup or ""
    text = piece[kind]
    match kind:
        case "ansi":
            return _ANSI.sub(_ansi, text)
        case "double":
            return re.sub(r'\\(?:\n|([\\"$`]))', r"\1", text)
        case "escaped":
            return text.strip("\n")
        case _:
            return text


def _ansi(match: re.Match[str]) -> str:
    """One escape of a `$'…'`, as bash has it."""
    digits = match[1] or match[2] or match[3]
    if digits:
        code = int(digits, 16)
        return chr(code) if code < 0x110000 else ""
    if match[4]:
        return chr(int(match[4], 8))
    return _NAMED.get(match[5], match[5])


# ----------------------------------------------------------------- options


@dataclass(frozen=True, slots=True)
class _Tool:
    """What its options mean: those with a value, and those without."""

    valued: dict[str, str]
    alone: dict[str, str]


def _table(text: str) -> dict[str, str]:
    rows = (row.split() for row in text.strip().splitlines())
    return {option: meaning for meaning, *options in rows for option in options}


_TOOLS = {
    "curl": _Tool(
        _table("""
            url --url
            header -H --header
            cookie -b --cookie
            user -u --user
            agent -A --user-agent
            referer -e --referer
            name -o --output
            directory --output-dir
            limit --limit-rate
            method -X --request
            sends -d --data --data-raw --data-binary --data-urlencode --data-ascii
            sends --json -F --form --form-string -T --upload-file
            left -x --proxy --preproxy --socks5 --socks5-hostname --cacert --capath
            left -E --cert --key --interface --resolve --connect-to -K --config
            left --netrc-file -r --range
            nothing -m --max-time --connect-timeout --retry --retry-delay
            nothing --retry-max-time -w --write-out -y --speed-time -Y --speed-limit
            nothing -C --continue-at -c --cookie-jar -D --dump-header --stderr
            nothing --trace --trace-ascii -z --time-cond --max-redirs --ciphers
            nothing --keepalive-time --tls-max --max-filesize --parallel-max --proto
        """),
        _table("""
            head -I --head
            left -k --insecure -n --netrc
            globoff -g --globoff
        """),
    ),
    "wget": _Tool(
        _table("""
            header --header
            login --user --http-user
            password --password --http-password
            agent -U --user-agent
            referer --referer
            name -O --output-document
            directory -P --directory-prefix
            limit --limit-rate
            method --method
            sends --post-data --post-file --body-data --body-file
            left -i --input-file --load-cookies --ca-certificate -e --execute
            nothing -o --output-file -a --append-output -t --tries -T --timeout
            nothing -w --wait --waitretry -l --level -A --accept -R --reject -Q
        """),
        _table("""
            left --no-check-certificate -r --recursive -m --mirror
            head --spider
        """),
    ),
    "aria2c": _Tool(
        _table("""
            header --header
            login --http-user
            password --http-passwd
            agent -U --user-agent
            referer --referer
            name -o --out
            directory -d --dir
            checksum --checksum
            limit --max-download-limit
            left -i --input-file --load-cookies --ca-certificate --all-proxy
            left --http-proxy --https-proxy
            nothing -x --max-connection-per-server -s --split -k --min-split-size
            nothing -j --max-concurrent-downloads -l --log -t --timeout -m
            nothing --max-tries --retry-wait --conf-path --file-allocation
        """),
        {},
    ),
}


def _options(tool: _Tool, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What each option means, its name and its value."""
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            if option not in tool.valued:
                yield tool.alone.get(option, "nothing"), option, ""
            else:
                value = value if equals else next(rest, "")
                yield tool.valued[option], option, value
        elif word.startswith("-") and len(word) > 1:
            yield from _short(tool, word[1:], rest)
        else:
            yield "url", "", word


def _short(
    tool: _Tool, letters: str, rest: Iterator[str]
) -> Iterator[tuple[str, str, str]]:
    """`-sSLo name`: letters in a row, the last of them with its value."""
    for index, letter in enumerate(letters, start=1):
        option = "-" + letter
        if option in tool.valued:
            yield tool.valued[option], option, letters[index:] or next(rest, "")
            return
        yield tool.alone.get(option, "nothing"), option, ""


def _take_url(found: Copied, _: str, value: str) -> None:
    found.urls.append(value)


def _take_header(found: Copied, _: str, value: str) -> None:
    name, colon, rest = value.partition(":")
    if value.startswith("@"):
        found.notes.append("the headers of a file are left out")
    elif value.startswith(":"):
        return  # ":authority:" and the like are HTTP/2's own
    elif not colon and value.endswith(";"):
        found.headers.append((value[:-1].strip(), ""))
    elif not colon:
        raise Meaningless("a header is written as 'Name: value'")
    elif rest.strip() and name.strip().lower() not in OURS:
        found.headers.append((name.strip(), rest.strip()))


def _take_cookie(found: Copied, option: str, value: str) -> None:
    if "=" in value:
        found.headers.append(("Cookie", value))
    else:
        found.notes.append(f"{option} left out: no cookies are read from files here")


def _take_user(found: Copied, _: str, value: str) -> None:
    found.user, _, found.password = value.partition(":")


def _take_login(found: Copied, _: str, value: str) -> None:
    found.user = value


def _take_password(found: Copied, _: str, value: str) -> None:
    found.password = value


def _take_agent(found: Copied, _: str, value: str) -> None:
    found.headers.append(("User-Agent", value))


def _take_referer(found: Copied, _: str, value: str) -> None:
    found.headers.append(("Referer", value.removesuffix(";auto")))


def _take_name(found: Copied, _: str, value: str) -> None:
    found.names.append("" if value == "-" else value)


def _take_directory(found: Copied, _: str, value: str) -> None:
    found.directory = value


def _take_checksum(found: Copied, _: str, value: str) -> None:
    found.checksum = read_digest(value)


def _take_limit(found: Copied, option: str, value: str) -> None:
    try:
        found.limit = float(parse_size(value)) or None
    except (ValueError, OverflowError):
        raise Meaningless(f"{option}: not a rate") from None


def _take_method(found: Copied, _: str, value: str) -> None:
    found.method = value.upper()


def _take_sends(found: Copied, option: str, _: str) -> None:
    found.sends = option


def _take_head(_: Copied, option: str, __: str) -> None:
    raise Meaningless(f"{option} asks for the headers only, not for the file")


def _take_left(found: Copied, option: str, _: str) -> None:
    found.notes.append(f"{option} left out: it is not for one job")


def _take_globoff(found: Copied, _: str, __: str) -> None:
    found.globbing = False


def _take_nothing(_: Copied, __: str, ___: str) -> None:
    """Of no consequence here."""


_TAKE: dict[str, Callable[[Copied, str, str], None]] = {
    "agent": _take_agent,
    "checksum": _take_checksum,
    "cookie": _take_cookie,
    "directory": _take_directory,
    "globoff": _take_globoff,
    "head": _take_head,
    "header": _take_header,
    "left": _take_left,
    "limit": _take_limit,
    "login": _take_login,
    "method": _take_method,
    "name": _take_name,
    "nothing": _take_nothing,
    "password": _take_password,
    "referer": _take_referer,
    "sends": _take_sends,
    "url": _take_url,
    "user": _take_user,
}


# ------------------------------------------------------------------ the end


def _finish(found: Copied) -> None:
    """What can only be said once all is known."""
    if found.method not in {"", "GET"}:
        raise Meaningless(f"{found.method}: {_GET_ONLY}")
    if found.sends:
        raise Meaningless(f"{found.sends} sends data: {_GET_ONLY}")
    if found.user is not None:
        pair = f"{found.user}:{found.password or ''}".encode(errors="replace")
        found.headers.append(("Authorization", f"Basic {b64encode(pair).decode()}"))
    for header in found.headers:
        _check_header(header)
    if not found.urls:
        raise Meaningless("no link in this command")
    stray = [url for url in found.urls if "://" not in url]
    if len(stray) < len(found.urls):
        found.urls = [url for url in found.urls if "://" in url]
        found.notes += [f"{word:.40} left out" for word in stray if word.strip()]
    if found.globbing:
        found.urls = [_literal(url) for url in found.urls]


def _check_header(header: tuple[str, str]) -> None:
    try:
        check_header(header)
    except UsageError as error:
        raise Meaningless(str(error)) from None


def _literal(url: str) -> str:
    r"""The URL itself, where curl takes `[1-9]` and `{a,b}` for patterns and `\[` not."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if re.search(r"(?<!\\)[\[{]", path):
        raise Meaningless("patterns as [1-9] or {a,b} are not expanded here")
    return scheme + mark + host + slash + re.sub(r"\\([\[\]{}])", r"\1", path)


_BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384"}
_BY_LENGTH |= {128: "sha512"}


def read_digest(text: str) -> Digest:
    """`algo:hex`, `algo=hex`, or hex alone, whose length then tells the algorithm.

    The file name that tools write behind it does no harm.
    """
    named = re.match(r"\s*([\w-]+)\s*[:=]\s*(\S*)", text)
    value = named[2] if named else next(iter(text.split()), "")
    algorithm = named[1] if named else _BY_LENGTH.get(len(value), "")
    if not algorithm:
        raise Meaningless("a checksum is algo:hex, or hex alone")
    try:
        algorithm = algorithm_named(algorithm)
    except UsageError:
        raise Meaningless(f"unknown algorithm {algorithm:.20}") from None
    try:
        return parse_digest(value, algorithm)
    except UsageError as error:
        raise Meaningless(str(error).rpartition(": ")[2]) from None


def split_name(path: str) -> tuple[str, str]:
    """The folder and the name that a path says; either may be empty."""
    pure = PurePath(path)
    return ("" if str(pure.parent) == "." else str(pure.parent)), pure.name
