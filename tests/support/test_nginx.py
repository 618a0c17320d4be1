from __future__ import annotations

import ssl
import urllib.request

import pytest

from tests.support.nginx import NginxServer
from tests.support.payload import Payload


def fetch(url: str, server: NginxServer, **headers: str) -> tuple[int, bytes]:
    trusting = ssl.create_default_context(cafile=server.cacert)
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, context=trusting, timeout=10) as response:
        return response.status, response.read()


@pytest.mark.parametrize("door", ["http_url", "https_url", "h2_url"])
def test_doors(nginx: NginxServer, payload: Payload, door: str) -> None:
    """Every door serves the same files, and its certificate can be checked."""
    url = f"{getattr(nginx, door)}/small.bin"

    assert fetch(url, nginx) == (200, payload.contents["small.bin"].read())
    assert fetch(url, nginx, Range="bytes=5-9") == (
        206,
        payload.contents["small.bin"].read(5, 10),
    )


def test_log(nginx: NginxServer) -> None:
    """Each request is in the log as soon as its answer is here, with its connection."""
    nginx.forget()

    fetch(f"{nginx.http_url}/small.bin", nginx, Range="bytes=0-0")
    fetch(f"{nginx.http_url}/one.bin", nginx)

    one, two = nginx.requests()
    assert (one.status, one.range, one.path) == (206, "bytes=0-0", "/small.bin")
    assert (two.status, two.range, two.path) == (200, None, "/one.bin")
    assert nginx.connections() == {one.connection: 1, two.connection: 1}


def test_variants(nginx: NginxServer, payload: Payload) -> None:
    """It can forget ranges, and compress for who accepts that."""
    whole = payload.contents["small.bin"].read()
    plain = fetch(f"{nginx.http_url}/noranges/small.bin", nginx, Range="bytes=0-0")
    asked = {"Range": "bytes=0-0", "Accept-Encoding": "gzip"}
    status, packed = fetch(f"{nginx.http_url}/gzip/small.bin", nginx, **asked)

    assert plain == (200, whole)
    assert (status, packed[:2]) == (200, b"\x1f\x8b")
