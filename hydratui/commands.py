"""What may be typed after a colon: verbs, and which jobs they are for.

`VERBS` is the table that the command line, its completion, the palette and help
read. What is typed becomes a `Command`, or a ValueError with a sentence that says
what is wrong and what is allowed; nothing is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from engine import JobId, JobSnapshot
from hydratui.filters import parse_filter
from hydratui.keymap import ACTIONS


@dataclass(frozen=True, slots=True)
class Verb:
    """One word that may stand first."""

    name: str
    takes: str
    """What follows it, as help shows it; in brackets what may be left out."""
    help: str

    @property
    def usage(self) -> str:
        return f"{self.name} {self.takes}".rstrip()

    @property
    def is_bare(self) -> bool:
        """Whether it makes sense alone."""
        return not self.takes or self.takes.startswith("[")


_JOBS = "[JOBS]"

VERBS = (
    Verb("add", "URL…", "put URLs into the queue; `URL | command` pipes"),
    Verb("open", "FILE", "read a list of URLs"),
    Verb("pause", _JOBS, "pause jobs"),
    Verb("resume", _JOBS, "resume jobs"),
    Verb("retry", _JOBS, "try again what failed"),
    Verb("remove", _JOBS, "remove jobs from the queue, after asking"),
    Verb("limit", "RATE|off [JOBS]", "limit all together, or each of the jobs"),
    Verb("lanes", "N|auto [JOBS]", "most lanes for each of the jobs"),
    Verb("pipe", "COMMAND|off", "let a command have the job's bytes"),
    Verb("move", "PLACE", "to that place in the queue"),
    Verb("mark", _JOBS, "mark jobs"),
    Verb("sort", "COLUMN", "sort by a column; again: the other way round"),
    Verb("filter", "[EXPRESSION]", "show only some jobs"),
    Verb("view", "VIEW", "see a view of the job"),
    Verb("theme", "NAME", "other colours"),
    Verb("export", "FILE", "write the queue's URLs to a file"),
    Verb("clear", "", "drop what is done"),
    Verb("help", "", "keys and commands"),
    Verb("settings", "", "every option"),
    Verb("quit", "", "quit, asking if jobs run"),
    Verb("quit!", "", "quit at once; everything goes on at the next start"),
)
"""`JOBS` are numbers (`3 5-9`), `all`, or a filter; without them, the marked ones
or the selected one."""

_SHORT = {"q": "quit", "q!": "quit!", "rm": "remove", "workers": "lanes", "h": "help"}


@dataclass(frozen=True, slots=True)
class Command:
    """A verb, and what was typed behind it."""

    verb: str
    rest: str = ""


def parse(text: str) -> Command:
    """The command that was typed; an action's id is a command too."""
    word, _, rest = text.strip().partition(" ")
    name, rest = _SHORT.get(word, word), rest.strip()
    if not rest and any(action.id == word for action in ACTIONS):
        return Command(word)
    verb = next((verb for verb in VERBS if verb.name == name), None)
    if verb is None:
        raise ValueError(_unknown(word))
    if not rest and not verb.is_bare:
        raise ValueError(f"{name} needs {verb.takes}: {verb.help}")
    if rest and not verb.takes:
        raise ValueError(f"{name} takes nothing: {rest!r} is too much")
    return Command(name, rest)


def _unknown(word: str) -> str:
    known = [*(verb.name for verb in VERBS), *(action.id for action in ACTIONS)]
    close = get_close_matches(word, known, 1)
    hint = f"is it {close[0]}?" if close else "ctrl+p lists them"
    return f"there is no command {word!r}; {hint}"


def completion(verb: Verb) -> str:
    """The verb as it is typed before what follows it."""
    return f"{verb.name} " if verb.takes else verb.name


def completions(text: str) -> list[str]:
    """What the beginning of a command may become."""
    known = [*map(completion, VERBS), *(action.id for action in ACTIONS)]
    return [one for one in known if one.startswith(text)]


def chosen(text: str, jobs: Sequence[JobSnapshot]) -> tuple[JobId, ...]:
    """The jobs that `JOBS` means; ValueError where it makes no sense or finds none."""
    words = text.replace(",", " ").split()
    if words == ["all"]:
        return tuple(job.id for job in jobs)
    numbers = [span for span in map(_span, words) if span is not None]
    if len(numbers) == len(words):
        found = _numbered(numbers, jobs)
    else:
        wanted = parse_filter(text)
        found = [job.id for job in jobs if wanted.admits(job)]
    if not found:
        raise ValueError(f"no job is {text!r}")
    return tuple(found)


def _span(word: str) -> range | None:
    first, dash, last = word.lstrip("#").partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        return None
    return range(int(first), int(last if dash else first) + 1)


def _numbered(spans: Iterable[range], jobs: Sequence[JobSnapshot]) -> list[JobId]:
    wanted = tuple(spans)
    return [job.id for job in jobs if any(job.id in span for span in wanted)]
