"""What was typed, and what stands in a list, as jobs; what makes no sense is refused.

A line of a list is a URL, or several with tabs between them, which are sources of one
file. Options stand below it, indented: `checksum=sha-256=HEX` as aria2 writes them.
Nothing is left out in silence: an error names the file, the line and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine import (
    JobSpec,
    Promise,
    UsageError,
    algorithm_named,
    check_header,
    check_url,
)
from hydratui.copied import Meaningless, read_digest, split_name
from hydratui.metalinks import (
    LARGEST,
    is_metalink,
    looks_like_metalink,
    specs_in,
    specs_in_file,
)
from hydratui.pasted import OPTION, THE_LIST, read_name

_STDIN = "-"
_LINE_END = re.compile(r"\r\n|\r|\n")


def specs_of_words(words: Sequence[str], output: Path) -> list[JobSpec]:
    """A job for each URL, and those of each Metalink file; UsageError for others."""
    specs: list[JobSpec] = []
    for word in words:
        if is_metalink(word):
            specs += _described(word, output)
        else:
            check_url(word)
            specs.append(JobSpec(word))
    return specs


def _described(word: str, output: Path) -> list[JobSpec]:
    try:
        return [_below(spec, output) for spec in specs_in_file(word)]
    except ValueError as error:
        raise UsageError(str(error)) from None


def specs_of_list(name: str, output: Path) -> list[JobSpec]:
    """The jobs of a list or Metalink file, `-` for standard input.

    ValueError where it cannot be read, UsageError where a line makes no sense.
    """
    data = _data(name)
    if looks_like_metalink(data):
        found: Sequence[JobSpec] = specs_in(data, name)
    else:
        found = read_list(_text(data, name), name)
    return [_below(spec, output) for spec in found]


def _data(name: str) -> bytes:
    """All of a list; of a Metalink file not much more than is read of one."""
    source = 0 if name == _STDIN else os.path.expanduser(name)  # noqa: PTH111
    try:
        with open(source, "rb", closefd=name != _STDIN) as file:
            data = file.read(LARGEST + 1)
            if len(data) <= LARGEST or looks_like_metalink(data):
                return data  # a terminal that was at its end would go on if asked again
            return data + file.read()
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: it is not text") from None


def _below(spec: JobSpec, output: Path) -> JobSpec:
    """The job with its own folder in the one where files go."""
    if spec.directory is None:
        return spec
    own = os.path.expanduser(spec.directory)  # noqa: PTH111
    return replace(spec, directory=output / own)


# -- the lines -------------------------------------------------------------------


def read_list(text: str, name: str) -> list[JobSpec]:
    """The jobs of a list; UsageError names the line that makes no sense."""
    specs: list[JobSpec] = []
    for number, line in enumerate(_LINE_END.split(text), start=1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        try:
            if OPTION.fullmatch(line):
                specs[-1:] = _with_option(specs[-1:], words)
            else:
                specs.append(_sources(words))
        except (UsageError, Meaningless) as error:
            raise UsageError(f"{name}:{number}: {error}") from None
    return specs


def _sources(line: str) -> JobSpec:
    """One file, and where it is; tabs are between its sources."""
    url, *mirrors = filter(None, map(str.strip, line.split("\t")))
    for link in (url, *mirrors):
        check_url(link)
    return JobSpec(url, mirrors=tuple(mirrors))


def _with_option(above: list[JobSpec], words: str) -> Iterator[JobSpec]:
    """The job above with what an option says of it."""
    key, _, value = (part.strip() for part in words.partition("="))
    if not above:
        raise UsageError(f"{key}= has no URL above it")
    option = LIST_OPTIONS.get(key)
    if option is None:
        known = ", ".join(f"{known}=" for known in LIST_OPTIONS)
        raise UsageError(f"there is no option {key}=; it is one of {known}")
    try:
        yield option(above[0], value)
    except (UsageError, Meaningless) as error:
        shown = "" if key == "header" else f"{value:.60}"  # it may be a secret
        raise UsageError(f"{key}={shown}: {error}") from None


def _out(spec: JobSpec, value: str) -> JobSpec:
    folder, name = split_name(value)
    directory = Path(spec.directory or "", folder) if folder else spec.directory
    return replace(spec, name=read_name(name), directory=directory)


def _dir(spec: JobSpec, value: str) -> JobSpec:
    if not value or "\0" in value:
        raise Meaningless("a folder is needed")
    return replace(spec, directory=Path(value))


def _checksum(spec: JobSpec, value: str) -> JobSpec:
    named = re.match(r"([\w-]+)\s*[:=]", value)
    if named is not None:
        algorithm_named(named[1])  # it knows what is allowed
    promise = Promise(read_digest(value), THE_LIST)
    return replace(spec, promises=(*spec.promises, promise))


def _mirror(spec: JobSpec, value: str) -> JobSpec:
    check_url(value)
    return replace(spec, mirrors=(*spec.mirrors, value))


def _header(spec: JobSpec, value: str) -> JobSpec:
    name, colon, rest = value.partition(":")
    if not colon:
        raise Meaningless("a header is written as 'Name: value'")
    header = name.strip(), rest.strip()
    check_header(header)
    return replace(spec, headers=(*spec.headers, header))


LIST_OPTIONS: dict[str, Callable[[JobSpec, str], JobSpec]] = {
    "out": _out,
    "dir": _dir,
    "checksum": _checksum,
    "mirror": _mirror,
    "header": _header,
}
"""What may stand below a URL."""
