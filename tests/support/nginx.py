"""A real nginx on loopback: HTTP, HTTPS and HTTP/2 over one directory.

It needs no root, no configuration of the system's, and no luck with ports: the
listening sockets are made here and handed over, the way nginx hands them to its
successor (`NGINX=fd;`), so it can be asked as soon as it has been started. One
worker with one event loop means that what it answers later it logged later, so
the access log can be read without waiting for it.
"""

from __future__ import annotations

import contextlib
import grp
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds for what takes milliseconds, on a machine that is busy elsewhere."""

SKIP_REASON = "nginx is not installed (on Debian: apt-get install nginx-light)"

CONFIG = """\
daemon off;
worker_processes 1;
pid {prefix}/pid;
error_log {prefix}/error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    log_format lanes '$connection $connection_requests $status $http_range '
                     '$bytes_sent $server_protocol $uri';
    access_log {prefix}/access.log lanes;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    types {{
        text/html html htm;
        image/gif gif;
        image/jpeg jpeg jpg;
        application/metalink4+xml meta4;
    }}
    default_type application/octet-stream;
    sendfile on;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    ssl_certificate {prefix}/server.pem;
    ssl_certificate_key {prefix}/server.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen {http};
        listen {https} ssl;
        listen {h2} ssl http2;
        root {root};
        location /-/sync {{ access_log off; return 204; }}
        location /limited/ {{ alias {root}/; limit_rate $arg_rate; }}
        location /noranges/ {{ alias {root}/; max_ranges 0; }}
        location /gzip/ {{
            alias {root}/;
            gzip on;
            gzip_types *;
            gzip_min_length 0;
            gzip_proxied any;
        }}
        {locations}
    }}
}}
"""


def program() -> str | None:
    """Where nginx is; Debian keeps it off the path of ordinary users."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    return shutil.which("nginx", path=path)


def available() -> bool:
    return program() is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the access log."""

    connection: int
    number: int
    """Of the requests on its connection, from 1."""
    status: int
    range: str | None
    sent: int
    """Bytes, headers included."""
    protocol: str
    path: str

    @classmethod
    def parse(cls, line: str) -> Request:
        connection, number, status, asked, sent, protocol, path = line.split(" ", 6)
        asked_for = None if asked == "-" else asked
        return cls(
            int(connection),
            int(number),
            int(status),
            asked_for,
            int(sent),
            protocol,
            path,
        )


class NginxServer:
    """Serves `root` for the length of a `with`.

    `/` is plain; `/gzip/` compresses everything for who accepts it; `/noranges/`
    answers 200 to every range; `/limited/NAME?rate=1m` gives each request that many
    bytes a second.

    `headers` are fields, by what paths begin with; `redirects` lead from whole paths
    to others, and may have such fields too.
    """

    def __init__(
        self,
        root: Path,
        *,
        headers: Mapping[str, Mapping[str, str]] | None = None,
        redirects: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root.resolve()
        self._locations = _locations(headers or {}, redirects or {})
        self._stack = contextlib.ExitStack()
        self._ports: dict[str, int] = {}
        self._prefix = Path()

    @property
    def http_url(self) -> str:
        return f"http://{HOST}:{self._ports['http']}"

    @property
    def https_url(self) -> str:
        """HTTP/1.1 over TLS; nothing else is offered."""
        return f"https://{HOST}:{self._ports['https']}"

    @property
    def h2_url(self) -> str:
        """HTTP/2 over TLS, for who asks for it."""
        return f"https://{HOST}:{self._ports['h2']}"

    @property
    def cacert(self) -> Path:
        """The authority that signed the certificate."""
        return self._prefix / "ca.pem"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nginx-"))
            self._prefix = Path(folder)
            _certify(self._prefix)
            self._start(stack)
            self._sync()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def requests(self) -> list[Request]:
        """What has been answered to its end, in that order."""
        self._sync()
        log = self._prefix / "access.log"
        return [Request.parse(line) for line in log.read_text().splitlines()]

    def connections(self) -> Counter[int]:
        """TCP connection → requests it carried; its length counts the connections."""
        return Counter(request.connection for request in self.requests())

    def forget(self) -> None:
        """Empty the access log, so that a test sees only its own requests."""
        self._sync()
        os.truncate(self._prefix / "access.log", 0)

    def _start(self, stack: contextlib.ExitStack) -> None:
        names = ("http", "https", "h2")
        with contextlib.ExitStack() as held:
            sockets = [
                held.enter_context(socket.create_server((HOST, 0), backlog=511))
                for _ in names
            ]
            self._ports = {
                name: listener.getsockname()[1]
                for name, listener in zip(names, sockets, strict=True)
            }
            stack.callback(_stop, self._spawn([each.fileno() for each in sockets]))

    def _spawn(self, listeners: list[int]) -> subprocess.Popen[bytes]:
        executable = program()
        if executable is None:
            raise FileNotFoundError(SKIP_REASON)
        config = self._prefix / "nginx.conf"
        listens = {name: f"{HOST}:{port}" for name, port in self._ports.items()}
        config.write_text(
            CONFIG.format(
                prefix=self._prefix,
                root=self._root,
                user=_user(),
                locations=self._locations,
                **listens,
            )
        )
        inherited = "".join(f"{number};" for number in listeners)
        return subprocess.Popen(
            [executable, "-p", self._prefix, "-c", config, "-e", "error.log"],
            env={**os.environ, "NGINX": inherited},
            pass_fds=listeners,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _sync(self) -> None:
        """Ask one question; what ended before the answer is in the log."""
        door = http.client.HTTPConnection(HOST, self._ports["http"], timeout=PATIENCE)
        with contextlib.closing(door):
            try:
                door.request("GET", "/-/sync")
                door.getresponse().read()
            except OSError as error:
                log = (self._prefix / "error.log").read_text()
                raise RuntimeError(f"nginx does not answer: {log}") from error


def _locations(
    headers: Mapping[str, Mapping[str, str]], redirects: Mapping[str, str]
) -> str:
    """Both as nginx is told of them; a path may be in both."""
    found = []
    for path in dict.fromkeys((*headers, *redirects)):
        fields = headers.get(path, {}).items()
        lines = [f"add_header {name} '{value}' always;" for name, value in fields]
        if path in redirects:
            lines.append(f"return 302 {redirects[path]};")
        exact = "= " if path in redirects else ""
        found.append(f"location {exact}{path} {{ {' '.join(lines)} }}")
    return "\n        ".join(found)


def _certify(prefix: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(prefix / "ca.pem")
    authority.issue_cert(
        HOST, "localhost"
    ).private_key_and_cert_chain_pem.write_to_path(prefix / "server.pem")


def _user() -> str:
    """Root's workers would become somebody who can't read a private directory."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
