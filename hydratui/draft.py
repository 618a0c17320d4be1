"""Settings while somebody edits them: what was changed, and what of it is wrong.

What is edited is the file. Where environment or command line overrule it, the
edit is for later runs, and `standing` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from engine import UsageError
from hydratui.settings import Layer, Settings
from hydratui.table import BY_NAME, OPTIONS, Effect, Option

SHOWN = tuple(option for option in OPTIONS if option.label)
GROUPS = tuple(dict.fromkeys(option.group for option in SHOWN))
_STRONGER = frozenset({Layer.ENVIRONMENT, Layer.TYPED})


class Standing(NamedTuple):
    """How a value stands: a sign and a word, and an ink that alone says nothing."""

    words: str
    ink: str


class Draft:
    """The settings, and the edits that are not saved yet.

    An empty text is the built-in value. Mutable: the edits, changed by `edit` alone.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._edits: dict[str, str] = {}

    def text(self, option: Option) -> str:
        """What the file would say; nothing, where it says nothing."""
        return self._edits.get(option.name, self._written(option))

    def edit(self, option: Option, text: str) -> None:
        written = self._written(option)
        if text == written or (not written and text == option.default):
            self._edits.pop(option.name, None)
        else:
            self._edits[option.name] = text

    def is_changed(self, option: Option) -> bool:
        return option.name in self._edits

    def changes(self) -> dict[str, str | None]:
        """What is to be saved; None for what goes back to the built-in value."""
        return {
            name: None if text in {"", BY_NAME[name].default} else text
            for name, text in self._edits.items()
        }

    def problem(self, option: Option) -> str | None:
        """What is wrong with the text, if anything is."""
        text = self.text(option)
        try:
            if text:
                option.parse(text)
        except (ValueError, UsageError) as error:
            return str(error)
        return None

    def wrong(self) -> list[Option]:
        """The edits that cannot be saved."""
        edited = (option for option in SHOWN if self.is_changed(option))
        return [option for option in edited if self.problem(option)]

    def standing(self, option: Option) -> Standing:
        """In a few words, where the value comes from."""
        if self.is_changed(option):
            wrong = self.problem(option)
            return Standing("✗ wrong", "bad") if wrong else Standing("● edited", "edit")
        source = self.settings.sources[option.name]
        if source.layer in _STRONGER:
            value = " ".join(option.kind.masked(source.text).split())
            return Standing(f"! {source.layer.value}: {value}", "warn")
        if source.layer is Layer.FILE:
            return Standing(f"· {self.settings.path.name}", "file")
        return Standing("· built-in", "dim")

    def _written(self, option: Option) -> str:
        return self.settings.written.get(option.name, "")


def explained(draft: Draft, option: Option) -> list[str]:
    """What there is to know about an option."""
    meaning = option.help[0].upper() + option.help[1:]
    allowed = option.kind.allowed
    return [
        f"{meaning}: {allowed}." if allowed else f"{meaning}.",
        _provenance(draft.settings, option),
    ]


def _provenance(settings: Settings, option: Option) -> str:
    """Where the value is from, and what saving another one does."""
    source = settings.sources[option.name]
    built_in = f"built-in is {option.default or 'none'}"
    if source.layer in _STRONGER:
        value = option.kind.masked(source.text)
        return (
            f"{option.name} is {value}, from {source.place}: "
            f"saving will not change this run; {built_in}."
        )
    place = f"{source.place.removeprefix(f'{settings.path.parent}/')}; "
    origin = "" if source.layer is Layer.BUILT_IN else f"from {place}"
    return f"{option.name}: {origin}{built_in}. Saved, it counts {option.effect.value}."


def saved_words(names: Iterable[str], before: Settings) -> str:
    """What to say after these were saved."""
    parts = []
    for effect in Effect:
        told = [n for n in names if _effect(n, before) is effect]
        if told:
            parts.append(f"{', '.join(told)} {effect.value}")
    overruled = [n for n in names if _effect(n, before) is None]
    if overruled:
        parts.append(f"{', '.join(overruled)} not in this run")
    return f"Saved: {'; '.join(parts)}."


def _effect(name: str, settings: Settings) -> Effect | None:
    """When a saved value counts; None, where a stronger layer keeps it from that."""
    return None if name in settings.stronger else BY_NAME[name].effect
