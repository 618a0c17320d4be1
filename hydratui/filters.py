"""What may be typed to see only some jobs, and which jobs it admits.

Names are compared as they are seen: harmless, in any case, however their accents
are written. A regular expression cannot be stopped once it runs, and it would hold
up the loop that receives the bytes; so what may run for ever is refused before.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from engine import JobId, JobSnapshot, JobState, parse_size
from hydratui.text import safe

Marks = AbstractSet[JobId]
Test = Callable[[JobSnapshot, Marks], bool]

SYNTAX: tuple[tuple[str, str], ...] = (
    ("shard 17", "both in the name"),
    ('"two words"', "spaces and all"),
    ("!word", "not in the name"),
    ("~sha(rd|pe)", "a regular expression"),
    ("st:run", "in that state"),
    ("st:live,paused", "in one of them; over"),
    ("host:example", "from that host"),
    (">1G <10Mi", "of such a size"),
    ("done>50%", "so much is here"),
    ("is:marked", "with a mark"),
    ("is:pipe", "goes into a command"),
)
"""What can be typed, and what it asks for. All of it has to be so, and a `!` before
any of it asks for the opposite. States may be cut short: `st:pau,fai`."""

_REMEMBERED = 16_384
_LONGEST_PATTERN = 100
_LONGEST_SUBJECT = 200
"""Characters of a name that a pattern gets to see; no file's name is longer."""

_MOST_REPEATS = 3
"""Of a pattern: with n of them a hopeless search takes about length ** (n + 1)."""

_TERM = re.compile(
    r"""(?=\S)
    (?P<no>!?)
    (?P<lead>~|[a-z]+:|)
    (?: "(?P<quoted>[^"]*)" | (?P<bare>\S*) )""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARED = re.compile(r"(done|)([<>])(.*)", re.IGNORECASE)
_PERCENTAGE = re.compile(r"[0-9]+(\.[0-9]+)?%?")
_PIECE = re.compile(
    r"""\\. | \[\^?\]?(?:\\.|[^\]\\])*\] | \(\??
    | (?P<open> (?: [*+?] | \{\d*,\d*\} ) [?+]? )
    | (?P<fixed> \{\d+\} [?+]? )
    | .""",
    re.VERBOSE | re.DOTALL,
)
_FREE_FORM = re.compile(r"\(\?(#|[a-z]*x)")

_STATES = {
    **{state.value: frozenset({state}) for state in JobState},
    "live": frozenset(state for state in JobState if state.is_live),
    "over": frozenset(state for state in JobState if state.is_final),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is asked of a job."""

    test: Test
    reads: str
    """The field of the job that it depends on; none where it is about marks."""
    is_negated: bool = False

    def admits(self, job: JobSnapshot, marked: Marks) -> bool:
        return self.test(job, marked) is not self.is_negated


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs are to be seen; the empty one shows all."""

    text: str = ""
    """As it was typed."""
    terms: tuple[Term, ...] = field(default=(), compare=False, repr=False)

    def admits(self, job: JobSnapshot, marked: Marks = frozenset()) -> bool:
        for term in self.terms:  # noqa: SIM110  # ten thousand times in a row
            if not term.admits(job, marked):
                return False
        return True

    @property
    def reads(self) -> frozenset[str]:
        """The fields of a job that its answer depends on."""
        return frozenset(term.reads for term in self.terms)


def parse_filter(text: str) -> Filter:
    """The filter that was typed; ValueError says what is wrong and what is allowed."""
    return Filter(text.strip(), tuple(map(_term, _TERM.finditer(text))))


def _term(found: re.Match[str]) -> Term:
    lead, quoted = found["lead"].lower(), found["quoted"]
    typed = found["bare"] if quoted is None else quoted
    if quoted is None and typed.startswith('"'):
        raise ValueError(f'{typed} has no second ": "two words"')
    if not lead:
        term = _plain(typed) if quoted is None else _word(typed)
    elif lead in _LEADS:
        term = _LEADS[lead](typed)
    else:
        raise ValueError(
            f'there is no {lead} but st:, host: and is:; "{lead}{typed}" in quotation'
            " marks is looked for as it is"
        )
    return Term(term.test, term.reads, is_negated=bool(found["no"]))


def _plain(typed: str) -> Term:
    compared = _COMPARED.fullmatch(typed)
    if compared is None:
        return _word(typed)
    subject, sign, value = compared.groups()
    return _share(sign, value) if subject else _size(sign, value)


# ------------------------------------------------------------------- terms


def _word(typed: str) -> Term:
    if not typed:
        raise ValueError('a word is missing: word, !word or "two words"')
    wanted = folded(typed)
    return Term(lambda job, _: wanted in folded(job.name), "name")


@lru_cache(maxsize=_REMEMBERED)
def folded(name: str) -> str:
    """A name as it is compared."""
    seen = safe(name)
    if seen.isascii():
        return seen.lower()
    return unicodedata.normalize("NFC", seen.casefold())


def _state(typed: str) -> Term:
    wanted = frozenset[JobState]().union(*map(_states_named, typed.split(",")))
    return Term(lambda job, _: job.state in wanted, "state")


def _states_named(start: str) -> frozenset[JobState]:
    found = [
        states
        for word, states in _STATES.items()
        if start and word.startswith(start.lower())
    ]
    if not found:
        raise ValueError(f"no state is called {start!r}; it is {_either(_STATES)}")
    return frozenset[JobState]().union(*found)


def _host(typed: str) -> Term:
    if not typed:
        raise ValueError("host: needs a part of a host's name: host:example.org")
    wanted = typed.casefold()
    return Term(lambda job, _: wanted in _host_of(job.url), "url")


@lru_cache(maxsize=_REMEMBERED)
def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].casefold()
    except ValueError:
        return ""


def _is(typed: str) -> Term:
    kinds = {
        "marked": Term(lambda job, marked: job.id in marked, ""),
        "pipe": Term(lambda job, _: bool(job.command), "command"),
    }
    word = next(
        (word for word in kinds if typed and word.startswith(typed.lower())), None
    )
    if word is None:
        raise ValueError(f"is: knows no {typed!r}; it is {_either(kinds)}")
    return kinds[word]


def _size(sign: str, typed: str) -> Term:
    try:
        bound = parse_size(typed)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{sign}{typed} is no size; it is a number, with K, M, G or Ki, Mi, Gi"
            f" behind it: {sign}1.5G"
        ) from None
    if sign == "<":
        return Term(lambda job, _: job.size is not None and job.size < bound, "size")
    return Term(lambda job, _: job.size is not None and job.size > bound, "size")


def _share(sign: str, typed: str) -> Term:
    if not _PERCENTAGE.fullmatch(typed):
        raise ValueError(f"done{sign} needs a percentage: done{sign}50%")
    bound = float(typed.removesuffix("%")) / 100

    def test(job: JobSnapshot, _: Marks) -> bool:
        share = share_of(job)
        return share is not None and (share < bound if sign == "<" else share > bound)

    return Term(test, "done")


def share_of(job: JobSnapshot) -> float | None:
    """How much of it is here, from 0 to 1, if anybody can know."""
    if job.state is JobState.DONE:
        return 1.0
    if job.size is None:
        return None
    return job.done / job.size if job.size else 0.0


def _either(words: dict[str, frozenset[JobState]] | dict[str, Term]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


# ---------------------------------------------------------------- patterns


def _pattern(typed: str) -> Term:
    if not typed or len(typed) > _LONGEST_PATTERN:
        raise ValueError(
            f"~ needs a regular expression of 1 to {_LONGEST_PATTERN} characters"
        )
    _check_tame(typed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = re.compile(typed, re.IGNORECASE).search
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"~{typed} is no regular expression: {error}") from None
    return Term(lambda job, _: found(_subject(job.name)) is not None, "name")


@lru_cache(maxsize=_REMEMBERED)
def _subject(name: str) -> str:
    return unicodedata.normalize("NFC", safe(name)[:_LONGEST_SUBJECT])


def _check_tame(pattern: str) -> None:
    """Refuse what may try one text in countless ways."""
    if _FREE_FORM.search(pattern):
        raise ValueError(f"~{pattern} has comments, which are not understood here")
    if _repeats_choices(pattern):
        raise ValueError(f"~{pattern} repeats what itself repeats or chooses")
    if sum(bool(piece["open"]) for piece in _PIECE.finditer(pattern)) > _MOST_REPEATS:
        raise ValueError(f"~{pattern} has more than {_MOST_REPEATS} of * + ? and {{,}}")


def _repeats_choices(pattern: str) -> bool:
    """Whether it has something like `(a+)*` or `(a|b)*`."""
    chooses = [False]  # for each group that is open
    ended = False  # whether a group that chooses ends right here
    for piece in _PIECE.finditer(pattern):
        if piece.lastgroup and ended and not piece[0].startswith("?"):
            return True
        chooses[-1] |= piece.lastgroup == "open" or piece[0] == "|"
        ended = False
        if piece[0].startswith("("):
            chooses.append(False)
        elif piece[0] == ")" and len(chooses) > 1:
            ended = chooses.pop()
            chooses[-1] |= ended
    return False


_LEADS: dict[str, Callable[[str], Term]] = {
    "~": _pattern,
    "st:": _state,
    "host:": _host,
    "is:": _is,
}
