"""Monitoring: metrics and health over HTTP, as Django views and as an ASGI application.

There is no login. Mount it where only those can reach it who may (`docs/monitoring.md`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed

from gql_chat import streams
from gql_chat.conf import chat_settings

from .health import LIVE, NEEDED, READY, Report, health
from .hub import find_hub
from .questions import Question

LOG_SECONDS = 30.0
"""How long the size of the event log is kept until it is asked for again."""

LOG_PATIENCE = 1.0
"""How long metrics wait for that size; then they show the last one."""

METHODS = ("GET", "HEAD")

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

_log = Question(streams.measure_log, LOG_SECONDS)


@dataclass(slots=True, frozen=True)
class _Answer:
    """An answer over HTTP."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Cache-Control": "no-store"})


async def _measure() -> _Answer | None:
    """Return the metrics; None if there are none (`METRICS`)."""
    if not chat_settings.METRICS:
        return None
    # Only here: a process without metrics needs no prometheus-client.
    from .metrics import prometheus

    hub = find_hub()
    if hub is not None:
        hub.look()
    with suppress(Exception):  # the health view says what is wrong with the database
        prometheus.measured(*await _log.answer(LOG_PATIENCE))
    # It takes milliseconds, in which the sockets of this event loop would wait.
    content_type, body = await asyncio.to_thread(prometheus.render)
    return _Answer(200, content_type, body)


def _show(report: Report) -> _Answer:
    return _Answer(report.http_status, "application/json", orjson.dumps(report.as_json()))


async def metrics(request: HttpRequest) -> HttpResponse:
    """Show the metrics in Prometheus' text format.

    Raises:
        Http404: `METRICS` is False.
    """
    if request.method not in METHODS:
        return HttpResponseNotAllowed(METHODS)
    answer = await _measure()
    if answer is None:
        raise Http404("METRICS is False.")
    return _respond(answer)


async def live(request: HttpRequest) -> HttpResponse:
    """Show whether the process works: 200, or 503 if it should be restarted."""
    if request.method not in METHODS:
        return HttpResponseNotAllowed(METHODS)
    return _respond(_show(await health.report(LIVE, LIVE)))


async def ready(request: HttpRequest, needed: Collection[str] = NEEDED) -> HttpResponse:
    """Show whether the process can serve: 200, or 503 if it should get no new connections.

    Args:
        request: the request.
        needed: the checks without which it cannot; a project may add `layer`.
    """
    if request.method not in METHODS:
        return HttpResponseNotAllowed(METHODS)
    return _respond(_show(await health.report(READY, needed)))


def _respond(answer: _Answer) -> HttpResponse:
    return HttpResponse(
        answer.body,
        status=answer.status,
        content_type=answer.content_type,
        headers=answer.headers,
    )


class Monitoring:
    """An ASGI application around another: it answers three paths, and hands all else on.

    No middleware of the project runs for these paths. So a probe needs no name of
    `ALLOWED_HOSTS` and no HTTPS, and a process that serves sockets alone can be asked.

    Args:
        application: the other.
        prefix: what the paths `/metrics`, `/health/live` and `/health/ready` begin with.
        needed: as for `ready`.
    """

    def __init__(
        self, application: Application, prefix: str = "", needed: Collection[str] = NEEDED
    ) -> None:
        self._application = application
        self._needed = needed
        self._views: dict[str, Callable[[], Awaitable[_Answer | None]]] = {
            f"{prefix}/metrics": _measure,
            f"{prefix}/health/live": self._live,
            f"{prefix}/health/ready": self._ready,
        }

    async def _live(self) -> _Answer:
        return _show(await health.report(LIVE, LIVE))

    async def _ready(self) -> _Answer:
        return _show(await health.report(READY, self._needed))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a request, or hand it on."""
        view = self._views.get(scope.get("path", "")) if scope["type"] == "http" else None
        if view is None:
            await self._application(scope, receive, send)
            return
        answer: _Answer | None = _Answer(405, "text/plain", b"", {"Allow": ", ".join(METHODS)})
        if scope["method"] in METHODS:
            answer = await view()
        if answer is None:
            answer = _Answer(404, "text/plain", b"METRICS is False.")
        body = b"" if scope["method"] == "HEAD" else answer.body
        headers = {
            **answer.headers,
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
        }
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})
