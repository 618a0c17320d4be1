"""What curl's users expect of a network: logins, cookies, proxies, authorities."""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from engine import JobSpec
from engine.testing import Content, Origin, Resource
from engine.testing.answers import Request, Response, plain
from hydratui.cli import _taken_over
from hydratui.settings import load
from tests.integration.support import FILE, ROOT, Ran, run
from tests.support.proxies import HOST, ONLY_HERE, HttpProxy, Proxy, SocksProxy

OTHER = "127.0.0.2"
"""Another host, to netrc and to cookies."""
DISK = ("--no-ui", "--min-chunk-mb", "0.0625")
STREAM = ("--stream-chunk-mb", "0.25")
"""So that a file of a few megabytes needs many requests."""
SECRET = "s3cret"

pytestmark = pytest.mark.timeout(60)


def basic(login: str) -> str:
    return f"Basic {b64encode(login.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Only:
    """Answers nobody but who sends a field with this in it."""

    name: str
    value: str

    def answer(
        self, request: Request, behave: Callable[[Request], Response]
    ) -> Response:
        is_known = self.value in request.headers.get(self.name, "")
        return behave(request) if is_known else plain(401)


def only(name: str, value: str) -> dict[str, Resource]:
    return {"/file": Resource(FILE, script=lambda _: Only(name, value))}


LOCKED = only("authorization", basic(f"me:{SECRET}"))


class Shell:
    """Runs the command in a folder of its own, with an environment we know."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.config.touch()
        found = os.environ.items()
        self.environ = {k: v for k, v in found if not k.lower().endswith("_proxy")}
        self.environ |= {
            "HOME": str(folder),
            "HYDRA_TUI_CONFIG": str(self.config),
            "PYTHONPATH": str(ROOT),
        }

    async def __call__(self, *arguments: str, **environ: str) -> Ran:
        """Without a screen; to disk, unless a stream is asked for."""
        is_stream = "--stream" in arguments
        given = ("--no-verify", "--give-up-after", "1", "-t", "4")
        way = STREAM if is_stream else DISK
        command = (*given, *way, *arguments)
        ran = await run(*command, env=self.environ | environ, cwd=self.folder)
        assert SECRET not in ran.err
        assert SECRET not in ran.out.decode(errors="replace")
        return ran

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    @property
    def fetched(self) -> bytes | None:
        path = self.folder / "download" / "file"
        return path.read_bytes() if path.exists() else None

    def came(self, ran: Ran) -> bool:
        return ran.code == 0 and self.fetched == FILE.read()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST, OTHER, ONLY_HERE).configure_cert(context)
    return context


@pytest.fixture
def cacert(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@dataclass(frozen=True, slots=True)
class Trusted:
    """A certificate, and the authority that vouches for it."""

    tls: ssl.SSLContext
    cacert: str


@pytest.fixture
def trusted(tls: ssl.SSLContext, cacert: str) -> Trusted:
    return Trusted(tls, cacert)


def sent(origin: Origin, name: str) -> set[str | None]:
    """What came in a field, over all requests."""
    assert origin.requests
    return {request.headers.get(name) for request in origin.requests}


@asynccontextmanager
async def two(
    first: Mapping[str, Resource], second: Mapping[str, Resource]
) -> AsyncIterator[tuple[Origin, Origin]]:
    """Two hosts; what redirects from one to the other is told where that is."""
    async with Origin(first) as here, Origin(second, host=OTHER) as there:
        for path, resource in here.resources.items():
            if resource.redirect:
                where = there.url(resource.redirect)
                here.resources[path] = replace(resource, redirect=where)
        yield here, there


AWAY = {"/file": Resource(redirect="/file")}
OPEN = {"/file": Resource(FILE)}


# -- --user ----------------------------------------------------------------------


@pytest.mark.option("user")
@pytest.mark.parametrize("layer", ["typed", "short", "environment", "file"])
async def test_a_user_is_told_to_the_server(shell: Shell, layer: str) -> None:
    """User and password are sent with every request, whichever layer has them."""
    login = f"me:{SECRET}"
    typed = {"typed": ("--user", login), "short": ("-u", login)}.get(layer, ())
    environ = {"HYDRA_TUI_USER": login} if layer == "environment" else {}
    if layer == "file":
        shell.config.write_text(f'user = "{login}"\n')
    async with Origin(LOCKED) as origin:
        assert shell.came(await shell(*typed, origin.url("/file"), **environ))
        assert len(origin.requests) > 4


async def test_a_user_stays_at_the_origin(shell: Shell) -> None:
    """A redirect to another host, or only to another port, is not told who we are."""
    async with two(AWAY, OPEN) as (here, there):
        assert shell.came(await shell("-u", f"me:{SECRET}", here.url("/file")))
        assert sent(here, "authorization") == {basic(f"me:{SECRET}")}
        assert sent(there, "authorization") == {None}
    async with Origin(OPEN) as there:
        aside = {"/file": Resource(redirect=there.url("/file"))}
        async with Origin(aside) as here:
            await shell("-u", f"me:{SECRET}", "-O", "again", here.url("/file"))
            assert sent(there, "authorization") == {None}


async def test_a_mirror_is_not_told_the_user(shell: Shell) -> None:
    """Another place of the same file is another origin."""
    async with two(LOCKED, OPEN) as (here, there):
        mirror = ("--mirror", there.url("/file"))
        ran = await shell("-u", f"me:{SECRET}", *mirror, here.url("/file"))
        assert shell.came(ran)
        assert sent(there, "authorization") == {None}


async def test_a_url_knows_better_than_the_user(shell: Shell) -> None:
    """What stands in the URL goes before --user, and that before the netrc."""
    netrc = shell.write(".netrc", f"machine {HOST} login him password {SECRET}")
    assert netrc
    async with Origin(OPEN) as origin:
        url = origin.url("/file")
        await shell("--netrc", "-u", "me:x", url.replace("//", f"//you:{SECRET}@"))
        await shell("--netrc", "-u", f"me:{SECRET}", "-O", "b", url)
        await shell("--netrc", "-O", "c", url)
        asked = [request.headers["authorization"] for request in origin.requests]
    assert list(dict.fromkeys(asked)) == [
        basic(f"{name}:{SECRET}") for name in ("you", "me", "him")
    ]


async def test_a_metalink_cannot_send_the_user_elsewhere(shell: Shell) -> None:
    """What a document lists on other hosts is fetched without user and headers."""
    async with Origin(OPEN, host=OTHER) as there, Origin({}) as here:
        document = (
            '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="file">'
            f"<size>{FILE.size}</size><url>{there.url('/file')}</url></file></metalink>"
        )
        here.resources["/all.meta4"] = Resource(Content.of(document.encode()))
        login = ("-u", f"me:{SECRET}", "-H", f"X-Token: {SECRET}")
        assert shell.came(await shell(*login, here.url("/all.meta4")))
        assert sent(here, "x-token") == {SECRET}
        assert sent(there, "authorization") == sent(there, "x-token") == {None}


def test_a_user_that_was_typed_is_not_for_the_saved_queue() -> None:
    """In the app it stays with the URLs it was typed for, and each knows its own."""
    typed = {"user": f"me:{SECRET}"}
    settings = load(typed, file=os.devnull, environ={})
    specs = [JobSpec("http://a.example/"), JobSpec("http://you:x@b.example/")]
    own, found = _taken_over(settings, specs)
    assert own.config.user is None
    assert [spec.url for spec in found] == [
        f"http://me:{SECRET}@a.example/",
        "http://you:x@b.example/",
    ]


# -- --header --------------------------------------------------------------------


async def test_a_header_stays_at_the_origin(shell: Shell) -> None:
    """Authorization, Cookie and every header of one's own are for one origin."""
    names = ("Authorization", "Cookie", "X-Token")
    typed = [word for name in names for word in ("-H", f"{name}: {SECRET}")]
    async with two(AWAY, OPEN) as (here, there):
        assert shell.came(await shell(*typed, here.url("/file")))
        for name in names:
            assert sent(here, name.lower()) == {SECRET}
            assert sent(there, name.lower()) == {None}


# -- --netrc ---------------------------------------------------------------------


@pytest.mark.option("netrc")
@pytest.mark.parametrize("named", ["~/.netrc", "$NETRC"])
@pytest.mark.parametrize("layer", ["typed", "environment", "file"])
async def test_a_netrc_knows_the_host(shell: Shell, named: str, layer: str) -> None:
    """It is read where other programs read it, and only where that was asked for."""
    name = shell.write(
        ".netrc" if named == "~/.netrc" else "mine",
        f"machine {HOST} login me password {SECRET}\n",
    )
    environ = {} if named == "~/.netrc" else {"NETRC": str(shell.folder / name)}
    typed = ("--netrc",) if layer == "typed" else ()
    if layer == "environment":
        environ["HYDRA_TUI_NETRC"] = "true"
    if layer == "file":
        shell.config.write_text("netrc = true\n")
    async with Origin(LOCKED) as origin:
        assert shell.came(await shell(*typed, origin.url("/file"), **environ))


@pytest.mark.option("netrc")
async def test_a_netrc_is_not_read_unasked(shell: Shell) -> None:
    """Without the option a server that wants a login gets none."""
    shell.write(".netrc", f"machine {HOST} login me password {SECRET}\n")
    async with Origin(LOCKED) as origin:
        assert (await shell(origin.url("/file"))).code == 4
        assert sent(origin, "authorization") == {None}


async def test_a_netrc_counts_where_a_redirect_leads(shell: Shell) -> None:
    """A host that has an entry is told of it, and of no other's."""
    shell.write(".netrc", f"machine {OTHER} login me password {SECRET}\n")
    async with two(AWAY, LOCKED) as (here, there):
        assert shell.came(await shell("--netrc", here.url("/file")))
        assert sent(here, "authorization") == {None}
        assert sent(there, "authorization") == {basic(f"me:{SECRET}")}


@pytest.mark.parametrize(
    "entries",
    [
        f"default login me password {SECRET}",
        f"machine {HOST} login me password {SECRET}\nmachine {OTHER}",
        f"machine {HOST} login me password {SECRET}\ndefault",
    ],
    ids=["the default", "an empty entry", "an empty default"],
)
async def test_a_netrc_leaks_to_no_redirect(shell: Shell, entries: str) -> None:
    """What is for all hosts, or for the first one, is not for where that one leads."""
    shell.write(".netrc", entries)
    async with two(AWAY, OPEN) as (here, there):
        assert shell.came(await shell("--netrc", here.url("/file")))
        assert sent(here, "authorization") == {basic(f"me:{SECRET}")}
        assert sent(there, "authorization") == {None}


async def test_a_netrc_does_not_go_from_https_to_http(
    shell: Shell, tls: ssl.SSLContext, cacert: str
) -> None:
    """Who began on a line that nobody reads is not made to speak on one."""
    shell.write(".netrc", f"machine {HOST} login me password {SECRET}\n")
    async with Origin(OPEN) as plain_one:
        away = {"/file": Resource(redirect=plain_one.url("/file"))}
        async with Origin(away, ssl=tls) as origin:
            ran = await shell("--netrc", "--cacert", cacert, origin.url("/file"))
            assert shell.came(ran)
            assert sent(origin, "authorization") == {basic(f"me:{SECRET}")}
            assert sent(plain_one, "authorization") == {None}


# -- --cookies -------------------------------------------------------------------


def cookie(host: str, name: str, value: str, *, secure: bool = False) -> str:
    """A line as browsers' extensions write it."""
    tail = "TRUE" if host.startswith(".") else "FALSE"
    return f"{host}\t{tail}\t/\t{str(secure).upper()}\t0\t{name}\t{value}\n"


@pytest.mark.option("cookies")
@pytest.mark.parametrize("layer", ["typed", "environment", "file"])
async def test_cookies_of_a_file_are_sent(shell: Shell, layer: str) -> None:
    """They go to their host with every request; the file stays as it was."""
    line = "#HttpOnly_" + cookie(HOST, "session", SECRET)
    text = "# Netscape HTTP Cookie File\n\n" + line + cookie(OTHER, "a", "b")
    name = shell.write("cookies.txt", text)
    typed = ("--cookies", name) if layer == "typed" else ()
    environ = {"HYDRA_TUI_COOKIES": name} if layer == "environment" else {}
    if layer == "file":
        shell.config.write_text(f'cookies = "{name}"\n')
    async with Origin(only("cookie", f"session={SECRET}")) as origin:
        assert shell.came(await shell(*typed, origin.url("/file"), **environ))
        assert sent(origin, "cookie") == {f"session={SECRET}"}
    assert (shell.folder / name).read_text() == text


async def test_cookies_go_where_their_rules_say(
    shell: Shell, tls: ssl.SSLContext, cacert: str
) -> None:
    """Each host gets its own, also after a redirect; a Secure one only over TLS."""
    lines = cookie(HOST, "here", SECRET, secure=True) + cookie(OTHER, "there", SECRET)
    name = shell.write("cookies.txt", lines)
    async with Origin(OPEN, host=OTHER) as far, Origin({}) as near:
        near.resources["/near"] = Resource(redirect=far.url("/file"))
        away = {"/file": Resource(redirect=near.url("/near"))}
        async with Origin(away, ssl=tls) as origin:
            given = ("--cookies", name, "--cacert", cacert)
            assert shell.came(await shell(*given, origin.url("/file")))
            assert sent(origin, "cookie") == {f"here={SECRET}"}
            assert sent(near, "cookie") == {None}
            assert sent(far, "cookie") == {f"there={SECRET}"}


async def test_a_cookie_that_was_typed_joins_those_of_the_file(shell: Shell) -> None:
    """There is one Cookie field, whoever asked for what is in it."""
    name = shell.write("cookies.txt", cookie(HOST, "a", "1"))
    async with Origin(OPEN) as origin:
        typed = ("--cookies", name, "-H", f"Cookie: b={SECRET}")
        assert shell.came(await shell(*typed, origin.url("/file")))
        assert sent(origin, "cookie") == {f"b={SECRET}; a=1"}


async def test_without_the_option_no_cookie_is_kept(shell: Shell) -> None:
    """What answers set is forgotten."""
    setting = Resource(FILE, headers=(("Set-Cookie", "a=1"),))
    async with Origin({"/file": setting}) as origin:
        assert shell.came(await shell(origin.url("/file")))
        assert sent(origin, "cookie") == {None}


class Archive:
    """An archive whose login is on another host, as NASA's Earthdata has it."""

    def __init__(self) -> None:
        self.home, self.login = Origin({}), Origin({}, host=OTHER)

    def open(self) -> None:
        ticket = ("Set-Cookie", f"ticket={SECRET}; Path=/; HttpOnly")
        home, login = self.home, self.login
        home.resources["/file"] = Resource(FILE, script=lambda _: self)
        home.resources["/back"] = Resource(
            redirect=home.url("/file"), headers=(ticket, ("Set-Cookie", "b=2"))
        )
        login.resources["/authorize"] = Resource(
            redirect=home.url("/back"),
            script=lambda _: Only("authorization", basic(f"me:{SECRET}")),
        )

    def answer(
        self, request: Request, behave: Callable[[Request], Response]
    ) -> Response:
        """Who has no ticket is sent to get one."""
        if f"ticket={SECRET}" in request.headers.get("cookie", ""):
            return behave(request)
        return plain(302, ("Location", self.login.url("/authorize")))


async def test_a_login_on_another_host_opens_the_archive(shell: Shell) -> None:
    """The netrc's entry answers the login host, whose ticket comes as a cookie.

    All lanes have it then: nobody logs in twice.
    """
    shell.write(".netrc", f"machine {OTHER} login me password {SECRET}\n")
    name = shell.write("cookies.txt", "")
    archive = Archive()
    async with archive.home, archive.login:
        archive.open()
        ran = await shell("--netrc", "--cookies", name, archive.home.url("/file"))
        assert shell.came(ran)
        assert len(archive.login.requests) == 1
        assert sent(archive.home, "authorization") == {None}
        assert f"ticket={SECRET}; b=2" in sent(archive.home, "cookie")


# -- --proxy ---------------------------------------------------------------------


KINDS: dict[str, tuple[type[Proxy], str]] = {
    "http": (HttpProxy, "http"),
    "https": (HttpProxy, "https"),
    "socks4a": (SocksProxy, "socks4a"),
    "socks5h": (SocksProxy, "socks5h"),
}


@pytest.mark.option("proxy")
@pytest.mark.parametrize("way", ["disk", "stream"])
@pytest.mark.parametrize("target", ["http", "https"])
@pytest.mark.parametrize("kind", KINDS)
async def test_all_lanes_go_by_the_proxy(
    shell: Shell, trusted: Trusted, kind: str, target: str, way: str
) -> None:
    """It is asked for a name that nobody else knows; each lane is a connection.

    The authority that was given counts for the server, and for a proxy that speaks
    TLS.
    """
    make, scheme = KINDS[kind]
    secured = trusted.tls if target == "https" else None
    proxy_tls = trusted.tls if kind == "https" else None
    slow = {"/file": Resource(FILE, latency=0.1)}
    async with Origin(slow, ssl=secured) as origin, make(tls=proxy_tls) as proxy:
        url = f"{target}://{ONLY_HERE}:{origin.port}/file"
        given = ("--proxy", proxy.url(scheme=scheme), "--cacert", trusted.cacert, url)
        ran = await shell(*given, *(["--stream"] if way == "stream" else []))
        data = ran.out if way == "stream" else shell.fetched
        assert (ran.code, data == FILE.read()) == (0, True), ran.err
        assert set(proxy.asked) == {f"{ONLY_HERE}:{origin.port}"}
        assert proxy.connections == origin.connections
        assert len(origin.requests) > 4
        assert proxy.most_concurrent > 1


@pytest.mark.parametrize("kind", ["http", "socks5h"])
@pytest.mark.parametrize("target", ["http", "https"])
async def test_a_proxy_may_want_a_login(
    shell: Shell, tls: ssl.SSLContext, kind: str, target: str
) -> None:
    """User and password stand in its URL, escaped, and go to it alone."""
    make, scheme = KINDS[kind]
    secured = tls if target == "https" else None
    async with (
        Origin(OPEN, ssl=secured) as origin,
        make(login=f"me:{SECRET}@") as proxy,
    ):
        given = ("--proxy", proxy.url(f"me:{SECRET}%40", scheme), "--insecure")
        ran = await shell(*given, "-H", "Authorization: mine", origin.url("/file"))
        assert shell.came(ran), ran.err
        if target == "https" or kind == "socks5h":
            assert sent(origin, "proxy-authorization") == {None}
        assert not any(b"Authorization: mine" in h for h in proxy.heads) or (
            target == "http"
        )


@pytest.mark.parametrize(
    ("kind", "target", "login"),
    [
        ("http", "http", ""),
        ("http", "http", f"me:{SECRET}"),
        ("http", "https", f"me:{SECRET}"),
        ("socks5h", "https", ""),
    ],
)
async def test_a_proxy_that_knows_us_not_is_named(
    shell: Shell, tls: ssl.SSLContext, kind: str, target: str, login: str
) -> None:
    """It said no for good: exit code 4, and its URL without the password."""
    make, scheme = KINDS[kind]
    secured = tls if target == "https" else None
    async with Origin(OPEN, ssl=secured) as origin, make(login="you:x") as proxy:
        ran = await shell("--proxy", proxy.url(login, scheme), origin.url("/file"))
        assert ran.code == 4, ran.err
        last = ran.err.splitlines()[-1]
        assert f"the proxy {proxy.url(scheme=scheme)}" in last
        assert ("does not take our" if login else "wants a") in last
        assert not origin.requests


@pytest.mark.parametrize(
    ("scheme", "target"), [("http", "http"), ("https", "http"), ("socks5h", "https")]
)
async def test_a_proxy_that_is_not_there_is_a_network_that_fails(
    shell: Shell, scheme: str, target: str
) -> None:
    """Patience as for a host that nobody reaches; then exit code 3, and its name."""
    proxy = f"{scheme}://me:{SECRET}@{HOST}:9"
    ran = await shell("--proxy", proxy, f"{target}://{HOST}:1/file")
    assert ran.code == 3
    last = ran.err.splitlines()[-1]
    assert last.endswith(f"cannot connect to the proxy {scheme}://{HOST}:9")


@pytest.mark.parametrize(
    ("variable", "target", "is_used"),
    [
        ("http_proxy", "http", True),
        ("HTTP_PROXY", "http", False),
        ("https_proxy", "https", True),
        ("HTTPS_PROXY", "https", True),
        ("https_proxy", "http", False),
        ("all_proxy", "http", True),
        ("ALL_PROXY", "https", True),
    ],
)
async def test_the_environment_names_a_proxy(
    shell: Shell, tls: ssl.SSLContext, variable: str, target: str, *, is_used: bool
) -> None:
    """By scheme, in lower case, and in upper case where no server can have set it."""
    async with (
        Origin(OPEN, ssl=tls if target == "https" else None) as origin,
        HttpProxy() as proxy,
    ):
        environ = {variable: proxy.url()}
        assert shell.came(await shell("--insecure", origin.url("/file"), **environ))
        assert bool(proxy.connections) == is_used


@pytest.mark.parametrize("given", ["no_proxy", "NO_PROXY", "none", "another"])
async def test_what_was_said_goes_before_the_environment(
    shell: Shell, given: str
) -> None:
    """`no_proxy` names hosts to reach directly; --proxy overrules all of it."""
    async with Origin(OPEN) as origin, HttpProxy() as proxy, HttpProxy() as another:
        environ = {"http_proxy": proxy.url()}
        typed: tuple[str, ...] = ()
        if given.lower() == "no_proxy":
            environ[given] = f"example.org,{HOST}"
        else:
            typed = ("--proxy", "none" if given == "none" else another.url())
        assert shell.came(await shell(*typed, origin.url("/file"), **environ))
        assert proxy.connections == 0
        assert bool(another.connections) == (given == "another")


async def test_a_proxy_of_the_environment_is_named_with_its_variable(
    shell: Shell,
) -> None:
    """So that people know where to look."""
    ran = await shell(f"http://{HOST}:1/file", http_proxy=f"http://u:{SECRET}@{HOST}:9")
    assert ran.code == 3
    last = ran.err.splitlines()[-1]
    assert last.endswith(f"the proxy http://{HOST}:9 of $http_proxy")


@pytest.mark.parametrize("layer", ["environment", "file"])
async def test_a_proxy_may_be_set_for_all_runs(shell: Shell, layer: str) -> None:
    """In the file, or in the variable that all our options have."""
    async with Origin(OPEN) as origin, HttpProxy() as proxy:
        bare = proxy.url().removeprefix("http://")
        environ = {"HYDRA_TUI_PROXY": bare} if layer == "environment" else {}
        if layer == "file":
            shell.config.write_text(f'proxy = "{bare}"\n')
        assert shell.came(await shell(origin.url("/file"), **environ))
        assert proxy.connections


@pytest.mark.parametrize("make", [HttpProxy, SocksProxy])
async def test_a_log_of_all_that_curl_says_has_no_login(
    shell: Shell, make: type[Proxy]
) -> None:
    """Neither ours at the proxy, however it is written, nor the one at the server."""
    shell.write(".netrc", f"machine {HOST} login me password {SECRET}\n")
    name = shell.write("cookies.txt", cookie(HOST, "session", SECRET))
    state = shell.folder / "state"
    async with Origin(LOCKED) as origin, make(login=f"me:{SECRET}") as proxy:
        url = proxy.url(f"me:{SECRET}")
        bare = url.removeprefix("http://")
        given = ("--debug", "--netrc", "--cookies", name, origin.url("/file"))
        environ = {"http_proxy": bare, "XDG_STATE_HOME": str(state)}
        assert shell.came(await shell(*given, **environ))
        assert (await shell("--proxy", bare, "-O", "b", *given, **environ)).code == 0
    logs = [path.read_text() for path in state.rglob("*.log")]
    assert any(f"{HOST}:{proxy.port}" in log for log in logs)
    for secret in (SECRET, basic(f"me:{SECRET}")[6:]):
        assert not any(secret in log for log in logs)


# -- --cacert and --insecure -------------------------------------------------------


@pytest.mark.option("insecure", "cacert")
async def test_who_is_trusted_is_ours_to_say(
    shell: Shell, tls: ssl.SSLContext, cacert: str
) -> None:
    """A certificate of nobody we know ends it with 4, unless an authority was given,
    or none is wanted."""
    async with Origin(OPEN, ssl=tls) as origin:
        url = origin.url("/file")
        refused = await shell(url)
        assert refused.code == 4
        assert "certificate" in refused.err
        assert not origin.requests
        assert shell.came(await shell("--cacert", cacert, url))
        assert (await shell("--insecure", "-O", "again", url)).code == 0


# -- what makes no sense -----------------------------------------------------------


@pytest.fixture
def nonsense(shell: Shell) -> None:
    shell.write(".netrc", f"machine a login b\npasswort {SECRET}\n")
    shell.write("bad.txt", f"# Netscape HTTP Cookie File\n{SECRET}\n")
    os.mkfifo(shell.folder / "pipe")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", SECRET], "--user: it is written as USER:PASSWORD"),
        (["--user", f"a:{SECRET}\n"], "--user: line breaks"),
        (["--netrc"], ".netrc: line 2 is no netrc's"),
        (["--cookies", "bad.txt"], "--cookies bad.txt: line 2 is not in Netscape's"),
        (["--cookies", "none.txt"], "--cookies none.txt: it cannot be read"),
        (["--cookies", "."], "--cookies .: Is a directory"),
        (["--cookies", "pipe"], "it is a pipe"),
        (["--proxy", f"ftp://a:{SECRET}@b"], "--proxy: 'ftp://b' is not allowed;"),
        (["--proxy", f"a:{SECRET}@b:port"], "--proxy: 'b:port' is not allowed;"),
        (
            ["--proxy", "http://"],
            "one of http, https, socks4, socks4a, socks5, socks5h",
        ),
        (["-u", f"a:{SECRET}", "-H", "authorization: b"], "exclude each other"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("nonsense")
async def test_nonsense_is_told_in_one_line(
    shell: Shell, arguments: list[str], said: str
) -> None:
    """Exit code 2, the option, what is wrong with it, and no secret."""
    ran = await shell(*arguments, f"http://{HOST}:9/file")
    assert ran.code == 2, ran.err
    [line] = ran.err.splitlines()
    assert said in line


async def test_settings_are_printed_without_secrets(shell: Shell) -> None:
    """The user is shown, the password is not; nor is who we are at the proxy."""
    given: dict[str, Any] = {
        "HYDRA_TUI_USER": f"me:{SECRET}",
        "HYDRA_TUI_PROXY": f"socks5h://me:{SECRET}@proxy:1080",
    }
    ran = await shell("--print-config", **given)
    assert ran.code == 0
    out = ran.out.decode()
    assert 'user = "me:***"' in out
    assert 'proxy = "socks5h://***@proxy:1080"' in out
