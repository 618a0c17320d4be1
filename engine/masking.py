"""What people may see of a URL or a header: enough to know it by, and no secret.

Whatever may be a secret counts as one: a cache key that is masked costs nothing,
a signed link that is shown in a screenshot is somebody else's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

MASKED = "***"
LONGEST = 400
"""Characters of a header's value that anybody reads."""
_TELLTALE = re.compile(
    r"auth(?!or(?!i))|cookie|credential|csrf|key|passw|secret|session|sig|token"
)
_PLAIN = re.compile(
    r"(https?://[^/?#@\s]+(?:/[^?#\s]*)?)(\?[\w.-]+=[^&#]+(?:&[\w.-]+=[^&#]+)*)?",
    re.ASCII,
)
"""Most URLs need no closer look, and thousands are looked at."""
_VALUE = re.compile(r"=[^&]+")
_USERINFO = re.compile(r"(://)[^/?#\s]*@")
_BARE_USERINFO = re.compile(r"\b[\w.%+-]+:[^\s/'\"]+@")
"""Of a proxy without a scheme, as curl repeats it."""
_QUERY = re.compile(r"\?[^\s\"<>]+")
_CREDENTIALS = re.compile(
    r"\b(Basic|Bearer|Digest|Negotiate|NTLM) +(?!with )[^\s'\"]+", re.IGNORECASE
)
_USER = re.compile(r"\b(user) '[^']*'")
_NAMED = re.compile(
    rf"(?P<name>\b(?!\w*Error\b)[\w-]*(?:{_TELLTALE.pattern})[\w-]*)"
    r"(?P<between>['\"]?\s*[:=,]\s*(?:b(?=['\"]))?['\"]?)[^\n\]]+",
    re.IGNORECASE,
)
"""A field's name and its value, as on the wire or as Python shows them."""


def mask(url: str) -> str:
    """The URL without userinfo and without the values of its query."""
    if (plain := _PLAIN.fullmatch(url)) is not None:
        return plain[1] + _VALUE.sub(f"={MASKED}", plain[2] or "")
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = urlencode([(k, MASKED) for k, _ in parse_qsl(parts.query)], safe="*")
    return urlunsplit(parts._replace(netloc=host, query=query, fragment=""))


def shown(name: str, value: str) -> str:
    """The value of a header as people may see it, and not more of it than they read."""
    if is_secret(name):
        return MASKED
    value = _USERINFO.sub(r"\1", value)
    value = _QUERY.sub(f"?{MASKED}", value)
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def scrubbed(text: str) -> str:
    """Text of any kind without what may be a secret: a traceback, what curl says."""
    text = _BARE_USERINFO.sub("", _USERINFO.sub(r"\1", text))
    text = _QUERY.sub(f"?{MASKED}", text)
    text = _CREDENTIALS.sub(rf"\1 {MASKED}", text)
    text = _USER.sub(rf"\1'{MASKED}'", text)
    return _NAMED.sub(rf"\g<name>\g<between>{MASKED}", text)


@lru_cache(maxsize=512)
def is_secret(name: str) -> bool:
    """Whether a header of that name may hold what opens doors."""
    return _TELLTALE.search(name.lower()) is not None
