"""Real servers on loopback, of every kind that files are had from.

One value says what a kind of server is: its program, its configuration, and how a
line of its log reads. Each runs with one door only, from a folder of its own, as
a child that ends with the `with`; no configuration of the system's plays a part.

    python -m tests.support.servers       # which are here, in which versions
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import trustme

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds for what takes milliseconds, on a machine that is busy elsewhere."""


class Door(StrEnum):
    """What a server speaks."""

    HTTP = "http"
    HTTPS = "https"
    """HTTP/1.1 over TLS; nothing else is offered."""
    H2 = "h2"
    """HTTP/2 over TLS, for who asks for it."""

    @property
    def scheme(self) -> str:
        return "http" if self is Door.HTTP else "https"

    @property
    def protocol(self) -> str:
        """As servers write it into their logs."""
        return "HTTP/2.0" if self is Door.H2 else "HTTP/1.1"


LANE = (
    r"lane (?P<connection>\d+) (?P<status>[2-5]\d\d) "
    r"GET (?P<target>.*) (?P<protocol>HTTP/\S+)"
)
"""A line of the log, where we may say what it looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of server.

    `command`, `config` and `doors` have gaps: `{program}`, `{config}` (its file),
    `{folder}` (of its own), `{root}` (what it serves), `{scheme}`, `{port}`, `{pem}`,
    `{said}` (where its log goes), `{h2}` (where that is spoken); in `config` there is
    also `{door}`, and `{as_root}` where root starts it.
    """

    name: str
    program: str
    package: str
    """What to install on Debian."""
    needs: str = ""
    """A path without which the program is of no use."""
    version: tuple[str, ...]
    """Arguments that make it tell its version."""
    command: tuple[str, ...]
    config: str = ""
    doors: Mapping[Door, str]
    """What it can speak, and how its configuration says so."""
    as_root: str = ""
    """Who is to do the work of a server that root has started."""
    line: str = LANE
    """What an answer looks like in its log."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ranges: bool = True
    """Whether it gives parts of files."""
    compresses: bool = True
    """Whether it would compress text for who accepts that."""

    def executable(self) -> str | None:
        """Where it is; Debian keeps servers off the path of ordinary users."""
        if self.needs and not Path(self.needs).exists():
            return None
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
        return shutil.which(self.program, path=path)

    @property
    def skip_reason(self) -> str:
        return (
            f"{self.name} is not installed (on Debian: apt-get install {self.package})"
        )

    def told_version(self) -> str:
        """The number, as the program tells it; empty where it is not here."""
        executable = self.executable()
        if executable is None:
            return ""
        told = subprocess.run(
            [executable, *self.version], capture_output=True, text=True, check=True
        )
        found = re.search(r"\d+(\.\d+)+", told.stdout + told.stderr)
        return found[0] if found else ""


NGINX = Kind(
    name="nginx",
    program="nginx",
    package="nginx-light",
    version=("-v",),
    command=("{program}", "-p", "{folder}", "-c", "{config}", "-e", "{said}"),
    config="""\
daemon off;
worker_processes 2;
pid {folder}/pid;
{as_root}
events {{ }}
http {{
    log_format lanes 'lane $remote_port $status $request';
    access_log {said} lanes;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/plain txt; }}
    default_type application/octet-stream;
    gzip on;
    gzip_types text/plain;
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    server {{
        listen 127.0.0.1:{port} {door};
        root {root};
    }}
}}
""",
    doors={Door.HTTP: "", Door.HTTPS: "ssl", Door.H2: "ssl http2"},
    as_root="user root root;",
)

_APACHE_MODULES = "/usr/lib/apache2/modules"
_APACHE_TLS = """
SSLEngine on
SSLCertificateFile {pem}
SSLSessionCache none
"""
APACHE = Kind(
    name="Apache httpd",
    program="apache2",
    package="apache2-bin",
    needs=_APACHE_MODULES,
    version=("-v",),
    command=("{program}", "-f", "{config}", "-DFOREGROUND"),
    config="".join(
        f"LoadModule {name}_module {_APACHE_MODULES}/mod_{name}.so\n"
        for name in (
            *("mpm_event", "authz_core", "mime", "filter", "deflate"),
            *("ssl", "http2"),
        )
    )
    + """
ServerRoot {folder}
DefaultRuntimeDir {folder}
ServerName localhost
Listen 127.0.0.1:{port}
{as_root}
StartServers 1
PidFile {folder}/pid
ErrorLog {said}
LogFormat "lane %{{remote}}p %>s %r" lanes
CustomLog {said} lanes
TypesConfig /dev/null
AddType text/plain .txt
AddOutputFilterByType DEFLATE text/plain
FileETag INode MTime Size
DocumentRoot {root}
{door}
""",
    doors={
        Door.HTTP: "",
        Door.HTTPS: f"{_APACHE_TLS} Protocols http/1.1",
        Door.H2: f"{_APACHE_TLS} Protocols h2 http/1.1",
    },
    as_root="User nobody\nGroup nogroup",
)
"""Its ETags have the inode in them, as they had by default for many years: each of
several nodes tells another."""

_LIGHTTPD_TLS = 'ssl.engine = "enable"\nssl.pemfile = "{pem}"\n'
_LIGHTTPD_H1 = 'server.feature-flags = ("server.h2proto" => "disable")'
LIGHTTPD = Kind(
    name="lighttpd",
    program="lighttpd",
    package="lighttpd lighttpd-mod-openssl lighttpd-mod-deflate",
    needs="/usr/lib/lighttpd/mod_openssl.so",
    version=("-v",),
    command=("{program}", "-D", "-f", "{config}"),
    config="""\
server.modules = ("mod_openssl", "mod_deflate", "mod_accesslog")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.upload-dirs = ("{folder}")
server.stat-cache-engine = "disable"
mimetype.assign = (".txt" => "text/plain", "" => "application/octet-stream")
deflate.mimetypes = ("text/plain")
deflate.allowed-encodings = ("gzip")
accesslog.format = "lane %{{remote}}p %s %r"
accesslog.filename = "|exec tee -a {said}"
{door}
""",
    doors={
        Door.HTTP: "",
        Door.HTTPS: _LIGHTTPD_TLS + _LIGHTTPD_H1,
        Door.H2: _LIGHTTPD_TLS,
    },
)

_CADDY_TLS = "tls {pem} {pem}"
CADDY = Kind(
    name="Caddy",
    program="caddy",
    package="caddy",
    version=("version",),
    command=("{program}", "run", "--adapter", "caddyfile", "--config", "{config}"),
    config="""\
{{
    admin off
    auto_https off
    storage file_system {folder}
    servers {{
        protocols h1 {h2}
    }}
}}
{scheme}://:{port} {{
    bind 127.0.0.1
    root * {root}
    encode gzip
    file_server
    log {{
        output stdout
        format json
    }}
    {door}
}}
""",
    doors={Door.HTTP: "", Door.HTTPS: _CADDY_TLS, Door.H2: _CADDY_TLS},
    line=r'"remote_port":"(?P<connection>\d+)","proto":"(?P<protocol>[^"]+)"'
    r'.*"uri":"(?P<target>[^"]+)".*"status":(?P<status>\d+)',
)

_NODE_TLS = "{{cert: read('{pem}'), key: read('{pem}'), allowHTTP1: true}}, answer)"
NODE = Kind(
    name="Node serve-static",
    program="node",
    package="nodejs node-serve-static",
    needs="/usr/share/nodejs/serve-static",
    version=("--version",),
    command=("{program}", "{config}"),
    config="""\
const read = require("fs").readFileSync;
const files = require("serve-static")("{root}", {{fallthrough: false}});
const answer = (request, response) => {{
    const port = request.socket.remotePort;
    const asked = `GET ${{request.url}} HTTP/${{request.httpVersion}}`;
    response.on("close", () => {{
        console.log(`lane ${{port}} ${{response.statusCode}} ${{asked}}`);
    }});
    files(request, response, (error) => {{
        response.statusCode = error.status;
        response.end();
    }});
}};
{door}.listen({port}, "127.0.0.1");
""",
    doors={
        Door.HTTP: 'require("http").createServer(answer)',
        Door.HTTPS: 'require("https").createServer(' + _NODE_TLS,
        Door.H2: 'require("http2").createSecureServer(' + _NODE_TLS,
    },
    environment={"NODE_PATH": "/usr/share/nodejs"},
    compresses=False,
)

PYTHON = Kind(
    name="Python http.server",
    program=sys.executable,
    package="python3",
    version=("--version",),
    command=(
        *("{program}", "-m", "http.server", "{port}"),
        *("--bind", HOST, "--directory", "{root}"),
    ),
    doors={Door.HTTP: ""},
    line=r'"GET (?P<target>.*) (?P<protocol>HTTP/\S+)" (?P<status>\d+) -$',
    environment={"PYTHONUNBUFFERED": "1"},
    ranges=False,
    compresses=False,
)

_HAPROXY_TLS = "ssl crt {pem} alpn"
HAPROXY = Kind(
    name="HAProxy",
    program="haproxy",
    package="haproxy",
    version=("-v",),
    command=("{program}", "-db", "-f", "{config}"),
    config="""\
global
    log stdout format raw local0
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.default-dh-param 2048
defaults
    mode http
    log global
    log-format "lane %cp %ST %HM %HPO%HQ %HV"
    option dontlognull
    option redispatch 1
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend door
    bind 127.0.0.1:{port} {door}
    default_backend nodes
backend nodes
    balance roundrobin
""",
    doors={
        Door.HTTP: "",
        Door.HTTPS: f"{_HAPROXY_TLS} http/1.1",
        Door.H2: f"{_HAPROXY_TLS} h2,http/1.1",
    },
)
"""Of no use by itself: see `before`."""

KINDS = (NGINX, APACHE, LIGHTTPD, CADDY, NODE, PYTHON, HAPROXY)
"""All of them."""


def before(*nodes: Server) -> Kind:
    """A HAProxy that asks these in turn."""
    lines = [
        f"    server node{number} {HOST}:{node.port}\n"
        for number, node in enumerate(nodes, 1)
    ]
    return replace(HAPROXY, config=HAPROXY.config + "".join(lines))


@dataclass(frozen=True, slots=True)
class Answered:
    """One line of a server's log."""

    connection: int
    status: int
    protocol: str


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    kind: Kind
    door: Door
    port: int
    folder: Path

    def url(self, path: str) -> str:
        return f"{self.door.scheme}://{HOST}:{self.port}{path}"

    @property
    def cacert(self) -> Path:
        """The authority that signed its certificate."""
        return self.folder / "ca.pem"

    @property
    def said(self) -> Path:
        """Its log, and whatever else it says."""
        return self.folder / "said"

    def answered(self, target: str) -> list[Answered]:
        """What was asked for at this path and query, as far as it is in the log.

        An answer may be here before its line is. Where a server does not tell
        connections apart, each answer has its own.
        """
        log = self.said.read_text()
        return [
            Answered(
                int(match.groupdict().get("connection", match.start())),
                int(match["status"]),
                match["protocol"],
            )
            for match in re.finditer(self.kind.line, log, re.MULTILINE)
            if match["target"] == target
        ]


@contextmanager
def serving(kind: Kind, door: Door, root: Path) -> Iterator[Server]:
    """Serve a folder; raises RuntimeError with what was said where that fails."""
    with (
        tempfile.TemporaryDirectory(prefix="server-") as folder,
        _free_port() as port,
    ):
        server = Server(kind, door, port, Path(folder))
        server.folder.chmod(0o755)
        _certify(server.folder)
        with server.said.open("ab") as said:
            process = subprocess.Popen(
                _command(server, root),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
                env=os.environ | kind.environment | {"HOME": folder},
                start_new_session=True,
            )
        try:
            _await_answer(server, process)
            yield server
        finally:
            _end(process)


@contextmanager
def _free_port() -> Iterator[int]:
    """A port that nobody else is given meanwhile: it is bound, but not listened on."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, 0))
        yield held.getsockname()[1]


def _command(server: Server, root: Path) -> list[str]:
    kind, config = server.kind, server.folder / "config.js"
    gaps = {
        "program": kind.executable(),
        "folder": server.folder,
        "config": config,
        "root": root,
        "port": server.port,
        "pem": server.folder / "server.pem",
        "said": server.said,
        "scheme": server.door.scheme,
        "h2": "h2" if server.door is Door.H2 else "",
        "as_root": kind.as_root if os.geteuid() == 0 else "",
    }
    gaps["door"] = kind.doors[server.door].format(**gaps)
    config.write_text(kind.config.format(**gaps))
    return [word.format(**gaps) for word in kind.command]


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


def _certify(folder: Path) -> None:
    authority = _authority()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert(HOST, "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")


def _await_answer(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((HOST, server.port)):
            return
        time.sleep(0.005)
    raise RuntimeError(f"{server.kind.name} does not run: {server.said.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to go; who stays is made to, with all that it has started."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    for kind in KINDS:
        told = kind.told_version() or f"- ({kind.skip_reason})"
        sys.stdout.write(f"{kind.name:20} {told:10} {', '.join(kind.doors)}\n")


if __name__ == "__main__":
    main()
