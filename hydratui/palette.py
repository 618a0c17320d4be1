"""Every command in one list to search in: the keys' actions and the typed verbs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher

from hydratui.commands import VERBS, completion
from hydratui.keymap import Keymap

_ASKED_ELSEWHERE = frozenset({"app.palette", "app.command"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One line of the palette."""

    text: str
    help: str
    run: Callable[[], Coroutine[Any, Any, object]]


class Commands(Provider):
    """What the palette finds; the app has the keymap."""

    async def discover(self) -> Hits:
        for offer in self._offers():
            shown = Content(offer.text)
            yield DiscoveryHit(shown, offer.run, text=offer.text, help=offer.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for offer in self._offers():
            if (score := matcher.match(f"{offer.text}  {offer.help}")) > 0:
                shown = _found(matcher, offer.text)
                yield Hit(score, shown, offer.run, text=offer.text, help=offer.help)

    def _offers(self) -> Iterator[Offer]:
        screen = self.app.screen_stack[0]
        keymap: Keymap = getattr(self.app, "keymap_table", ())
        for action in keymap:
            if action.id not in _ASKED_ELSEWHERE:
                run = partial(screen.run_action, action.command)
                keys = f", {action.shown}" if action.keys else ""
                yield Offer(action.id, f"{action.help} ({action.group}{keys})", run)
        for verb in VERBS:
            ask = partial(self.app.run_action, f"command({completion(verb)!r})")
            yield Offer(f":{verb.usage}", verb.help, ask)


def _found(matcher: Matcher, text: str) -> Content:
    """The text, what was found of it marked; as markup it would lose its brackets."""
    name, bracket, rest = text.partition("[")
    return Content.assemble(matcher.highlight(name), bracket + rest)
