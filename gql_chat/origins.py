"""Origins: which pages may open a socket with the cookies of a browser.

A browser lets a page of any site open a socket to any other, and sends the cookies of the socket's
site along. It also says whose page it is, in the header `Origin`, and no page can change that.

A client without an `Origin` is no browser, so it has no cookies but those that it was given. A
connection without cookies proves its user by something that no other site's page has.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.utils.http import is_same_domain

from .conf import chat_settings
from .errors import quote

logger = logging.getLogger("gql_chat")

Scope = Mapping[str, Any]

ANY = "*"
"""Among `ALLOWED_ORIGINS`: every page may open a socket."""

# As a browser sends it, and nothing more.
_HOST = r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]/\\?#@:\s]+)(?::(?P<port>[0-9]{1,5}))?"
_ORIGIN = re.compile(f"(?P<scheme>https?)://{_HOST}", re.IGNORECASE)
_ASKED = re.compile(_HOST, re.IGNORECASE)
# Where a browser leaves the port out.
_PORTS = {"http": "80", "https": "443"}

# Django takes these for `ALLOWED_HOSTS` in the same case.
_DEBUG_HOSTS = (".localhost", "127.0.0.1", "[::1]")


def may_open(scope: Scope) -> bool:
    """Return whether the page that opens a chat socket may do so; log it if not.

    Any may where the connection has no cookies. Else its host is that of the request or one of
    `ALLOWED_HOSTS`, or its origin is one of `CSRF_TRUSTED_ORIGINS` or `ALLOWED_ORIGINS`.
    """
    headers = _read_headers(scope)
    origin = headers.get("origin")
    if origin is None or "cookie" not in headers:
        return True
    allowed = chat_settings.ALLOWED_ORIGINS
    if (
        ANY in allowed
        or origin in allowed
        or _is_own(scope, headers, origin, _named_hosts())
        or _is_trusted(origin)
    ):
        return True
    logger.warning(
        "A socket was refused to a page of %s: pages are let in that are of ALLOWED_HOSTS, "
        "CSRF_TRUSTED_ORIGINS or REALTIME_CHAT_MESSAGING['ALLOWED_ORIGINS'].",
        quote(origin),
    )
    return False


def may_post(scope: Scope) -> bool:
    """Return whether Django would take a `POST` of the page that opens a socket, cookies or not.

    Its host and port are those of the request, or its origin is one of `CSRF_TRUSTED_ORIGINS`.
    """
    headers = _read_headers(scope)
    origin = headers.get("origin")
    return origin is None or _is_own(scope, headers, origin) or _is_trusted(origin)


def _read_headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin1").lower(): value.decode("latin1")
        for name, value in scope.get("headers", ())
    }


def _is_own(
    scope: Scope, headers: Mapping[str, str], origin: str, hosts: Iterable[str] = ()
) -> bool:
    """Return whether an origin is that of the request, or has one of these hosts."""
    page = _ORIGIN.fullmatch(origin.lower())
    # An attacker on the network can change a page that comes over http. Such a page shall not use
    # the cookies that a browser sends over https alone. Behind a proxy the server may not know that
    # the socket came over https.
    if page is None or (scope.get("scheme") == "wss" and page["scheme"] == "http"):
        return False
    if any(is_same_domain(page["host"], pattern) for pattern in hosts):
        return True
    asked = _ASKED.fullmatch(_host_of(headers).lower())
    default = _PORTS[page["scheme"]]
    return (
        asked is not None
        and asked["host"] == page["host"]
        and (asked["port"] or default) == (page["port"] or default)
    )


def _host_of(headers: Mapping[str, str]) -> str:
    """Return the host that the request was sent to, as Django sees it."""
    forwarded = headers.get("x-forwarded-host") if settings.USE_X_FORWARDED_HOST else None
    return (forwarded or headers.get("host", "")).strip()


def _named_hosts() -> list[str]:
    """Return the hosts that `ALLOWED_HOSTS` names. "*" in it says nothing of pages."""
    hosts = settings.ALLOWED_HOSTS
    if settings.DEBUG and not hosts:
        return list(_DEBUG_HOSTS)
    return [host for host in hosts if host != "*"]


def _is_trusted(origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    for trusted in settings.CSRF_TRUSTED_ORIGINS:
        trusted_scheme, _, pattern = trusted.partition("://")
        if scheme == trusted_scheme and is_same_domain(host, pattern.removeprefix("*")):
            return True
    return False
