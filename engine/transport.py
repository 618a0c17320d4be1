"""The one module that speaks curl.

libcurl's multi interface runs in our event loop; each response is a bounded,
pausable body. What this module knows:

1. A body never holds more than its high mark. Full, its write callback answers
   PAUSE; taking what it holds lets the network go on. (The high-level sessions
   of curl_cffi have no such back-pressure.)
2. The same PAUSE serves the limiter, and the budget of a loop turn: with many
   busy connections one turn would serve them all before the screen gets its
   turn. Past the budget they wait for the next one.
3. With multiplexing off each transfer has a TCP connection of its own, over
   HTTP/2 too, and the browser's fingerprint stays.
4. A handle keeps header lists alive between uses: it is cleaned before each.
5. Abandoning means removing the handle; unpausing it would deliver once more.
6. curl's total timeout is off: a stall is judged here, and a body that we hold
   back ourselves is not stalled.
7. A proxy that opens a tunnel answers before the server does: its head is not ours.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from itertools import count
from types import TracebackType
from typing import Self, get_args

from curl_cffi import (
    AsyncCurl,
    Curl,
    CurlError,
    CurlInfo,
    CurlMOpt,
    CurlOpt,
    ffi,
    lib,
)
from curl_cffi.const import CurlECode, CurlHttpVersion
from curl_cffi.curl import (
    CURL_WRITEFUNC_ERROR,
    CURL_WRITEFUNC_PAUSE,
    CURLPAUSE_CONT,
)
from curl_cffi.requests.impersonate import (
    REAL_TARGET_MAP,
    BrowserTypeLiteral,
)

from engine.errors import Fault, HydraError, LocalError, RefusedError, UsageError
from engine.limiter import Limiter, Turn
from engine.masking import scrubbed
from engine.model import Header
from engine.proxies import Failure, blamed, named, wants_login

HIGH_MARK = 2 * 1024 * 1024
"""Bytes a body holds at most; half of it wakes the reader."""
HELD_TOGETHER = 32 * 1024 * 1024
"""Bytes all bodies hold at most: with many lanes each holds less."""
LEAST_MARK = 256 * 1024
SOCKET_BUFFER = 256 * 1024
"""curl's receive buffer. Larger costs memory per paused lane, smaller costs speed."""
MOST_IDLE = 256
"""Connections kept open. curl's own measure is four for each transfer that runs just
now: it hangs up on lanes that wait for room."""
ASLEEP = 1.0
"""Seconds that a timer is late where not the loop was busy but the process stopped."""
FLUSH = 0.004
"""Seconds that few bytes may wait for company before the reader is woken."""

_REFUSALS: dict[int, str] = {
    CurlECode.PEER_FAILED_VERIFICATION: "its certificate cannot be verified",
    CurlECode.SSL_CERTPROBLEM: "our client certificate does not work",
    CurlECode.URL_MALFORMAT: "the URL is malformed",
}
_MALFORMED: dict[int, str] = {
    CurlECode.UNSUPPORTED_PROTOCOL: "the answer is not HTTP",
    CurlECode.WEIRD_SERVER_REPLY: "the answer is malformed HTTP",
    CurlECode.TOO_LARGE: "the answer's headers are too large",
    CurlECode.BAD_CONTENT_ENCODING: "the answer is badly encoded",
}
_UNREACHABLE: dict[int, str] = {
    CurlECode.COULDNT_RESOLVE_HOST: "unknown host",
    CurlECode.COULDNT_RESOLVE_PROXY: "unknown proxy host",
    CurlECode.COULDNT_CONNECT: "cannot connect",
    CurlECode.SSL_CONNECT_ERROR: "TLS handshake failed",
}
_LOST: dict[int, str] = {
    CurlECode.PARTIAL_FILE: "connection closed early",
    CurlECode.GOT_NOTHING: "empty reply",
    CurlECode.RECV_ERROR: "connection reset",
    CurlECode.SEND_ERROR: "connection reset",
}
_FAULTS: dict[int, str] = {
    CurlECode.OPERATION_TIMEDOUT: "connecting timed out",
    CurlECode.HTTP2: "HTTP/2 framing error",
    CurlECode.HTTP2_STREAM: "HTTP/2 stream reset",
}
_LOCAL: dict[int, str] = {
    CurlECode.SSL_CACERT_BADFILE: "the CA file cannot be read",
    CurlECode.OUT_OF_MEMORY: "out of memory",
}


class Headers:
    """The header fields of one response; names are case-insensitive."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}

    def add(self, line: bytes) -> None:
        name, _, value = _text(line).partition(":")
        self._values.setdefault(name.strip().lower(), []).append(value.strip())

    def get(self, name: str) -> str | None:
        """The values of a field joined by commas (RFC 9110 section 5.3), or None."""
        values = self._values.get(name.lower())
        return ", ".join(values) if values else None

    def each(self, name: str) -> tuple[str, ...]:
        """The values of a field that must not be joined, as Set-Cookie."""
        return tuple(self._values.get(name.lower(), ()))

    def text(self, most: int) -> str:
        """One field a line, names in lower case; `most` characters of it."""
        lines = (
            f"{name}: {', '.join(values)}" for name, values in self._values.items()
        )
        return "\n".join(lines)[:most]


def _wire(text: str) -> bytes:
    """UTF-8; what was typed in no encoding at all goes out as it was typed."""
    return text.encode(errors="surrogateescape")


def _text(line: bytes) -> str:
    """UTF-8 as servers send it, else the Latin-1 that RFC 9110 remembers."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


class Response:
    """One response: its head, then its body as bounded batches of pieces."""

    def __init__(
        self,
        transport: Transport,
        curl: Curl,
        url: str,
        limiter: Limiter,
    ) -> None:
        self.url = url
        self.status = 0
        self.headers = Headers()
        self._transport = transport
        self._curl: Curl | None = curl
        self._limiter = limiter
        self._turn = transport.turn
        self._stall_timeout = transport.stall_timeout
        self._high_mark = transport.high_mark
        self._head = asyncio.Event()
        self._in_head = False
        self._pending_status = 0
        self._wake = asyncio.Event()
        self._flush: asyncio.Handle | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_full = False
        self._is_throttled = False
        self._ended = False
        self._error: HydraError | None = None

    # -- what the owner calls ------------------------------------------------

    async def head(self) -> None:
        """Wait for status and headers; raises what ended the request before them."""
        while not self._head.is_set():
            await self._wait(self._head, 2 * self._stall_timeout)
        if self._error is not None and not self.status:
            raise self._error

    async def read(self) -> tuple[bytes, ...]:
        """All pieces that are here, waiting for the first; empty at the end.

        Raises Fault where the body ends early or stalls.
        """
        while not self._pieces:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return ()
            self._wake.clear()
            await self._wait(self._wake, self._stall_timeout)
        pieces, self._pieces, self._held = tuple(self._pieces), [], 0
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._is_full:
            self._is_full = False
            self._turn.resume(self._resume)
        return pieces

    async def peek(self, most: int) -> bytes:
        """The first bytes that `read` will give, and still gives; `most` of them."""
        while self._held < most and not self._ended:
            self._wake.clear()
            await self._wait(self._wake, self._stall_timeout)
        return b"".join(self._pieces)[:most]

    @property
    def is_complete(self) -> bool:
        """Whether curl is done with it, and its connection free for the next."""
        return self._future.done()

    @property
    def is_held(self) -> bool:
        """Whether we hold it back: the limit, or a reader that is busy."""
        return self._is_throttled or self._is_full

    @property
    def is_throttled(self) -> bool:
        """Whether the limit holds it back."""
        return self._is_throttled

    def abandon(self) -> None:
        """Ask for nothing more; a waiting reader gets the end."""
        if not self._ended:
            self._end(None)
            if not self._future.done() and self._curl is not None:
                self._transport._remove(self._curl)

    def close(self) -> None:
        """Give the handle back. The connection lives on if the body was read whole."""
        self.abandon()
        if self._curl is not None:
            self._transport._recycle(self, self._curl)
            self._curl = None
            self._pieces.clear()

    # -- what curl calls, on the event loop ----------------------------------

    def _begin(self, future: asyncio.Future[None]) -> None:
        self._future = future
        future.add_done_callback(self._on_done)

    def _on_header(self, line: bytes) -> int:
        if line.startswith(b"HTTP/") and not self._in_head:
            self._in_head = True
            self.headers = Headers()
            self.status = 0
            self._pending_status = int(line.split(None, 2)[1])
        elif line.strip():
            if self._in_head:
                self.headers.add(line)
        elif self._in_head:
            self._in_head = False
            if self._pending_status >= 200:
                self.status = self._pending_status
                self._head.set()
        return len(line)

    def _on_data(self, data: bytes) -> int:
        if self._ended:
            return CURL_WRITEFUNC_ERROR
        if self._held >= self._high_mark:
            self._is_full = True
            return CURL_WRITEFUNC_PAUSE
        if not self._turn.admits(self._resume):
            return CURL_WRITEFUNC_PAUSE
        size = len(data)
        self._is_throttled = not self._limiter.admit(size, self._resume)
        if self._is_throttled:
            return CURL_WRITEFUNC_PAUSE
        self._pieces.append(data)
        self._held += size
        self._tell_reader()
        return size

    def _tell_reader(self) -> None:
        if self._held >= self._high_mark // 2:
            self._wake.set()
        elif self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(FLUSH, self._wake.set)

    def _on_done(self, future: asyncio.Future[None]) -> None:
        failure = None if future.cancelled() else future.exception()
        if not self._ended:
            self._end(self._explained(failure) if failure else None)

    # -- our own -------------------------------------------------------------

    def _explained(self, failure: BaseException) -> HydraError:
        if self._curl is not None and isinstance(failure, CurlError):
            proxy = self._transport._blamed(self._curl, self.url, int(failure.code))
            if proxy is not None:
                return proxy
        return _translate(failure)

    def _end(self, error: HydraError | None) -> None:
        self._ended = True
        self._error = error
        self._head.set()
        self._wake.set()

    def _resume(self) -> None:
        if self._curl is None or self._ended:
            return
        try:
            self._curl.pause(CURLPAUSE_CONT)
        except CurlError as error:
            self._end(_translate(error))

    async def _wait(self, event: asyncio.Event, timeout: float) -> None:
        """Until something comes; a limit, or a machine that slept, is no silence."""
        loop = asyncio.get_running_loop()
        due = loop.time() + timeout
        try:
            async with asyncio.timeout_at(due):
                await event.wait()
        except TimeoutError:
            if not self._is_throttled and loop.time() - due < ASLEEP:
                raise Fault(f"nothing received for {timeout:g} s") from None


class Transport:
    """All requests of one engine: shared connections, one door to libcurl.

    `proxy` is a URL, or nothing for none at all; None leaves it to the environment.
    """

    def __init__(
        self,
        *,
        browser: str | None,
        cacert: str | None,
        insecure: bool,
        connect_timeout: float,
        stall_timeout: float,
        proxy: str | None = None,
    ) -> None:
        self.stall_timeout = stall_timeout
        self._browser = _exact_browser(browser)
        self._cacert = cacert
        self._insecure = insecure
        self._connect_timeout = connect_timeout
        self._proxy = proxy
        self.trace: Callable[[str], None] | None = None
        """Whom to tell what curl does; each request has a number of its own."""
        self._numbers = count(1)
        self._idle: list[Curl] = []
        self._open: set[Response] = set()

    async def __aenter__(self) -> Self:
        self._multi = AsyncCurl()
        self._set_multi(CurlMOpt.PIPELINING, 0)
        self._set_multi(CurlMOpt.MAXCONNECTS, MOST_IDLE)
        self.turn = Turn(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for response in list(self._open):
            response.close()
        await self._multi.close()  # type: ignore[no-untyped-call]
        for curl in self._idle:
            curl.close()

    async def get(
        self, url: str, headers: Iterable[Header], limiter: Limiter, *, decode: bool
    ) -> Response:
        """Send a GET and wait for the head of its response; redirects are not followed.

        With `decode` a content coding that nobody asked for is undone.
        Raises Fault where asking again may help, RefusedError where it cannot.
        """
        curl = self._idle.pop() if self._idle else self._new_handle()
        curl.clean_handles_and_buffers()
        response = Response(self, curl, url, limiter)
        curl.setopt(CurlOpt.URL, _wire(url))
        curl.setopt(CurlOpt.HTTPHEADER, [_wire(f"{k}: {v}") for k, v in headers])
        curl.setopt(CurlOpt.HTTP_CONTENT_DECODING, int(decode))
        curl.setopt(CurlOpt.HEADERFUNCTION, response._on_header)
        curl.setopt(CurlOpt.WRITEFUNCTION, response._on_data)
        if self.trace is not None:
            _listen(curl, self.trace, next(self._numbers))
        self._open.add(response)
        response._begin(self._multi.add_handle(curl))
        try:
            await response.head()
            self._check_admitted(response, curl)
        except BaseException:
            response.close()
            raise
        return response

    @property
    def high_mark(self) -> int:
        """What one more body may hold."""
        return max(LEAST_MARK, min(HIGH_MARK, HELD_TOGETHER // (len(self._open) + 1)))

    def _set_multi(self, option: CurlMOpt, value: int) -> None:
        """AsyncCurl.setopt hands curl a pointer where it wants the number itself."""
        number = ffi.cast("void *", value)
        lib.curl_multi_setopt(self._multi._curlm, option, number)

    def _new_handle(self) -> Curl:
        curl = Curl(cacert=self._cacert or "")
        if self._browser:
            curl.impersonate(self._browser)
        for option, value in (
            (CurlOpt.PROTOCOLS_STR, "http,https"),
            (CurlOpt.HTTP_VERSION, CurlHttpVersion.V2TLS),  # no browser asks for h2c
            (CurlOpt.FOLLOWLOCATION, 0),
            (CurlOpt.NOSIGNAL, 1),
            (CurlOpt.TCP_KEEPALIVE, 1),
            (CurlOpt.BUFFERSIZE, SOCKET_BUFFER),
            (CurlOpt.CONNECTTIMEOUT_MS, int(self._connect_timeout * 1000)),
            (CurlOpt.TIMEOUT_MS, 0),
            (CurlOpt.ACCEPT_ENCODING, ""),  # what can be undone; we ask for identity
            (CurlOpt.SUPPRESS_CONNECT_HEADERS, 1),
        ):
            curl.setopt(option, value)
        if self._proxy is not None:
            curl.setopt(CurlOpt.PROXY, _wire(self._proxy))
        if self._insecure:
            curl.setopt(CurlOpt.SSL_VERIFYPEER, 0)
            curl.setopt(CurlOpt.SSL_VERIFYHOST, 0)
        return curl

    def _check_admitted(self, response: Response, curl: Curl) -> None:
        """Refuse what is no answer of the server: the proxy wants to know who asks."""
        if response.status == 407 and curl.getinfo(CurlInfo.USED_PROXY):
            raise wants_login(named(response.url, self._proxy, os.environ))

    def _blamed(self, curl: Curl, url: str, code: int) -> HydraError | None:
        """What the proxy is to blame for, where one was asked."""
        if not curl.getinfo(CurlInfo.USED_PROXY):
            return None
        failure = Failure(
            code=code,
            tunnel=_number(curl, CurlInfo.HTTP_CONNECTCODE),
            socks=_number(curl, CurlInfo.PROXY_ERROR),
            distrusted=bool(curl.getinfo(CurlInfo.PROXY_SSL_VERIFYRESULT)),
        )
        return blamed(named(url, self._proxy, os.environ), failure)

    def _remove(self, curl: Curl) -> None:
        self._multi.remove_handle(curl)

    def _recycle(self, response: Response, curl: Curl) -> None:
        self._open.discard(response)
        self._idle.append(curl)


_SIGNS = {0: "*", 1: "<", 2: ">"}
"""What curl says itself, receives and sends, by CURLINFO; bodies are left out."""


def _listen(curl: Curl, trace: Callable[[str], None], number: int) -> None:
    """Let curl tell what it does, masked."""

    def said(kind: int, data: bytes) -> None:
        if (sign := _SIGNS.get(kind)) is not None:
            for line in scrubbed(_text(data)).split("\n"):
                if line.strip():
                    trace(f"[{number}] {sign} {line.strip()}")

    curl.setopt(CurlOpt.VERBOSE, 1)
    curl.setopt(CurlOpt.DEBUGFUNCTION, said)


def _number(curl: Curl, info: CurlInfo) -> int:
    found = curl.getinfo(info)
    assert isinstance(found, int)
    return found


def _translate(failure: BaseException) -> HydraError:
    if not isinstance(failure, CurlError):
        return Fault(f"unexpected {type(failure).__name__}", final=RefusedError)
    code = int(failure.code)
    if message := _REFUSALS.get(code):
        return RefusedError(message)
    if message := _LOCAL.get(code):
        return LocalError(message)
    if message := _MALFORMED.get(code):
        return Fault(message, unreachable=True, final=RefusedError)
    if message := _UNREACHABLE.get(code):
        return Fault(message, unreachable=True)
    message = _LOST.get(code) or _FAULTS.get(code, f"curl error {code}")
    return Fault(message, lost=code in _LOST)


def _exact_browser(name: str | None) -> str | None:
    """The target that curl knows: `chrome` alone means its newest."""
    if name is None:
        return None
    if name not in browsers():
        known = ", ".join(("none", *browsers()))
        raise UsageError(f"unknown browser {name!r}; known are {known}")
    return REAL_TARGET_MAP.get(name, name)


def browsers() -> tuple[str, ...]:
    """The names that `browser` may have."""
    return tuple(get_args(BrowserTypeLiteral))
