"""What makes no sense together: where one of two options would be ignored in silence.

Only what stands in the same layer is in conflict. Of two layers the stronger one has
its way, so nothing in the file makes an option useless that somebody types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hydratui.kinds import Switch
from hydratui.settings import Layer, Settings
from hydratui.table import OPTIONS

if TYPE_CHECKING:
    from engine import UsageError

URL = "URL"
"""What stands for the URLs typed."""


class Clash(NamedTuple):
    """Two options of which one leaves the other nothing to do."""

    one: str
    other: str
    reason: str


class Lack(NamedTuple):
    """An option that does nothing without another one."""

    one: str
    needs: str
    reason: str


_NO_FILE = "a stream goes to standard output, not to a file"
_OWN_FILES = "the demo has files of its own"

CLASHES = (
    Clash("stream", "output", _NO_FILE),
    Clash("stream", "name", _NO_FILE),
    Clash("stream", "on-conflict", _NO_FILE),
    Clash("stream", "restart", "a stream leaves nothing that could be resumed"),
    Clash("stream", "jobs", "files are streamed one after the other"),
    Clash("demo", URL, _OWN_FILES),
    Clash("demo", "input", _OWN_FILES),
    Clash("demo", "name", _OWN_FILES),
    Clash("demo", "checksum", _OWN_FILES),
    Clash("demo", "mirror", _OWN_FILES),
    Clash("insecure", "cacert", "no certificate is verified at all"),
    Clash("json", "quiet", "one tells everything, the other nothing"),
)

LACKS = (Lack("force", "stream", "only a stream is written to a terminal"),)


def check(settings: Settings, *, demo: bool, urls: Sequence[str]) -> None:
    """Raises UsageError that names two options, and where each is from."""
    layers = _layers(settings, demo=demo, urls=urls)
    for one, other, reason in CLASHES:
        if one in layers and layers[one] is layers.get(other):
            names = f"{_place(settings, one)} and {_place(settings, other)}"
            raise _usage(f"{names}: {reason}")
    for one, needs, reason in LACKS:
        if layers.get(one) is Layer.TYPED and needs not in layers:
            raise _usage(f"{_place(settings, one)} without --{needs}: {reason}")


def _layers(
    settings: Settings, *, demo: bool, urls: Sequence[str]
) -> Mapping[str, Layer]:
    """Who said each thing that was said; a switch that is off says nothing."""
    said = {
        option.name: settings.sources[option.name].layer
        for option in OPTIONS
        if settings.sources[option.name].layer is not Layer.BUILT_IN
        and (not isinstance(option.kind, Switch) or settings.is_on(option.name))
    }
    typed = {"demo": demo, URL: bool(urls)}
    return said | {name: Layer.TYPED for name, is_typed in typed.items() if is_typed}


def _place(settings: Settings, name: str) -> str:
    if name in settings.sources:
        return settings.place(name)
    return name if name == URL else f"--{name}"


def _usage(message: str) -> UsageError:
    from engine import UsageError

    return UsageError(message)
