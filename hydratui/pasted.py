"""What somebody pasted, read into jobs, or into words about why not.

One URL a line, several, a list with options as `--input` takes it, links out of
a text, `URL | command`, or command lines (`hydratui.copied`). Whatever the text
is, reading it raises nothing and takes time in proportion to its length, which
is bounded: what lies beyond is reported and left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine import JobSpec, Promise, UsageError, check_header, check_url
from hydratui.copied import (
    OURS,
    Copied,
    Meaningless,
    copied,
    goes_on,
    is_command,
    read_digest,
    split_name,
)
from hydratui.metalinks import is_metalink, specs_in_file

MOST_CHARACTERS = 2**20
MOST_LINES = 10_000
THE_LIST = "the list"
"""Who promises the digest that stands below a link."""

_LONGEST_LINE = 2**16
_MOST_BEHIND = 16
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad"))
OPTION = re.compile(r"[ \t]+([a-z][a-z0-9-]*)=(.*)")
"""An option of the link above, its name and its value."""
_LINK = re.compile(
    r"""(?<![A-Za-z+-])[A-Za-z][A-Za-z0-9+-]{0,20}://(?:(?!,https?://)[^\s"<>`|])+"""
)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?(/\S*)?")
_MARKER = re.compile(r"\s*(?:[-*+•]|\d{1,4}[.)])\s+")
_LABEL = re.compile(r"\[[^\[\]]{0,200}\](?=\()")
_PIPE = re.compile(r"\s\|\s+(?=\S)")
_BEHIND = ".,;:!?*_'\"»\u2019\u201d\u3001\u3002\u300d\u300f\uff01\uff0c\uff1b\uff1f"
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Pasted:
    """One URL or command, and what comes of it."""

    line: int
    """Where it is, or what is wrong with it; from 1."""
    source: str
    """The text it was read from."""
    spec: JobSpec | None = None
    problem: str = ""
    """Why no job comes of it."""
    notes: tuple[str, ...] = ()
    """What of it was left out."""


def read(text: str) -> tuple[Pasted, ...]:
    """The jobs that the text asks for, in its order, and what makes no sense in it."""
    lines, rest = cut(text)
    entries = list(islice(_entries(lines), MOST_LINES))
    at = len(lines)
    if len(entries) == MOST_LINES and entries[-1].line < at:
        at = entries[-1].line
    rest = "\n".join((*lines[at:], rest))
    if rest.strip():
        problem = f"too much at once: {MOST_LINES:,} lines or 1 MiB can be read"
        entries.append(Pasted(at + 1, rest, problem=problem))
    return tuple(entries)


def cut(text: str) -> tuple[list[str], str]:
    """As many whole lines as are read at once, and what is beyond."""
    head = text[:MOST_CHARACTERS]
    lines = re.split(r"\r\n|\r|\n", head, maxsplit=MOST_LINES)
    rest = text[MOST_CHARACTERS:]
    if len(lines) > MOST_LINES or rest:
        rest = lines.pop() + rest
    return lines, rest


def _entries(lines: Sequence[str]) -> Iterator[Pasted]:
    at = 0
    while at < len(lines):
        body = _body(lines, at)
        stop = body
        while stop < len(lines) and OPTION.fullmatch(lines[stop]):
            stop += 1
        yield from _block(lines[at:body], lines[body:stop], at + 1)
        at = stop


def _body(lines: Sequence[str], at: int) -> int:
    """Where what begins at a line ends: a command goes over several."""
    stop = at + 1
    if is_command(lines[at]):
        while stop < len(lines) and (goes_on(lines[stop - 1]) or _is_gap(lines, stop)):
            stop += 1
    return stop


def _is_gap(lines: Sequence[str], stop: int) -> bool:
    """Whether the empty line above is one that a caret has quoted."""
    return not lines[stop - 1].strip() and lines[stop - 2].endswith("^")


def _block(
    body: Sequence[str], options: Sequence[str], number: int
) -> Iterator[Pasted]:
    """What one line says, or one command, with the options below it."""
    first = body[0]
    if not first.strip() or first.lstrip().startswith("#"):
        yield from _orphans(options, number + 1)
    elif OPTION.fullmatch(first):
        yield from _orphans([first, *options], number)
    elif any(len(line) > _LONGEST_LINE for line in (*body, *options)):
        source = "\n".join((*body, *options))
        yield Pasted(number, source, problem="the line is too long")
    else:
        found = _command(body, number) if is_command(first) else _line(first, number)
        yield from _with_options(found, options, number + len(body))


def _orphans(options: Sequence[str], number: int) -> Iterator[Pasted]:
    for offset, line in enumerate(options):
        problem = "an option, but no link above it"
        yield Pasted(number + offset, line, problem=problem)


# -------------------------------------------------------------------- lines


def _line(line: str, number: int) -> list[Pasted]:
    """The links of a line, one or many, maybe into a command."""
    clean = line.translate(_INVISIBLE)
    if clean.lstrip().startswith("|"):
        clean = clean.replace("|", " ")  # a row of a table
    head, *command = _PIPE.split(clean, maxsplit=1)
    links = [_trimmed(link[0], _before(head, link)) for link in _LINK.finditer(head)]
    if not links:
        return _described(clean.strip(" \t'\""), line, number)
    into = command[0].strip() if command else ""
    spec = JobSpec("", command=into or None)
    groups = _grouped(links) if "\t" in head else [[link] for link in links]
    entries = [
        _checked(
            number,
            "\t".join(group) if len(groups) > 1 else line,
            replace(spec, url=group[0], mirrors=tuple(group[1:])),
        )
        for group in groups
    ]
    return [_noted(entries[0], [*_left_out(head)]), *entries[1:]]


def _described(path: str, line: str, number: int) -> list[Pasted]:
    """The files of a Metalink file whose path this is; else that it is no link."""
    if not is_metalink(path):
        problem = _no_link(line.translate(_INVISIBLE))
        return [Pasted(number, line, problem=problem)]
    try:
        found = specs_in_file(path)
    except ValueError as error:
        return [Pasted(number, line, problem=str(error))]
    return [_checked(number, line, spec) for spec in found]


def _trimmed(link: str, before: str) -> str:
    """The link without what the text around it has put behind it."""
    for _ in range(_MOST_BEHIND):
        last = link[-1:]
        opened = _PAIRS.get(last)
        stray = opened is not None and link.count(opened) < link.count(last)
        if not stray and last not in _BEHIND:
            break
        link = link[:-1]
    if before.endswith("'"):
        link = link.partition("'")[0]
    return _closed(link) if before == "](" else link


def _before(line: str, link: re.Match[str]) -> str:
    return line[max(link.start() - 2, 0) : link.start()]


def _closed(link: str) -> str:
    """A link in parentheses, up to the one that closes them."""
    depth = 0
    for index, character in enumerate(link):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return link[:index]
    return link


def _no_link(line: str) -> str:
    words = _MARKER.sub("", line, count=1).split()
    if len(words) == 1 and _HOST.fullmatch(words[0]):
        return f"no scheme; try https://{words[0]:.60}"
    return "no scheme" if len(words) == 1 else "no link in this line"


def _left_out(head: str) -> Iterator[str]:
    """A note about words that are no links, unless they are only dressing."""
    bare = _LABEL.sub(" ", _MARKER.sub("", head, count=1))
    words = [w for w in bare.split() if "://" not in w and any(map(str.isalnum, w))]
    if words:
        yield f"left out: {' '.join(words):.60}"


def _grouped(links: Sequence[str]) -> list[list[str]]:
    """The links of a line of tabs: those that end in one name lead to one file."""
    groups: dict[str, list[str]] = {}
    for link in dict.fromkeys(links):
        groups.setdefault(_file_name(link), []).append(link)
    return list(groups.values())


def _file_name(link: str) -> str:
    return re.split(r"[?#]", link, maxsplit=1)[0].rpartition("/")[2]


# ----------------------------------------------------------------- commands


def _command(body: Sequence[str], number: int) -> list[Pasted]:
    source = "\n".join(body)
    try:
        found = copied("\n".join(line.rstrip() for line in body))
        specs = list(_specs(found))
    except Meaningless as error:
        return [Pasted(number, source, problem=str(error))]
    entries = [_checked(number, source, spec) for spec in specs]
    return [_noted(entries[0], found.notes), *entries[1:]]


def _specs(found: Copied) -> Iterator[JobSpec]:
    names = iter(found.names)
    for url in found.urls:
        yield _spec(found, url, next(names, ""))


def _spec(found: Copied, url: str, path: str) -> JobSpec:
    folder, name = split_name(path)
    directory = Path(found.directory, folder)
    return JobSpec(
        url,
        directory=None if directory == Path() else directory,
        name=read_name(name) if name else None,
        checksum=found.checksum if len(found.urls) == 1 else None,
        headers=tuple(found.headers),
        limit=found.limit,
        command=found.command or None,
    )


# ------------------------------------------------------------------ options


def _with_options(
    entries: Sequence[Pasted], options: Sequence[str], number: int
) -> list[Pasted]:
    """The entries with what the indented lines below say about them."""
    below = "".join("\n" + line for line in options)
    entries = [replace(entry, source=entry.source + below) for entry in entries]
    for offset, line in enumerate(options):
        option = OPTION.fullmatch(line)
        assert option is not None
        key, value = option[1], option[2].strip()
        try:
            _check_option(key, len(entries))
            entries = [_with_option(entry, key, value) for entry in entries]
        except Meaningless as error:
            return [
                replace(entry, line=number + offset, spec=None, problem=str(error))
                for entry in entries
            ]
    return entries


def _check_option(key: str, links: int) -> None:
    if key in {"out", "checksum", "mirror"} and links > 1:
        raise Meaningless(f"{key}= is for one link only")


def _with_option(entry: Pasted, key: str, value: str) -> Pasted:
    spec = entry.spec
    if spec is None:
        return entry
    match key:
        case "out":
            folder, name = split_name(value)
            directory = Path(spec.directory or "", folder) if folder else spec.directory
            spec = replace(spec, name=read_name(name), directory=directory)
        case "dir":
            spec = replace(spec, directory=Path(value))
        case "checksum":
            promise = Promise(read_digest(value), THE_LIST)
            spec = replace(spec, promises=(*spec.promises, promise))
        case "mirror":
            spec = replace(spec, mirrors=(*spec.mirrors, _link(value)))
        case "header":
            spec = replace(spec, headers=(*spec.headers, *_header(value)))
        case _:
            return _noted(entry, [f"{key}= is left out"])
    return replace(entry, spec=spec)


def _link(text: str) -> str:
    try:
        check_url(text)
    except UsageError as error:
        raise Meaningless(str(error)) from None
    return text


def _header(text: str) -> Iterator[tuple[str, str]]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Meaningless("a header is written as 'Name: value'")
    header = name.strip(), value.strip()
    if header[0].lower() in OURS:
        return
    try:
        check_header(header)
    except UsageError as error:
        raise Meaningless(str(error)) from None
    yield header


def read_name(text: str) -> str:
    """A file's name; Meaningless where nothing usable would be left of it."""
    name = text.strip()
    if not any(c.isprintable() and c not in " .-/\\" for c in name) or "\0" in name:
        raise Meaningless("not a file name")
    if "/" in name:
        raise Meaningless("a name, not a path")
    return name


# ------------------------------------------------------------------ entries


def _checked(number: int, source: str, spec: JobSpec) -> Pasted:
    if "://" not in spec.url:
        return Pasted(number, source, problem=_no_link(spec.url))
    try:
        for link in (spec.url, *spec.mirrors):
            check_url(link)
    except UsageError as error:
        return Pasted(number, source, problem=str(error))
    return Pasted(number, source, spec)


def _noted(entry: Pasted, notes: Sequence[str]) -> Pasted:
    return replace(entry, notes=(*entry.notes, *notes))
