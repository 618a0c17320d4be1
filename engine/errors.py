"""What can go wrong, named for what the caller can do about it.

The front ends map each class to one exit code; the message is one line that
names what, where and what is allowed.
"""

from __future__ import annotations


class HydraError(Exception):
    """Anything this engine reports on purpose; `str` of it is one line for people.

    As it stands, not as one of its kinds, it tells the reader of a stream that the job
    was cancelled, or has ended with its engine.
    """

    about = ""
    """The URL it happened to, masked; empty where it is about none."""
    word = "bug"
    """What programs know its class by; a plain HydraError is nobody's end."""


class UsageError(HydraError):
    """The caller asked for something that is not allowed; nothing was started.

    The message names what was asked for and what is allowed.
    """

    word = "usage"


class NetworkError(HydraError):
    """Patience ran out: no progress for `Config.give_up_after` seconds.

    What is on the disk stays there, and the same job goes on with it.
    """

    word = "network"


class RefusedError(HydraError):
    """The server said no for good, or says things that cannot be trusted.

    `status` is its answer's (RFC 9110 section 15), None where that was not the reason.
    """

    word = "refused"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ExpiredError(RefusedError):
    """The link has worked and does no more; a fresh one for the same file helps.

    `Engine.renew` takes it.
    """


class IntegrityError(HydraError):
    """The bytes are not the ones that were promised; they are kept as `NAME.part.bad`.

    A promise is a digest that was asked for, or that the server or a list told of
    (RFC 9530, RFC 5854).
    """

    word = "integrity"


class BadPieces(HydraError):  # no error of anybody's yet
    """Some parts are wrong, and have been given back to the plan to be fetched again."""


class ChangedError(HydraError):
    """The remote file is no longer the one this job began with.

    Its length or its validator (RFC 9110 section 8.8) is another, and bytes of the old
    one have gone to a reader who cannot give them back, or it changes all the time.
    """

    word = "changed"


class LocalError(HydraError):
    """Our own machine is in the way: no space, no permission, not a directory.

    Another run that has the file is one too.
    """

    word = "local"


class QueueHeldError(LocalError):
    """Another run of the program has the saved queue; nothing is wrong with it."""


class CommandError(LocalError):
    """The command that a job's bytes went into failed, or could not be started."""


class ReaderGoneError(HydraError):
    """Whoever read our output closed it."""

    word = "readergone"


class Fault(HydraError):
    """One request went wrong in a way that another request may cure.

    `retry_after` is what the server asked for, in seconds. `unreachable` says
    that nobody was there to talk HTTP with: before the first byte of a job that
    is worth little patience. `lost` says that a connection broke. `final` is what it
    becomes when patience runs out.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        unreachable: bool = False,
        lost: bool = False,
        final: type[HydraError] = NetworkError,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.unreachable = unreachable
        self.lost = lost
        self.final = final

    def in_the_end(self) -> HydraError:
        """What it is once patience has run out."""
        return self.final(str(self))


class Denied(Fault):
    """The server refuses what it has served before.

    Too many connections, or a link that has expired: fewer lanes will tell.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, status=status)

    def in_the_end(self) -> HydraError:
        kind = RefusedError if self.status == 404 else ExpiredError
        return kind(str(self), status=self.status)


class ForgotRange(Fault):
    """The same file came whole where a part was asked for."""


def first_of(group: BaseExceptionGroup[HydraError]) -> HydraError:
    """The error that ended a group of tasks."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HydraError)
    return error
