"""Metalinks and checksum files that mean harm: refused or passed over, never obeyed.

Nobody asked for a checksum file, so a bad one costs nothing but the digest. A
Metalink was asked for, so a bad one is an error in one line. Neither may cost
memory, time, traffic, or a byte outside the folder.
"""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import PIPE

import pytest

from engine import Config, Engine, JobSpec, RefusedError
from engine.metalink import MOST_URLS
from engine.testing import (
    Content,
    CutAfter,
    EmptyReply,
    Fault,
    Origin,
    Relabel,
    Request,
    Resource,
    Status,
)
from tests.integration.support import MIB, ROOT, run

pytestmark = pytest.mark.timeout(90)

NAME = "hydra.bin"
FILE = Content(MIB + 3, seed=81)
LARGE = Content(17 * MIB, seed=82)
"""Long enough to be worth a sidecar."""
HEX = FILE.digest()
NOTHING = "size only"
PATIENCE = 30.0
GIB = 1024 * MIB
MOST_TRAFFIC = 40 * MIB
"""Bytes that may have been sent when somebody has stopped reading a gigabyte."""
MOST_GROWTH = 160 * MIB
"""Bytes of memory for what would take a gigabyte."""

NAMESPACE = "urn:ietf:params:xml:ns:metalink"


def document(inside: str, before: str = "") -> bytes:
    text = f'<metalink xmlns="{NAMESPACE}">{inside}</metalink>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{before}{text}'.encode()


def file(name: str, *urls: str, more: str = "") -> str:
    found = "".join(f"<url>{url}</url>" for url in urls)
    return f'<file name="{name}">{more}{found}</file>'


def text(data: str | bytes, **headers: str) -> Resource:
    """A small file with fields such as `Content_Encoding`."""
    raw = data.encode() if isinstance(data, str) else data
    fields = tuple((name.replace("_", "-"), each) for name, each in headers.items())
    return Resource(Content.of(raw), headers=fields)


async def fetched(folder: Path, *specs: JobSpec) -> list[str]:
    """The verdicts of all that came of it."""
    config = Config(output=folder, give_up_after=PATIENCE)
    async with asyncio.timeout(2 * PATIENCE), Engine(config) as engine:
        for job in [engine.add(spec) for spec in specs]:
            await engine.wait(job)
        return [job.verdict for job in engine.snapshot().jobs]


async def fetched_as_metalink(folder: Path, data: bytes) -> tuple[str, list[str]]:
    """The error of a Metalink, and what was asked for because of it."""
    resources = {"/x.meta4": text(data), f"/{NAME}": Resource(FILE)}
    async with Origin(resources) as origin:
        with pytest.raises(RefusedError) as raised:
            await fetched(folder, JobSpec(origin.url("/x.meta4")))
        asked = {request.path for request in origin.requests}
    return str(raised.value), sorted(asked)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# -- Metalinks that make no sense

BOMB = "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' if n else '<!ENTITY e0 "lol">'
    for n in range(12)
)
URL = "http://127.0.0.1:9/hydra.bin"
"""Nothing may be asked of it."""

NONSENSE: dict[str, tuple[bytes, str]] = {
    "an entity bomb": (
        document(file("&e11;", URL), f"<!DOCTYPE metalink [{BOMB}]>"),
        "DTD",
    ),
    "an entity bomb in a URL": (
        document(file(NAME, "http://&e11;/"), f"<!DOCTYPE metalink [{BOMB}]>"),
        "DTD",
    ),
    "an external DTD": (
        document(file(NAME, URL), f'<!DOCTYPE metalink SYSTEM "{URL}">'),
        "DTD",
    ),
    "a parameter entity": (
        document(
            file(NAME, URL),
            f'<!DOCTYPE metalink [<!ENTITY % a SYSTEM "{URL}"> %a;]>',
        ),
        "DTD",
    ),
    "an undefined entity": (document(file("&passwd;", URL)), "not a Metalink"),
    "an unknown encoding": (
        document(file(NAME, URL)).replace(b"UTF-8", b"x-klingon"),
        "encoding",
    ),
    "a codec that is no encoding": (
        document(file(NAME, URL)).replace(b"UTF-8", b"zlib_codec"),
        "encoding",
    ),
    "UTF-7": (document(file(NAME, URL)).replace(b"UTF-8", b"utf-7"), "encoding"),
    "Latin-1 that claims to be UTF-8": (
        document(file(NAME, URL)).replace(b"hydra.bin", b"hydr\xe4.bin"),
        "not a Metalink",
    ),
    "UTF-8 that claims to be UTF-16": (
        document(file(NAME, URL)).replace(b"UTF-8", b"UTF-16"),
        "not a Metalink|encoding",
    ),
    "half of UTF-16": (
        document(file(NAME, URL)).decode().encode("utf-16")[:-151],
        "not a Metalink",
    ),
    "zeros": (bytes(4096), "not a Metalink"),
    "nothing": (b"", "not a Metalink"),
    "a web page": (b"<!DOCTYPE html><html>Log in</html>", "not a Metalink"),
    "no file": (document(""), "no file"),
    "100,000 levels": (document("<a>" * 100_000), "too deep"),
    "100,000 names": (
        document("".join(f"<n{n}/>" for n in range(100_000))),
        "names",
    ),
    "a tag without an end": (document("<file " + "a" * 2 * MIB), "Metalink"),
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_a_metalink_of_no_sense_is_refused(tmp_path: Path, case: str) -> None:
    """One clear error; nothing is asked for or written because of it."""
    data, message = NONSENSE[case]
    error, asked = await fetched_as_metalink(tmp_path, data)
    assert error.isprintable()
    assert len(error) < 300
    with pytest.raises(RefusedError, match=message):
        raise RefusedError(error)
    assert asked == ["/x.meta4"]
    assert tree(tmp_path) == []


@pytest.mark.parametrize("where", ["a name", "a URL", "a digest"])
async def test_an_external_entity_is_not_read(tmp_path: Path, where: str) -> None:
    """What is in a file of this machine gets neither into requests nor into errors."""
    secret = tmp_path / "secret"
    secret.write_text("canary")
    folder = tmp_path / "folder"
    dtd = f'<!DOCTYPE metalink [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    async with Origin({}) as origin:
        url = origin.url("/file")
        inside = {
            "a name": file("&x;", url),
            "a URL": file(NAME, f"{url}?&x;"),
            "a digest": file(NAME, url, more='<hash type="md5">&x;</hash>'),
        }[where]
        error, _ = await fetched_as_metalink(folder, document(inside, dtd))
        assert origin.requests == []
    assert "DTD" in error
    assert "canary" not in error
    assert tree(tmp_path) == ["secret"]


# -- names and URLs that lead elsewhere

ELSEWHERE = [
    "../x",
    "../../x",
    "a/../../x",
    "a/../x",
    "./x",
    "/etc/x",
    "//x",
    "..\\..\\x",
    "\\x",
    "C:\\x",
    "c:x",
    "..",
    ".",
    "",
    "a/..",
    "x" * 2000,
]


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_name_that_leads_elsewhere_is_refused(
    tmp_path: Path, name: str
) -> None:
    """Nothing is written, in the folder or out of it (RFC 5854 section 4.1.2.1)."""
    folder = tmp_path / "one" / "two" / "three"
    async with Origin({f"/{NAME}": Resource(FILE)}) as origin:
        data = document(file(name, origin.url(f"/{NAME}")))
        error, _ = await fetched_as_metalink(folder, data)
        assert origin.requests == []
    assert "bad file name" in error
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["sub/x", "a/b/x", "&#10;x", "~/x", "%2e%2e%2fx", "x "]
)
async def test_whatever_a_name_is_its_file_lies_in_the_folder(
    tmp_path: Path, name: str
) -> None:
    """Folders of a name are not made, and escapes are not undone."""
    folder = tmp_path / "one" / "two"
    resources = {f"/{NAME}": Resource(FILE)}
    async with Origin(resources) as origin:
        data = document(file(name, origin.url(f"/{NAME}")))
        origin.resources["/x.meta4"] = text(data)
        await fetched(folder, JobSpec(origin.url("/x.meta4")))
    [written] = files(tmp_path)
    assert written.parent == folder
    assert written.name.isprintable()
    assert written.read_bytes() == FILE.read()


OTHER_SCHEMES = [
    "file:///etc/passwd",
    "ftp://127.0.0.1:9/hydra.bin",
    "FILE:///etc/passwd",
    "gopher://127.0.0.1:9/",
    "javascript:alert(1)",
    "data:text/plain,hydra",
    "//127.0.0.1:9/hydra.bin",
    "hydra.bin",
    "http:///hydra.bin",
    "http://127.0.0.1:99999/hydra.bin",
]


@pytest.mark.parametrize("url", OTHER_SCHEMES)
async def test_a_metalink_of_other_schemes_is_refused(tmp_path: Path, url: str) -> None:
    """Only http and https are fetched, whoever names them."""
    error, asked = await fetched_as_metalink(tmp_path, document(file(NAME, url)))
    assert "no http or https URL" in error
    assert asked == ["/x.meta4"]
    assert tree(tmp_path) == []


async def test_other_schemes_among_mirrors_are_passed_over(tmp_path: Path) -> None:
    """The file comes from where it may be fetched."""
    async with Origin({f"/{NAME}": Resource(FILE)}) as origin:
        urls = (*OTHER_SCHEMES, origin.url(f"/{NAME}"))
        origin.resources["/x.meta4"] = text(document(file(NAME, *urls)))
        await fetched(tmp_path, JobSpec(origin.url("/x.meta4")))
    assert (tmp_path / NAME).read_bytes() == FILE.read()
    assert tree(tmp_path) == [NAME]


async def test_a_refused_metalink_is_one_line_of_the_command(tmp_path: Path) -> None:
    """Exit code 4, and nothing a terminal would obey."""
    name = "../\u202e&#27;[2J" + "x"
    for data in (document(file("../x", URL)), document(file(name, URL))):
        async with Origin({"/x.meta4": text(data)}) as origin:
            ran = await run("--no-ui", origin.url("/x.meta4"), cwd=tmp_path)
        assert ran.code == 4, ran.err
        assert "Metalink" in ran.err
        assert "Traceback" not in ran.err
        assert not {"\x1b", "\u202e"} & set(ran.err)


ONCE: dict[str, Fault] = {
    "503": Status(503),
    "cut": CutAfter(40),
    "no answer": EmptyReply(),
}


@pytest.mark.parametrize("case", ONCE)
async def test_a_metalink_that_fails_once_is_asked_for_again(
    tmp_path: Path, case: str
) -> None:
    """What may pass is waited for, as it is for any file."""
    async with Origin({f"/{NAME}": Resource(FILE)}) as origin:
        told = text(document(file(NAME, origin.url(f"/{NAME}"))))
        origin.resources["/x.meta4"] = replace(told, script=[None, ONCE[case]])
        await fetched(tmp_path, JobSpec(origin.url("/x.meta4")))
    assert (tmp_path / NAME).read_bytes() == FILE.read()


async def test_a_metalink_that_fails_for_ever_is_an_error_of_the_network(
    tmp_path: Path,
) -> None:
    """Exit code 3, as for any file that does not come."""
    told = replace(text(document("")), script=lambda each: _later(each, Status(503)))
    async with Origin({"/x.meta4": told}) as origin:
        url = origin.url("/x.meta4")
        ran = await run("--no-ui", "--give-up-after", "1", url, cwd=tmp_path)
    assert ran.code == 3, ran.err
    assert "503" in ran.err


def _later(request: Request, fault: Fault) -> Fault | None:
    return fault if request.number > 1 else None


# -- thousands of mirrors


def mirrors(origin: Origin) -> bytes:
    urls = [origin.url(f"/mirror/{number}") for number in range(5000)]
    return document(file(NAME, *urls, more=f'<hash type="sha-256">{HEX}</hash>'))


async def test_of_thousands_of_mirrors_few_are_asked(tmp_path: Path) -> None:
    """The first serves the file; the others are not all kept."""
    async with Origin({}) as origin:
        origin.resources["/x.meta4"] = text(mirrors(origin))
        for number in range(5000):
            origin.resources[f"/mirror/{number}"] = Resource(FILE)
        verdicts = await fetched(tmp_path, JobSpec(origin.url("/x.meta4")))
        asked = {each.path for each in origin.requests if "mirror" in each.path}
    assert verdicts == ["verified (sha256, from Metalink)"]
    assert len(asked) <= MOST_URLS
    assert (tmp_path / NAME).read_bytes() == FILE.read()


async def test_thousands_of_dead_mirrors_come_to_an_end(tmp_path: Path) -> None:
    """Those that are kept are asked once each, and then the job fails."""
    async with Origin({}) as origin:
        origin.resources["/x.meta4"] = text(mirrors(origin))
        with pytest.raises(RefusedError, match="404"):
            await fetched(tmp_path, JobSpec(origin.url("/x.meta4")))
        asked = [each.path for each in origin.requests if "mirror" in each.path]
    assert len(asked) == len(set(asked)) == MOST_URLS
    assert tree(tmp_path) == []


# -- documents without an end


def endless(line: bytes) -> Content:
    """A gigabyte of one line."""
    return Content(GIB, literal=line * (MIB // len(line)))


LINE = f"{'0' * 64}  another.bin\n".encode()
TAGS = b"<!-- the end is nigh -->\n"


@pytest.mark.parametrize("length", ["known", "chunked", "close"])
async def test_a_manifest_without_an_end_is_cut_off(
    tmp_path: Path, length: str
) -> None:
    """No more comes of it than a manifest may be long, and the file is there."""
    lists = Resource(endless(LINE), length=length)  # type: ignore[arg-type]
    async with Origin({f"/{NAME}": Resource(FILE), "/SHA256SUMS": lists}) as origin:
        verdicts = await fetched(tmp_path, JobSpec(origin.url(f"/{NAME}")))
        assert origin.served < MOST_TRAFFIC
    assert verdicts == [NOTHING]
    assert tree(tmp_path) == [NAME]


async def test_a_sidecar_without_an_end_is_cut_off(tmp_path: Path) -> None:
    """A sidecar has one line, or few."""
    lists = Resource(endless(LINE), length="chunked")
    resources = {f"/{NAME}": Resource(LARGE), f"/{NAME}.md5": lists}
    async with Origin(resources) as origin:
        verdicts = await fetched(tmp_path, JobSpec(origin.url(f"/{NAME}")))
        asked = [request.path for request in origin.requests]
        served = origin.served - LARGE.size
    assert f"/{NAME}.md5" in asked
    assert served < MOST_TRAFFIC // 2
    assert verdicts == [NOTHING]


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("length", ["known", "chunked", "close"])
async def test_a_metalink_without_an_end_is_cut_off(
    tmp_path: Path, length: str, *, ranges: bool
) -> None:
    """Once it is longer than a Metalink may be, it is none."""
    content = endless(TAGS)
    resource = Resource(content, length=length, ranges=ranges)  # type: ignore[arg-type]
    async with Origin({"/x.meta4": resource}) as origin:
        with pytest.raises(RefusedError, match="more than 16 MiB"):
            await fetched(tmp_path, JobSpec(origin.url("/x.meta4")))
        assert origin.served < MOST_TRAFFIC
    assert tree(tmp_path) == []


def inflated(line: bytes) -> bytes:
    """A megabyte, or less, that gzip makes a gigabyte of."""
    packer = zlib.compressobj(9, wbits=-15)
    part = packer.compress(line * (MIB // len(line))) + packer.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"", mtime=0)[:10] + part * 1024


def bombs() -> dict[str, Resource]:
    once = inflated(LINE)
    twice = gzip.compress(once, mtime=0)
    assert len(twice) < 64 * 1024
    return {
        "packed once": text(once, Content_Encoding="gzip"),
        "packed twice": text(twice, Content_Encoding="gzip, gzip"),
        "packed twice, in two fields": Resource(
            Content.of(twice), headers=(("Content-Encoding", "gzip"),) * 2
        ),
    }


@dataclass(frozen=True, slots=True)
class Lived:
    """How a process of its own has fetched a file."""

    verdict: str
    growth: int
    """Bytes of memory that it needed at most, beyond what any process needs."""


CHILD = """
import asyncio, sys
from pathlib import Path
from engine import Config, Engine, HydraError, JobSpec

def peak():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

async def main():
    before = peak()
    config = Config(output=Path(sys.argv[2]), give_up_after=1.0)
    async with Engine(config) as engine:
        job = engine.add(JobSpec(sys.argv[1]))
        try:
            verdict = (await engine.wait(job)).verdict
        except HydraError as error:
            verdict = f"failed: {type(error).__name__}"
    print(verdict, (peak() - before) * 1024, sep="\\n")

asyncio.run(main())
"""
"""Fetches a URL into a folder; prints the verdict, and by how much it has grown."""


async def lived(url: str, folder: Path) -> Lived:
    return await asyncio.to_thread(_lived, url, folder)


def _lived(url: str, folder: Path) -> Lived:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc tells how much memory a process had")
    command = [sys.executable, "-c", CHILD, url, str(folder)]
    ran = subprocess.run(
        command, stdout=PIPE, cwd=ROOT, timeout=PATIENCE, check=True, text=True
    )
    verdict, growth = ran.stdout.splitlines()
    return Lived(verdict, int(growth))


@pytest.mark.parametrize("case", bombs())
@pytest.mark.parametrize("name", ["SHA256SUMS", f"{NAME}.md5"])
async def test_a_packed_manifest_stays_small(
    tmp_path: Path, name: str, case: str
) -> None:
    """Kilobytes that would become a gigabyte are let go of, and not believed."""
    resources = {f"/{NAME}": Resource(LARGE), f"/{name}": bombs()[case]}
    async with Origin(resources) as origin:
        ran = await lived(origin.url(f"/{NAME}"), tmp_path)
        assert f"/{name}" in {request.path for request in origin.requests}
    assert ran.verdict == NOTHING
    assert ran.growth < MOST_GROWTH
    assert (tmp_path / NAME).read_bytes() == LARGE.read()


@pytest.mark.parametrize("case", bombs())
async def test_a_packed_metalink_stays_small(tmp_path: Path, case: str) -> None:
    """It fails, once it is longer than a Metalink may be or cannot be unpacked."""
    async with Origin({"/x.meta4": bombs()[case]}) as origin:
        ran = await lived(origin.url("/x.meta4"), tmp_path)
    assert ran.verdict.startswith("failed: ")
    assert ran.growth < MOST_GROWTH
    assert tree(tmp_path) == []


LONG: dict[str, Callable[[], Resource]] = {
    "endless": lambda: Resource(endless(TAGS), length="chunked"),
    "many files": lambda: text(document(file("a", URL) * 100_000)),
    "many elements": lambda: text(document("<a/>" * 3_000_000)),
    "one long text": lambda: text(document(file(NAME, "http://" + "a" * 15 * MIB))),
    "one long comment": lambda: text(document(f"<!--{'a' * 15 * MIB}-->")),
    "one long name": lambda: text(document(file("a" * 15 * MIB, URL))),
}


@pytest.mark.parametrize("case", LONG)
async def test_a_long_metalink_stays_small(tmp_path: Path, case: str) -> None:
    """What is too long or too many is refused before it is all in memory as a tree."""
    async with Origin({"/x.meta4": LONG[case]()}) as origin:
        ran = await lived(origin.url("/x.meta4"), tmp_path)
    assert ran.verdict == "failed: RefusedError"
    assert ran.growth < MOST_GROWTH
    assert tree(tmp_path) == []


# -- checksum files that are something else

PAGE = f"<html><body><pre>{LARGE.digest('md5')}  {NAME}\n</pre></body></html>"


def called_a_page(data: str) -> Resource:
    kind = Relabel((("Content-Type", "text/html; charset=utf-8"),))
    return replace(text(data), script=lambda _: kind)


IGNORED: dict[str, Resource] = {
    "a web page": called_a_page(PAGE),
    "a line that is called a web page": called_a_page(f"{'0' * 32}  {NAME}\n"),
    "a web page of no type": text(PAGE),
    "a page in UTF-16": text(PAGE.encode("utf-16")),
    "UTF-16 without a mark": text(f"{'0' * 32}  {NAME}\n".encode("utf-16-le")),
    "UTF-32": text(f"{'0' * 32}  {NAME}\n".encode("utf-32")),
    "bytes of no text": Resource(Content(40_000, seed=83)),
    "zeros": text(bytes(40_000)),
    "nothing": text(b""),
    "half a digest": text("0" * 31),
    "a digest of another algorithm": text("0" * 64),
    "two of another file": text(f"{'0' * 32}  a\n{'1' * 32}  b\n"),
    "contradictions": text(f"{'0' * 32}  {NAME}\n{'1' * 32}  {NAME}\n"),
    "what is inside": text(f"{'0' * 32}  {NAME.removesuffix('.bin')}\n"),
    "no gzip that says so": text("0" * 32, Content_Encoding="gzip"),
    "an unknown coding": text("0" * 32, Content_Encoding="klingon"),
    "a redirect to a file of this machine": Resource(redirect="file:///etc/passwd"),
}


@pytest.mark.parametrize("where", ["MD5SUMS", f"{NAME}.md5"])
@pytest.mark.parametrize("case", IGNORED)
async def test_what_is_no_checksum_file_says_nothing(
    tmp_path: Path, case: str, where: str
) -> None:
    """The file is there, by its size only; there is no error to read."""
    resources = {f"/{NAME}": Resource(LARGE), f"/{where}": IGNORED[case]}
    async with Origin(resources) as origin:
        verdicts = await fetched(tmp_path, JobSpec(origin.url(f"/{NAME}")))
        assert f"/{where}" in {request.path for request in origin.requests}
    assert verdicts == [NOTHING]
    assert tree(tmp_path) == [NAME]


ODD: dict[str, bytes] = {
    "UTF-16": f"{HEX}  {NAME}\n".encode("utf-16"),
    "UTF-8 with a mark": f"\ufeff{HEX}  {NAME}\n".encode(),
    "Latin-1": f"# Prüfsummen\n{HEX}  {NAME}\n".encode("latin-1"),
    "paths that lead elsewhere": f"{HEX}  ../../../../etc/{NAME}\n".encode(),
    "orders to a terminal": f"# \x1b[2J\u202e\n{HEX}  {NAME}\n".encode(),
    "a line of a megabyte": b"0" * MIB + f"\n{HEX}  {NAME}\n".encode(),
    "a page behind it": f"{HEX}  {NAME}\n<html></html>\n".encode(),
}


@pytest.mark.parametrize("case", ODD)
async def test_an_odd_manifest_still_tells_of_the_file(
    tmp_path: Path, case: str
) -> None:
    """What is odd about it is passed over; its paths are never written to."""
    resources = {f"/{NAME}": Resource(FILE), "/SHA256SUMS": text(ODD[case])}
    folder = tmp_path / "one" / "two"
    async with Origin(resources) as origin:
        verdicts = await fetched(folder, JobSpec(origin.url(f"/{NAME}")))
    assert verdicts == ["verified (sha256, from SHA256SUMS)"]
    assert tree(tmp_path) == ["one", "one/two", f"one/two/{NAME}"]


def is_about_sums(request: Request) -> Status | None:
    """Everything beside the file is refused in one way."""
    return None if request.path == f"/{NAME}" else Status(int(request.headers["x"]))


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
async def test_a_folder_that_refuses_costs_nothing(tmp_path: Path, status: int) -> None:
    """Whatever the status of what nobody asked for: the job is done, and asks once."""
    resource = {f"/{NAME}": Resource(LARGE)}
    async with Origin(resource, script=is_about_sums) as origin:
        spec = JobSpec(origin.url(f"/{NAME}"), headers=(("x", str(status)),))
        assert await fetched(tmp_path, spec) == [NOTHING]
        asked = [each.path for each in origin.requests if each.path != f"/{NAME}"]
    assert len(asked) == len(set(asked)) <= 8
