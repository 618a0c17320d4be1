"""Digests of every kind of origin, told by a real nginx: found, used, and trusted.

Each row of a table is one place where digests come from. It is served twice: with
the file that was meant, and with one byte of it flipped and the digest unchanged.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from engine import (
    Config,
    Digest,
    Engine,
    IntegrityError,
    JobSpec,
    Promise,
    promises,
    search,
    specs_of_metalink,
)
from engine.testing import Content, Delay, Fault, Origin, Resource, Stall
from tests.integration.support import FILE, MIB, pour, run, until
from tests.support import nginx as server
from tests.support.nginx import NginxServer

pytestmark = pytest.mark.timeout(90)

NAME = "hydra.bin"
SMALL = Content(2 * MIB + 17, seed=71)
LARGE = Content(17 * MIB, seed=72)
"""Long enough to be worth a sidecar."""
FLIPPED_AT = MIB + 5
NOTHING = "size only"
PATIENCE = 30.0
MANIFESTS = ("MD5SUMS", "SHA256SUMS", "SHA512SUMS", "md5checksums.txt")

Text = Callable[[str], str | bytes]
"""What a checksum file holds, given the digest in hex."""


@cache
def digest(content: Content, algorithm: str) -> str:
    return content.digest(algorithm)


def coded(algorithm: str, content: Content = SMALL) -> str:
    """The digest in Base64."""
    return b64encode(bytes.fromhex(digest(content, algorithm))).decode()


def flip(content: Content) -> bytes:
    """The bytes of the file, one of them wrong."""
    data = bytearray(content.read())
    data[FLIPPED_AT] ^= 1
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to tell of a digest, and what becomes of it where the file is right."""

    verdict: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fields of every answer about the file, or of the redirect to it."""
    is_redirected: bool = False
    beside: Mapping[str, str | bytes] = field(default_factory=dict)
    """Checksum files in the folder of the file."""
    content: Content = SMALL


def header(name: str, value: str, algorithm: str) -> Case:
    return Case(f"verified ({algorithm}, from {name})", {name: value})


def sums(name: str, algorithm: str, text: Text, content: Content = SMALL) -> Case:
    data = text(digest(content, algorithm))
    verdict = f"verified ({algorithm}, from {name})"
    return Case(verdict, beside={name: data}, content=content)


def gnu(hex_: str) -> str:
    return f"{'0' * len(hex_)}  another.bin\n{hex_}  {NAME}\n"


TOLD: dict[str, Case] = {
    "Repr-Digest sha-256": header(
        "Repr-Digest", f"sha-256=:{coded('sha256')}:", "sha256"
    ),
    "Repr-Digest sha-512": header(
        "Repr-Digest", f"sha-512=:{coded('sha512')}:", "sha512"
    ),
    "Digest SHA-256": header("Digest", f"SHA-256={coded('sha256')}", "sha256"),
    "Digest md5": header("Digest", f"md5={coded('md5')}", "md5"),
    "x-goog-hash": header("x-goog-hash", f"crc32c=AAAAAA==,md5={coded('md5')}", "md5"),
    "x-amz-checksum-sha256": header("x-amz-checksum-sha256", coded("sha256"), "sha256"),
    "x-linked-etag": Case(
        "verified (sha256, from x-linked-etag)",
        {"x-linked-etag": f'"{digest(SMALL, "sha256")}"'},
        is_redirected=True,
    ),
}
"""Header fields that tell of the whole file."""

BESIDE: dict[str, Case] = {
    "SHA256SUMS": sums("SHA256SUMS", "sha256", gnu),
    "MD5SUMS": sums("MD5SUMS", "md5", gnu),
    "md5checksums.txt": sums(
        "md5checksums.txt", "md5", lambda hex_: f"{hex_}  ./{NAME}\n"
    ),
    "BSD lines": sums(
        "SHA256SUMS", "sha256", lambda hex_: f"SHA256 ({NAME}) = {hex_}\n"
    ),
    "CRLF and marks": sums(
        "SHA256SUMS",
        "sha256",
        lambda hex_: f"{'1' * 64} *other.bin\r\n{hex_.upper()} *{NAME}\r\n",
    ),
}
"""Manifests of a folder."""

SIDECARS: dict[str, Case] = {
    f"a sidecar, {name}": sums(
        f"{NAME}.{name}", name, lambda hex_: f"{hex_}  {NAME}\n", LARGE
    )
    for name in ("sha256", "sha1", "md5")
}

UNUSED: dict[str, Case] = {
    "nothing": Case(NOTHING),
    "Content-MD5 of parts": Case(NOTHING, {"Content-MD5": coded("md5")}),
    "a composite, by its number": Case(
        NOTHING, {"x-amz-checksum-sha256": f"{coded('sha256')}-2"}
    ),
    "a composite, by its type": Case(
        NOTHING,
        {"x-amz-checksum-sha256": coded("sha256"), "x-amz-checksum-type": "COMPOSITE"},
    ),
    "a sidecar of a small file": Case(
        NOTHING, beside={f"{NAME}.sha256": digest(SMALL, "sha256")}
    ),
    "a manifest about others": Case(NOTHING, beside={"SHA256SUMS": "0" * 64 + "  x"}),
}
"""What says nothing about the file as a whole, or is not worth a request."""

CASES = TOLD | BESIDE | SIDECARS | UNUSED
VERIFIED = TOLD | BESIDE | SIDECARS
STREAMED = [*TOLD, *BESIDE]


# -- how they are served


@dataclass(frozen=True, slots=True)
class Shelf:
    """Every case in two folders: as it was meant, and with a flipped byte."""

    nginx: NginxServer
    root: Path

    def url(self, case: str, *, flipped: bool = False) -> str:
        return f"{self.nginx.http_url}{path_of(case, flipped=flipped)}{NAME}"

    def paths(self) -> list[str]:
        """What was asked for, sorted, by its last part."""
        return sorted(each.path.rpartition("/")[2] for each in self.nginx.requests())


def path_of(case: str, *, flipped: bool) -> str:
    """The folder that a case is served in."""
    number = list(CASES).index(case)
    return f"/{'flipped' if flipped else 'right'}/{number}/"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    if not server.available():
        pytest.skip(server.SKIP_REASON)
    root = tmp_path_factory.mktemp("shelf")
    headers: dict[str, Mapping[str, str]] = {}
    redirects: dict[str, str] = {}
    for flipped in (False, True):
        served = {content: write(root, content, flipped) for content in (SMALL, LARGE)}
        for name, case in CASES.items():
            path = path_of(name, flipped=flipped)
            lay(root / path[1:], case, served[case.content])
            if case.is_redirected:
                redirects[path + NAME] = f"{path}stored/{NAME}"
            if case.headers:
                headers[path + NAME if case.is_redirected else path] = case.headers
    with NginxServer(root, headers=headers, redirects=redirects) as nginx:
        yield Shelf(nginx, root)


def write(root: Path, content: Content, flipped: bool) -> Path:
    """The bytes of many cases, once on disk."""
    path = root / f"{content.seed}-{flipped}"
    path.write_bytes(flip(content) if flipped else content.read())
    return path


def lay(folder: Path, case: Case, served: Path) -> None:
    place = folder / "stored" if case.is_redirected else folder
    place.mkdir(parents=True)
    os.link(served, place / NAME)
    for name, text in case.beside.items():
        data = text.encode() if isinstance(text, str) else text
        (folder / name).write_bytes(data)


@pytest.fixture(autouse=True)
def all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy elsewhere finds what there is all the same."""
    monkeypatch.setattr(promises, "LAST_LOOK", PATIENCE)
    monkeypatch.setattr(search, "PATIENCE", PATIENCE)


async def fetched(folder: Path, spec: JobSpec, **settings: bool) -> str:
    """The verdict of an engine that was told nothing more."""
    config = Config(output=folder, **settings)  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE), Engine(config) as engine:
        return (await engine.wait(engine.add(spec))).verdict


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_whole(folder: Path, content: Content) -> None:
    assert names(folder) == [NAME]
    assert (folder / NAME).read_bytes() == content.read()


def assert_set_apart(folder: Path, content: Content) -> None:
    """The data is kept for inspection, and nothing looks like the file."""
    assert names(folder) == [f"{NAME}.part.bad"]
    assert (folder / f"{NAME}.part.bad").read_bytes() == flip(content)


# -- files


@pytest.mark.parametrize("name", CASES)
async def test_a_digest_is_found_and_told_of(
    shelf: Shelf, tmp_path: Path, name: str
) -> None:
    """The verdict names the algorithm and the origin; without a digest, the size."""
    case = CASES[name]
    assert await fetched(tmp_path, JobSpec(shelf.url(name))) == case.verdict
    assert_whole(tmp_path, case.content)


@pytest.mark.parametrize("name", VERIFIED)
async def test_one_flipped_byte_is_caught(
    shelf: Shelf, tmp_path: Path, name: str
) -> None:
    """Whoever promised it: the file is not given its name, and its data is kept."""
    case = CASES[name]
    with pytest.raises(IntegrityError, match=r"expected .* \(from "):
        await fetched(tmp_path, JobSpec(shelf.url(name, flipped=True)))
    assert_set_apart(tmp_path, case.content)


@pytest.mark.parametrize("name", UNUSED)
async def test_what_is_not_believed_condemns_nothing(
    shelf: Shelf, tmp_path: Path, name: str
) -> None:
    """A digest that may be of something else is no reason to refuse the file."""
    spec = JobSpec(shelf.url(name, flipped=True))
    assert await fetched(tmp_path, spec) == NOTHING
    assert names(tmp_path) == [NAME]


SHA256 = Digest("sha256", digest(SMALL, "sha256"))
GIVEN: dict[str, tuple[str, Callable[[str], JobSpec]]] = {
    "typed": ("--checksum", lambda url: JobSpec(url, checksum=SHA256)),
    "a list": (
        "filereport.tsv",
        lambda url: JobSpec(url, promises=(Promise(SHA256, "filereport.tsv"),)),
    ),
    "a Metalink": ("Metalink", lambda url: specs_of_metalink(metalink(url))[0]),
}
"""Digests that are known before anybody is asked."""


def metalink(url: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        f'<file name="{NAME}"><size>{SMALL.size}</size>'
        f'<hash type="sha-256">{SHA256.hex}</hash><url>{url}</url></file></metalink>'
    ).encode()


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("way", GIVEN)
async def test_a_digest_that_is_given_decides(
    shelf: Shelf, tmp_path: Path, way: str, *, flipped: bool
) -> None:
    """Typed, in a list or in a Metalink: it is compared, and nothing is looked for."""
    origin, spec_of = GIVEN[way]
    spec = spec_of(shelf.url("SHA256SUMS", flipped=flipped))
    shelf.nginx.forget()
    if flipped:
        with pytest.raises(IntegrityError, match=rf"\(from {origin}\)"):
            await fetched(tmp_path, spec)
        assert_set_apart(tmp_path, SMALL)
    else:
        assert await fetched(tmp_path, spec) == f"verified (sha256, from {origin})"
        assert_whole(tmp_path, SMALL)
    assert set(shelf.paths()) == {NAME}


def lay_metalink(shelf: Shelf, *, flipped: bool) -> str:
    """A Metalink beside the file that it tells of; its URL."""
    path = path_of("nothing", flipped=flipped)
    url = shelf.url("nothing", flipped=flipped)
    (shelf.root / path[1:] / "hydra.meta4").write_bytes(metalink(url))
    return f"{shelf.nginx.http_url}{path}hydra.meta4"


@pytest.mark.parametrize("flipped", [False, True])
async def test_a_metalink_at_a_url_tells_of_its_file(
    shelf: Shelf, tmp_path: Path, *, flipped: bool
) -> None:
    """What is fetched is the file, and it is compared with what the document says."""
    spec = JobSpec(lay_metalink(shelf, flipped=flipped))
    if flipped:
        with pytest.raises(IntegrityError, match=r"\(from Metalink\)"):
            await fetched(tmp_path, spec)
        assert_set_apart(tmp_path, SMALL)
    else:
        assert await fetched(tmp_path, spec) == "verified (sha256, from Metalink)"
        assert_whole(tmp_path, SMALL)


@pytest.mark.parametrize("is_right", [False, True])
async def test_content_md5_is_believed_of_a_whole(
    tmp_path: Path, *, is_right: bool
) -> None:
    """A status of 200 is about the whole file, and so is its Content-MD5."""
    value = coded("md5") if is_right else coded("md5", LARGE)
    resource = Resource(SMALL, ranges=False, headers=(("Content-MD5", value),))
    async with Origin({f"/{NAME}": resource}) as origin:
        spec = JobSpec(origin.url(f"/{NAME}"))
        if is_right:
            verdict = await fetched(tmp_path, spec)
            assert verdict == "verified (md5, from Content-MD5)"
        else:
            with pytest.raises(IntegrityError, match="Content-MD5"):
                await fetched(tmp_path, spec)
            assert names(tmp_path) == [f"{NAME}.part.bad"]


# -- streams


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("name", STREAMED)
async def test_a_stream_is_compared_as_it_passes(
    shelf: Shelf, name: str, *, flipped: bool
) -> None:
    """The reader gets every byte, and at the end an error if they were wrong."""
    came: dict[str, bytearray] = {}
    async with asyncio.timeout(PATIENCE), Engine(Config()) as engine:
        reading = pour(engine, [shelf.url(name, flipped=flipped)], came)
        if flipped:
            with pytest.raises(IntegrityError, match=r"expected .* \(from "):
                await reading
        else:
            await reading
            [job] = engine.snapshot().jobs
            assert job.verdict == CASES[name].verdict
    content = CASES[name].content
    assert came == {NAME: flip(content) if flipped else content.read()}


# -- the command line


def command(shelf: Shelf, way: str, *, flipped: bool) -> list[str]:
    """What to type for a digest of that origin."""
    if way == "a Metalink":
        return [lay_metalink(shelf, flipped=flipped)]
    if way == "typed":
        url = shelf.url("nothing", flipped=flipped)
        return ["--checksum", f"sha256:{SHA256.hex}", url]
    return [shelf.url(way, flipped=flipped)]


@pytest.mark.parametrize(
    "way", ["typed", "Repr-Digest sha-256", "SHA256SUMS", "a Metalink"]
)
async def test_wrong_bytes_are_exit_code_5(
    shelf: Shelf, tmp_path: Path, way: str
) -> None:
    """The command says what is wrong, and 5; what is right is 0."""
    right = command(shelf, way, flipped=False)
    ran = await run("--no-ui", "-o", "right", *right, cwd=tmp_path)
    assert (ran.code, ran.out) == (0, b""), ran.err
    assert_whole(tmp_path / "right", SMALL)

    flipped = command(shelf, way, flipped=True)
    ran = await run("--no-ui", "-o", "flipped", *flipped, cwd=tmp_path)
    assert ran.code == 5, ran.err
    assert f"expected {SHA256.hex}" in ran.err
    assert_set_apart(tmp_path / "flipped", SMALL)


@pytest.mark.parametrize("way", ["typed", "Digest SHA-256", "SHA256SUMS"])
async def test_a_stream_of_wrong_bytes_is_exit_code_5(
    shelf: Shelf, tmp_path: Path, way: str
) -> None:
    """All of it has gone into the pipe by then."""
    right = command(shelf, way, flipped=False)
    ran = await run("--stream", *right, cwd=tmp_path)
    assert (ran.code, ran.out == SMALL.read()) == (0, True), ran.err

    flipped = command(shelf, way, flipped=True)
    ran = await run("--stream", *flipped, cwd=tmp_path)
    assert ran.code == 5, ran.err
    assert f"expected {SHA256.hex}" in ran.err
    assert ran.out == flip(SMALL)
    assert names(tmp_path) == []


# -- what is asked, and for how long


async def test_a_folder_is_looked_at_once(shelf: Shelf, tmp_path: Path) -> None:
    """Each manifest is asked for once, and of a small file no sidecar."""
    shelf.nginx.forget()
    assert await fetched(tmp_path, JobSpec(shelf.url("nothing"))) == NOTHING
    asked = [path for path in shelf.paths() if path != NAME]
    assert asked == sorted(MANIFESTS)


@pytest.mark.parametrize("name", ["SHA256SUMS", "a sidecar, sha256"])
async def test_a_url_with_a_query_is_no_place_in_a_folder(
    shelf: Shelf, tmp_path: Path, name: str
) -> None:
    """Nothing is looked for beside it."""
    shelf.nginx.forget()
    spec = JobSpec(shelf.url(name) + "?token=1", name=NAME)
    assert await fetched(tmp_path, spec) == NOTHING
    assert set(shelf.paths()) == {NAME}


@pytest.mark.parametrize("name", [*STREAMED, *SIDECARS])
async def test_who_wants_no_digests_gets_none(
    shelf: Shelf, tmp_path: Path, name: str
) -> None:
    """Nothing is looked for, and what headers tell is not listened to."""
    shelf.nginx.forget()
    spec = JobSpec(shelf.url(name, flipped=True))
    assert await fetched(tmp_path, spec, verify=False) == NOTHING
    assert set(shelf.paths()) == {NAME}


async def test_what_headers_tell_is_not_looked_for(
    shelf: Shelf, tmp_path: Path
) -> None:
    """Where an answer has told of a digest, nobody asks for more."""
    shelf.nginx.forget()
    spec = JobSpec(shelf.url("Digest md5"))
    assert await fetched(tmp_path, spec) == "verified (md5, from Digest)"
    assert set(shelf.paths()) == {NAME}


@pytest.mark.parametrize("silence", [Stall(), Delay(3600.0)], ids=["body", "head"])
async def test_looking_never_delays_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: Fault
) -> None:
    """A file that is here does not wait for a folder that does not answer."""
    monkeypatch.setattr(promises, "LAST_LOOK", 0.05)
    monkeypatch.setattr(search, "PATIENCE", 3600.0)
    text = Content.of(f"{FILE.digest()}  {NAME}\n".encode())
    silent = Resource(text, script=lambda _: silence)
    async with Origin({f"/{NAME}": Resource(FILE), "/SHA256SUMS": silent}) as origin:
        config = Config(output=tmp_path, stall_timeout=3600.0)
        async with asyncio.timeout(PATIENCE), Engine(config) as engine:
            job = engine.add(JobSpec(origin.url(f"/{NAME}")))
            assert (await engine.wait(job)).verdict == NOTHING
        asked = {request.path for request in origin.requests}
    assert "/SHA256SUMS" in asked
    assert_whole(tmp_path, FILE)


async def test_files_that_wait_for_a_look_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody looks into a folder its files do not pile up in memory."""
    monkeypatch.setattr("engine.promises.LAST_LOOK", 30.0)
    hold = asyncio.Event()
    small = Content(1000)
    files = {f"/{number}": Resource(small) for number in range(40)}
    silent = Resource(small, script=[Stall(0, until=hold)])
    async with (
        Origin(files | {"/SHA256SUMS": silent}) as origin,
        Engine(Config(output=tmp_path, jobs=4)) as engine,
    ):
        jobs = [engine.add(JobSpec(origin.url(path))) for path in files]
        await until(lambda: _here(engine) == 4)
        assert sum(job.state.is_live for job in engine.snapshot().jobs) == 4
        hold.set()
        for job in jobs:
            await engine.wait(job)


def _here(engine: Engine) -> int:
    return sum(job.done == job.size for job in engine.snapshot().jobs)
