"""What can go wrong, named for what the caller can do about it.

The front ends map each class to one exit code; the message is one line that
names what, where and what is allowed.
"""

from __future__ import annotations


class HydraError(Exception):
    """Anything this engine reports on purpose."""

    about = ""
    """The URL it happened to, masked; empty where it is about none."""


class UsageError(HydraError):
    """The caller asked for something that is not allowed; nothing was started."""


class NetworkError(HydraError):
    """Patience ran out: no progress for as long as the caller was ready to wait."""


class RefusedError(HydraError):
    """The server said no for good, or says things that cannot be trusted."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class IntegrityError(HydraError):
    """The bytes are not the ones that were promised."""


class ChangedError(HydraError):
    """The remote file is no longer the one this job began with."""


class LocalError(HydraError):
    """Our own machine is in the way: no space, no permission, not a directory."""


class ReaderGoneError(HydraError):
    """Whoever read our output closed it."""


class Fault(HydraError):
    """One request went wrong in a way that another request may cure.

    `retry_after` is what the server asked for, in seconds. `unreachable` says
    that nobody was there to talk HTTP with: before the first byte of a job that
    is worth little patience. `final` is what it becomes when patience runs out.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        unreachable: bool = False,
        final: type[HydraError] = NetworkError,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.unreachable = unreachable
        self.final = final
