"""What the first answer says of a file, and when the question is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple, cast

import pytest

from engine.errors import Fault, NetworkError, RefusedError
from engine.model import RemoteFile
from engine.patience import Patience
from engine.probe import probe
from engine.ranges import ByteRange
from engine.source import Source
from engine.transport import Headers
from engine.window import Window
from tests.support.listener import Listener

FIRST = ByteRange(0, 10)
URL = "https://example.org/data/file.bin"
MANY = 16


class Head(NamedTuple):
    """What a server says before the body."""

    status: int
    url: str
    fields: Mapping[str, str]


class Answer:
    """A response as the probe sees it: a head, and whether it was closed."""

    def __init__(self, head: Head) -> None:
        self.status, self.url, _ = head
        self.headers = Headers()
        self.is_closed = False
        for name, value in head.fields.items():
            self.headers.add(f"{name.replace('_', '-')}: {value}".encode())

    def close(self) -> None:
        self.is_closed = True


class Server:
    """A source that answers from a list, and remembers what it was asked."""

    def __init__(self, *script: Head | Fault) -> None:
        self.url = URL
        self.asked: list[ByteRange | None] = []
        self.answers: list[Answer] = []
        self._script = list(script)

    async def open(self, part: ByteRange | None) -> Answer:
        self.asked.append(part)
        step = self._script.pop(0)
        if isinstance(step, Fault):
            raise step
        self.answers.append(Answer(step))
        return self.answers[-1]

    def pin(self, response: Answer) -> None:
        self.url = response.url


@pytest.fixture(autouse=True)
def no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jitter is always nothing."""
    monkeypatch.setattr("engine.patience.random.random", lambda: 0.0)


@pytest.fixture
def window() -> Window:
    window = Window("example.org", monotonic())
    window.join(MANY, monotonic())
    return window


def answer(status: int, url: str = URL, /, **fields: str) -> Head:
    return Head(status, url, fields)


async def ask(
    server: Server,
    window: Window,
    give_up_after: float = 60.0,
    *,
    told: Listener | None = None,
    first: ByteRange = FIRST,
    known: RemoteFile | None = None,
) -> tuple[RemoteFile, Answer]:
    patience = Patience(give_up_after, Listener() if told is None else told)
    remote, response = await probe(
        cast(Source, server), first, patience, lambda: window, known
    )
    return remote, cast(Answer, cast(object, response))


# -- what an answer says ---------------------------------------------------------


class Told(NamedTuple):
    """What a file is made out to be."""

    size: int | None
    ranges: bool


WHOLE = answer(200, Content_Length="100")
PACKED = "https://example.org/file.tar.gz"
GZIPPED = {"Content_Encoding": "gzip"}

CASES: dict[str, tuple[list[Head], Told]] = {
    "a part": ([answer(206, Content_Range="bytes 0-9/100")], Told(100, True)),
    "a shorter part": ([answer(206, Content_Range="bytes 0-4/5")], Told(5, True)),
    "the whole": ([WHOLE], Told(100, False)),
    "of unknown length": ([answer(200)], Told(None, False)),
    "of nonsensical length": ([answer(200, Content_Length="x")], Told(None, False)),
    "nothing": ([answer(200, Content_Length="0")], Told(0, False)),
    "a part of nothing": ([answer(416, Content_Range="bytes */0")], Told(0, True)),
    "unpacked on the way": (
        [answer(200, Content_Length="7", **GZIPPED)],
        Told(None, False),
    ),
    "packed by itself": (
        [answer(200, PACKED, Content_Length="7", **GZIPPED)],
        Told(7, False),
    ),
    "a part of what is packed by itself": (
        [answer(206, PACKED, Content_Range="bytes 0-9/100", **GZIPPED)],
        Told(100, True),
    ),
    "a part of who knows what": (
        [answer(206, Content_Range="bytes 0-9/*"), WHOLE],
        Told(100, False),
    ),
    "a part that is not described": ([answer(206), WHOLE], Told(100, False)),
    "a part of something packed": (
        [
            answer(206, Content_Range="bytes 0-9/50", **GZIPPED),
            answer(200, Content_Length="50", **GZIPPED),
        ],
        Told(None, False),
    ),
    "no part without a reason": ([answer(416), WHOLE], Told(100, False)),
}


@pytest.mark.parametrize("case", CASES)
async def test_each_kind_of_answer_is_normal(window: Window, case: str) -> None:
    """Parts, wholes, unknown lengths, codings and empty files are all files.

    Where parts are no use the whole is asked for; only the last body flows on.
    """
    heads, told = CASES[case]
    server = Server(*heads)
    remote, body = await ask(server, window)
    assert (remote.size, remote.ranges) == told
    assert server.asked == [FIRST, None][: len(heads)]
    assert body is server.answers[-1]
    assert not body.is_closed
    assert all(answer.is_closed for answer in server.answers[:-1])


async def test_the_head_describes_the_file(window: Window) -> None:
    """Validators and the name are remembered, and where the redirects ended."""
    there = "https://mirror.example.net/pool/x.iso"
    fields = {"Content_Range": "bytes 0-9/100", "ETag": '"v1"', "Last_Modified": "then"}
    remote, _ = await ask(Server(answer(206, there, **fields)), window)
    assert remote == RemoteFile(
        url=there,
        size=100,
        ranges=True,
        name="x.iso",
        etag='"v1"',
        last_modified="then",
    )


async def test_the_server_may_name_the_file(window: Window) -> None:
    """Content-Disposition goes before the URL."""
    named = answer(200, Content_Disposition='attachment; filename="y.txt"')
    remote, _ = await ask(Server(named), window)
    assert remote.name == "y.txt"


@pytest.mark.parametrize(
    ("status", "field"),
    [(206, "bytes 1-10/100"), (206, "bytes */100"), (416, "bytes */100")],
)
async def test_an_answer_to_another_question_cannot_be_trusted(
    window: Window, status: int, field: str
) -> None:
    """A part that nobody asked for is closed, and refused once patience is out."""
    server = Server(answer(status, Content_Range=field))
    with pytest.raises(RefusedError, match=f"HTTP {status} with an unusable"):
        await ask(server, window, give_up_after=0.0)
    assert server.answers[0].is_closed


async def test_a_fault_on_the_second_question_leaves_no_body(window: Window) -> None:
    """The part that was no use is closed, whatever becomes of the whole."""
    again = answer(206, Content_Range="bytes 0-9/10")
    server = Server(answer(206), Fault("reset"), again)
    remote, _ = await ask(server, window)
    assert server.answers[0].is_closed
    assert server.asked == [FIRST, None, FIRST]
    assert remote.size == 10


async def test_a_name_may_be_the_first_urls(window: Window) -> None:
    """Where redirects end at no name the URL that was given has one."""
    there = "https://mirror.example.net/"
    remote, _ = await ask(Server(answer(200, there, Content_Length="5")), window)
    assert (remote.url, remote.name) == (there, "file.bin")


async def test_what_answered_is_pinned(window: Window) -> None:
    """The first believed answer tells where all others are asked for."""
    there = "https://mirror.example.net/x"
    server = Server(
        answer(206, "https://other.example/", Content_Range="bytes 7-9/10"),
        answer(206, there, Content_Range="bytes 0-9/10"),
    )
    await ask(server, window)
    assert server.url == there


# -- what is partly here ---------------------------------------------------------

GAP = ByteRange(40, 50)
KNOWN = RemoteFile(
    url=URL,
    size=100,
    ranges=True,
    name="file.bin",
    etag='"v1"',
    last_modified="then",
    media_type="application/zip",
)


async def test_the_first_gap_of_a_known_file_is_asked_for(window: Window) -> None:
    """What is missing of a file that is partly here is what the first body brings."""
    server = Server(answer(206, Content_Range="bytes 40-49/100", ETag='"v1"'))
    remote, body = await ask(server, window, first=GAP, known=KNOWN)
    assert server.asked == [GAP]
    assert (remote.size, remote.etag, remote.ranges) == (100, '"v1"', True)
    assert not body.is_closed


async def test_a_server_that_gives_no_parts_any_more_gives_the_whole(
    window: Window,
) -> None:
    """The same file without ranges is an answer too."""
    server = Server(answer(200, Content_Length="100", ETag='"v1"'))
    remote, body = await ask(server, window, first=GAP, known=KNOWN)
    assert (remote.size, remote.ranges) == (100, False)
    assert not body.is_closed


@pytest.mark.parametrize(
    "head",
    [
        answer(206, Content_Range="bytes 40-49/101", ETag='"v2"'),
        answer(206, Content_Range="bytes 40-44/45"),
        answer(206, Content_Range="bytes 0-9/10"),
        answer(416, Content_Range="bytes */30"),
        answer(416, Content_Range="bytes */0"),
        answer(200, Content_Length="101"),
    ],
)
async def test_another_file_is_for_others_to_judge(window: Window, head: Head) -> None:
    """What is not the file that is known is no fault: it is told as it is."""
    server = Server(head)
    remote, body = await ask(server, window, 0.0, first=GAP, known=KNOWN)
    assert remote.size != KNOWN.size
    assert body is server.answers[-1]


async def test_what_may_be_the_file_is_told_too(window: Window) -> None:
    """Where only bytes can tell, the answer must at least be the part asked for."""
    fields = {"ETag": '"node 2"', "Last_Modified": "then"}
    server = Server(
        answer(206, Content_Range="bytes 41-49/100", **fields),
        answer(206, Content_Range="bytes 40-49/100", **fields),
    )
    remote, _ = await ask(server, window, first=GAP, known=KNOWN)
    assert remote.etag == '"node 2"'
    assert server.asked == [GAP, GAP]
    assert [one.is_closed for one in server.answers] == [True, False]


@pytest.mark.parametrize("status", [200, 206])
async def test_a_web_page_is_asked_again(window: Window, status: int) -> None:
    """A captive portal is a fault: the file that is known is asked for again."""
    told = Listener()
    server = Server(
        answer(status, "https://portal.example/", Content_Type="text/html"),
        answer(200, "https://portal.example/", Content_Type="text/html"),
        answer(206, Content_Range="bytes 40-49/100", ETag='"v1"'),
    )
    if status == 200:
        server._script.pop(1)
    remote, _ = await ask(server, window, told=told, first=GAP, known=KNOWN)
    assert remote.etag == '"v1"'
    assert told == ["a web page came instead of the file, again in 0.0 s"]
    assert server.url == URL
    assert all(answer.is_closed for answer in server.answers[:-1])


async def test_a_web_page_may_be_what_is_wanted(window: Window) -> None:
    """Where nothing is known a page is a file like any other."""
    page = answer(200, Content_Type="text/html", Content_Length="5")
    remote, _ = await ask(Server(page), window)
    assert (remote.size, remote.media_type) == (5, "text/html")


# -- asking again ----------------------------------------------------------------


async def test_a_fault_is_asked_again(window: Window) -> None:
    """What may pass is asked again, and people are told."""
    told = Listener()
    server = Server(Fault("reset"), Fault("HTTP 500", status=500), WHOLE)
    remote, _ = await ask(server, window, told=told)
    assert remote.size == 100
    assert server.asked == [FIRST] * 3
    assert told == ["reset, again in 0.0 s", "HTTP 500, again in 0.0 s"]


async def test_patience_ends(window: Window) -> None:
    """When patience is out the fault becomes an error, and nothing is flying."""
    with pytest.raises(NetworkError, match="reset"):
        await ask(Server(Fault("reset")), window, give_up_after=0.0)
    assert window.flying == 0


async def test_a_probe_flies_in_the_window(window: Window) -> None:
    """While it asks it is one lane, and none once its answer is here."""
    flying: list[int] = []

    class Watching(Server):
        async def open(self, part: ByteRange | None) -> Answer:
            flying.append(window.flying)
            return await super().open(part)

    await ask(Watching(Fault("reset"), WHOLE), window)
    assert flying == [1, 1]
    assert window.flying == 0


async def test_a_probe_may_be_cancelled(window: Window) -> None:
    """Cancelled while it asks, it is gone from its window."""
    asked = asyncio.Event()

    class Silent(Server):
        async def open(self, part: ByteRange | None) -> Answer:
            asked.set()
            await asyncio.Event().wait()
            return await super().open(part)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask(Silent(), window))
        await asked.wait()
        assert window.flying == 1
        asking.cancel()
    assert window.flying == 0


async def test_congestion_halves_the_window(window: Window) -> None:
    """A 429 to the probe is news for everybody on the host."""
    await ask(Server(Fault("HTTP 429", status=429), WHOLE), window)
    assert window.size == MANY // 2


async def test_a_probe_waits_for_a_closed_window(window: Window) -> None:
    """What the host asked of others is obeyed before the first question too."""
    opens = monotonic() + 0.05
    window.close_until(opens)
    server = Server(Fault("HTTP 503", status=503, retry_after=0.05), WHOLE)
    await ask(server, window)
    assert monotonic() >= opens + 0.05


async def test_each_question_counts_where_it_goes(window: Window) -> None:
    """A redirect may lead to another host: its window is charged from then on."""
    other = Window("mirror.example.net", monotonic())
    other.join(MANY, monotonic())
    windows = [window, other]
    server = Server(Fault("HTTP 429", status=429), WHOLE)
    await probe(
        cast(Source, server),
        FIRST,
        Patience(60.0, Listener()),
        lambda: windows.pop(0),
    )
    assert (window.size, other.size) == (MANY // 2, MANY)
    assert (window.flying, other.flying) == (0, 0)
