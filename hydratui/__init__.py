"""The terminal front ends of the engine: the app, and plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import Config

__version__ = "0.1.0"


def load_config() -> Config:
    """What `config.toml` and the `HYDRA_TUI_*` variables say, for an engine of yours.

    The environment wins over the file, and the file over what is built in, as for the
    command. The file is the one that `HYDRA_TUI_CONFIG` names, else the user's own.
    This is the only thing that looks for a home directory: an engine by itself
    knows its `Config` and nothing else.

    Raises UsageError, which names the place, for a value that is not allowed or a name
    that is none.
    """
    from hydratui.settings import load

    return load({}).config
