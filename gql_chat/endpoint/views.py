"""The endpoint over HTTP: queries and mutations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from cross_web import HTTPException
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.utils.decorators import classonlymethod
from strawberry.django.views import AsyncGraphQLView
from strawberry.types.execution import PreExecutionError

from ..conf import chat_settings
from ..errors import (
    ChatError,
    Invalid,
    NotAuthenticated,
    PermissionDenied,
    RateLimited,
    excerpt,
)
from ..json_values import has_too_many
from .access import Caller
from .schema import get_schema, get_threads

ACT_AS_HEADER = "X-Chat-Act-As"
"""The header that names the user on whose behalf a request is made."""

_STATUS = {NotAuthenticated.code: 401, PermissionDenied.code: 403, RateLimited.code: 429}


class ChatGraphQLView(AsyncGraphQLView[Caller, None]):
    """Answers queries and mutations; with DEBUG it shows GraphiQL to browsers.

    Mount it with `path("chat/graphql/", ChatGraphQLView.as_view())`. A query may come by GET or
    POST, a mutation by POST alone, as JSON. Django's middleware checks POSTs against CSRF.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"schema": get_schema(), "subscription_protocols": (), **options})

    @classonlymethod
    def as_view(cls, **options: Any) -> Callable[..., HttpResponse]:  # noqa: N805
        """Return the view."""
        view: Any = super().as_view(**options)
        # Requests run on our own threads, each event in its own transaction. A transaction around
        # the view would contain none of them, and Django refuses one around a coroutine.
        for alias in settings.DATABASES:
            view = transaction.non_atomic_requests(alias)(view)
        return view  # type: ignore[no-any-return]

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Answer a request, if it is not too large."""
        self.graphql_ide = "graphiql" if settings.DEBUG else None
        limit = chat_settings.GRAPHQL_MAX_BODY_BYTES
        if limit is not None and _is_larger(request, limit):
            return _refuse(Invalid(f"At most {limit} bytes are allowed."), 413)
        response: HttpResponseBase = await super().dispatch(request, *args, **kwargs)
        if isinstance(response, HttpResponse) and response.headers["Content-Type"] == "text/plain":
            # Strawberry's answer to a malformed request repeats names of any length.
            response.content = excerpt(response.content.decode()).encode()
        return response

    async def get_context(self, request: HttpRequest, response: HttpResponse) -> Caller:
        """Return the caller who makes the request."""
        return await get_threads().run(_find_caller, request)

    async def execute_operation(self, *args: Any, **options: Any) -> Any:
        """Execute a request; a refused one is answered with the HTTP status of the refusal."""
        result = await super().execute_operation(*args, **options)
        if isinstance(result, PreExecutionError) and result.errors:
            code = (result.errors[0].extensions or {}).get("code", 0)
            options["sub_response"].status_code = _STATUS.get(code, 400)
        return result

    async def render_graphql_ide(self, request: HttpRequest) -> HttpResponse:
        """Show GraphiQL to users who may use the endpoint."""
        try:
            await get_threads().run(lambda: _find_caller(request).enter())
        except ChatError as problem:
            return _refuse(problem, _STATUS.get(problem.code, 400))
        get_token(request)  # GraphiQL sends the cookie's token with its requests
        return await super().render_graphql_ide(request)

    def parse_json(self, data: str | bytes) -> Any:
        """Read a request: one JSON object."""
        content = super().parse_json(data)
        if not isinstance(content, dict):
            raise HTTPException(400, "A request is a JSON object.")
        return content

    def decode_json(self, data: str | bytes) -> object:
        """Read JSON as strictly as the socket does: no NaN, no half of a surrogate pair."""
        if has_too_many(data):
            raise HTTPException(400, f"At most {chat_settings.MAX_FRAME_ELEMENTS} values.")
        return orjson.loads(data)


def _find_caller(request: Any) -> Caller:
    act_as = request.headers.get(ACT_AS_HEADER)
    return Caller.of(getattr(request, "user", None), act_as=act_as)


def _is_larger(request: HttpRequest, limit: int) -> bool:
    announced = request.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        return True
    return request.method == "POST" and len(request.body) > limit


def _refuse(problem: ChatError, status: int) -> JsonResponse:
    error = {"message": problem.sentence, "extensions": problem.extensions}
    return JsonResponse({"data": None, "errors": [error]}, status=status)
