"""Which pages may open a socket with cookies, and which a socket of the GraphQL endpoint."""

import logging
from typing import Any

import pytest

from gql_chat.origins import may_open, may_post

COOKIE = "sessionid=x"
Settings = Any


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.test", ".example.com", "[2001:db8::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.test:8443", "https://*.trusted.test"]
    settings.REALTIME_CHAT_MESSAGING = {}


def scope(
    origin: str | None, host: str | None = "chat.test", cookie: str | None = COOKIE, **more: str
) -> dict[str, Any]:
    """The scope of a socket whose handshake has these headers."""
    scheme = more.pop("scheme", "ws")
    given = {"origin": origin, "host": host, "cookie": cookie}
    headers = {**given, **{name.replace("_", "-"): value for name, value in more.items()}}
    return {
        "type": "websocket",
        "scheme": scheme,
        "headers": [
            (name.encode(), value.encode("latin1"))
            for name, value in headers.items()
            if value is not None
        ],
    }


OWN = (
    "https://chat.test",
    "http://chat.test",
    "https://chat.test:443",
    "http://chat.test:8000",
    "https://CHAT.test",
    "https://example.com",
    "https://deep.sub.example.com:9000",
    "http://[2001:db8::1]:8000",
)
TRUSTED = (
    "https://front.test:8443",
    "https://trusted.test",
    "https://a.trusted.test",
    "https://a.b.trusted.test",
)
FOREIGN = (
    "https://evil.test",
    "https://chat.test.evil.test",
    "https://evilchat.test",
    "https://evil.test:443",
    "https://chat.test@evil.test",
    "https://evil.test#chat.test",
    "https://evil.test/chat.test",
    "https://evil.test\\@chat.test",
    "https://notexample.com",
    "http://a.trusted.test",
    "https://front.test",
    "http://front.test:8443",
    "https://x.test://front.test:8443",
    "null",
    "",
    "chat.test",
    "//chat.test",
    "https://",
    "https://[",
    "https://chat.test:x",
    "https://chat.test:999999",
    "https://chat.test:443:443",
    "file://",
    "file://chat.test",
    "capacitor://localhost",
    "chrome-extension://chat.test",
    "https://ch\xe4t.test",
)


@pytest.mark.parametrize("origin", [*OWN, *TRUSTED])
def test_pages_of_the_site_and_trusted_ones_may_open_sockets(origin: str) -> None:
    assert may_open(scope(origin))


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_site_may_not_and_the_log_says_why(
    origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not may_open(scope(origin))

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert repr(origin)[:90] in record.getMessage()
    assert "ALLOWED_ORIGINS" in record.getMessage()


@pytest.mark.parametrize("origin", [*OWN, *FOREIGN])
def test_without_cookies_any_page_may_as_it_has_to_prove_who_asks(origin: str) -> None:
    assert may_open(scope(origin, cookie=None))


def test_a_client_that_is_no_browser_sends_no_origin() -> None:
    assert may_open(scope(None))
    assert may_post(scope(None))
    assert may_open({"type": "websocket"})


def test_what_a_page_is_called_is_cut_in_the_log_and_breaks_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert not may_open(scope("https://evil.test\r\nINFO all is well" + "x" * 10_000))

    message = caplog.records[0].getMessage()
    assert len(message) < 400
    assert "\n" not in message


def test_any_host_that_is_allowed_says_nothing_of_pages(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert not may_open(scope("https://evil.test"))
    assert may_open(scope("https://chat.test"))
    assert may_open(scope("https://chat.test:8443", host="chat.test:8443"))
    assert may_open(scope("https://chat.test", host="chat.test:443"))
    assert not may_open(scope("https://chat.test:8443"))
    assert not may_open(scope("https://chat.test", host="backend:8000"))
    assert not may_open(scope("https://chat.test", host=None))
    assert not may_open(scope("https://chat.test", host="["))


def test_the_host_that_a_proxy_forwards_counts_where_django_heeds_it(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    forwarded = scope("https://chat.test", host="backend:8000", x_forwarded_host="chat.test")

    assert not may_open(forwarded)
    assert not may_post(forwarded)
    settings.USE_X_FORWARDED_HOST = True
    assert may_open(forwarded)
    assert may_post(forwarded)


def test_a_page_that_came_over_http_may_not_use_a_socket_over_https() -> None:
    for may in (may_open, may_post):
        assert not may(scope("http://chat.test", scheme="wss"))
        assert may(scope("https://chat.test", scheme="wss"))


def test_while_developing_pages_of_this_machine_may(settings: Settings) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []

    for origin in ("http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:3000"):
        assert may_open(scope(origin, host="localhost:8000"))
    assert not may_open(scope("http://evil.test", host="localhost:8000"))


def test_a_project_names_the_origins_of_its_apps(settings: Settings) -> None:
    names = ["capacitor://localhost", "null", "file://"]
    settings.REALTIME_CHAT_MESSAGING = {"ALLOWED_ORIGINS": names}

    assert all(may_open(scope(origin)) for origin in names)
    assert not may_open(scope("https://evil.test"))
    assert not may_open(scope("capacitor://localhost.evil.test"))


def test_a_project_may_let_every_page_in(settings: Settings) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"ALLOWED_ORIGINS": ["*"]}

    assert all(may_open(scope(origin)) for origin in FOREIGN)


@pytest.mark.parametrize("cookie", [COOKIE, None])
def test_the_endpoint_takes_a_page_as_django_takes_its_post(
    cookie: str | None, settings: Settings
) -> None:
    settings.REALTIME_CHAT_MESSAGING = {"ALLOWED_ORIGINS": ["*"]}

    for origin in ("https://chat.test", *TRUSTED):
        assert may_post(scope(origin, cookie=cookie))
    for origin in ("https://example.com", "http://chat.test:8000", *FOREIGN):
        assert not may_post(scope(origin, cookie=cookie))
