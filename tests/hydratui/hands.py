"""Keys and other things that a terminal sends, and waiting until they are answered.

What is waited for is messages, not time: a key costs a millisecond or two, where a
pilot's costs fifty.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from typing import Any

from textual.app import App
from textual.events import Event, Key
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.message_pump import MessagePump

_QUIET = 20
"""Turns of the loop in which nobody had anything to do: then all is done."""


async def press(app: App[Any], *keys: str) -> None:
    """One after the other, each answered before the next; letters are keys too."""
    for key in keys:
        await send(app, _pressed(key))


async def send(app: App[Any], event: Event) -> None:
    """Let the terminal tell of it, and wait until all of it has been answered."""
    assert app._driver is not None
    event.set_sender(app)
    app._driver.send_message(event)
    await settle(app)


async def settle(app: App[Any]) -> None:
    """Wait until what was sent has arrived, with all that came of it."""
    for _ in range(2):
        await _quiet(app)
        if not is_over(app):
            app.screen._on_timer_update()
    await _quiet(app)


def is_over(app: App[Any]) -> bool:
    """Whether the app is no more, or on its way out."""
    return app._exit or app._exception is not None


async def _quiet(app: App[Any]) -> None:
    turns, pumps = 0, [*_pumps(app)]
    while turns < _QUIET and not is_over(app):
        await asyncio.sleep(0)
        if any(pump.message_queue_size for pump in pumps):
            turns, pumps = 0, [*_pumps(app)]
        else:
            turns += 1


def _pumps(app: App[Any]) -> Iterator[MessagePump]:
    yield app
    for screen in app.screen_stack:
        yield from screen.walk_children(with_self=True)


def _pressed(key: str) -> Key:
    """The event that a terminal's driver makes of a key, or of a letter."""
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    name = _get_unicode_name_from_key(REPLACED_KEYS.get(key, key))
    try:
        return Key(key, unicodedata.lookup(name))
    except KeyError:
        return Key(key, key if len(key) == 1 else None)
