"""The schema as the endpoint runs it: within limits, on database threads, with errors masked."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from functools import cache, partial
from typing import Any, cast

from django.core.signals import setting_changed
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from .. import rates, streams
from ..conf import SETTING, building, chat_settings
from ..errors import ChatError, Invalid, excerpt
from ..prepared.counts import count_arguments
from ..schema import Context
from ..schema.build import ChatSchema, build_whole_schema
from ..schema.stored import StoredFields
from ..sql.threads import DatabaseThreads
from ..streams import Envelope
from ..streams.workers import make_readers
from . import audit, limits
from .access import Caller
from .presence import follow_presence
from .subscribers import Subscriber

AT_ONCE = frozenset({OperationType.QUERY, OperationType.MUTATION})
"""The operations that have one result."""

_SUGGESTION = re.compile(r" Did you mean [^?]*\?")


@cache
def get_threads() -> DatabaseThreads:
    """Return the database threads of the endpoint, the same for all event loops of a process."""
    return make_readers()


@cache
def get_schema() -> EndpointSchema:
    """Return the endpoint's schema, of the same types as that of the socket.

    The limits are parts of the schema, so it is built again when the settings change.
    """
    with building:
        schema = build_whole_schema(EndpointSchema, [*limits.extensions(), StoredFields])
        count_arguments(schema._schema)
        return schema


class EndpointSchema(ChatSchema):
    """Runs operations that come as text.

    Queries and mutations run on a database thread; each field of a mutation is one event. Committed
    envelopes are published before the result goes back. A subscription runs on the event loop, and
    uses a database thread only to read the log.

    `context_value` is the `Caller`: every operation checks the caller's rights again.
    """

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Execute a query or a mutation.

        Raises:
            MissingQueryError: there is no text.
            CannotGetOperationTypeError: it has no operation, or not the one that is asked for.
            InvalidOperationTypeError: the operation is not allowed here.
        """
        allowed = AT_ONCE.intersection(allowed_operation_types or AT_ONCE)
        caller = cast("Caller", context_value)
        run = partial(self._perform, query, variable_values, operation_name, allowed)
        outcome, envelopes = await get_threads().run(run, caller)
        if isinstance(outcome, Context):
            raise InvalidOperationTypeError(OperationType.SUBSCRIPTION)
        await _publish(envelopes)
        return outcome

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> Any:
        """Execute any operation; the results are an asynchronous generator."""
        caller = cast("Caller", context_value)
        return self._stream_results(query, variable_values, operation_name, caller)

    async def _stream_results(
        self, query: str | None, variables: Any, operation_name: str | None, caller: Caller
    ) -> AsyncGenerator[ExecutionResult, None]:
        run = partial(self._perform, query, variables, operation_name, AT_ONCE)
        try:
            outcome, envelopes = await get_threads().run(run, caller)
        except (MissingQueryError, CannotGetOperationTypeError):
            yield _refuse(Invalid({"query": "Name an operation of the document."}))
            return
        if not isinstance(outcome, Context):
            await _publish(envelopes)
            yield _as_refusal(outcome)
            return
        context = outcome
        context.follow = partial(self._subscribe, caller)
        context.look = partial(follow_presence, caller, get_threads())
        results: Any = await super().stream(
            query,
            variable_values=variables,
            context_value=context,
            operation_name=operation_name,
            allowed_operation_types={OperationType.SUBSCRIPTION},
        )
        try:
            async for result in results:
                yield _masked(result)
        finally:
            await results.aclose()

    def _subscribe(
        self, caller: Caller, stream: str, after: int | None
    ) -> AsyncGenerator[Envelope, None]:
        return Subscriber(caller, get_threads()).frames(stream, after)

    def _perform(
        self,
        query: str | None,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        allowed: Iterable[OperationType],
        caller: Caller,
    ) -> tuple[ExecutionResult | Context, list[Envelope]]:
        """Run a query or a mutation.

        Returns:
            The result, or the context of a subscription, which has not begun yet; and the
            committed envelopes.
        """
        with streams.capture() as envelopes:
            try:
                limits.check_variables(variables)
                context = caller.enter()
                count = limits.count_events(query or "", variables, operation_name)
                rates.get_budget(caller.user_id).spend(count)
                audit.note(context, self._schema, query, variables, operation_name)
            except Exception as error:
                return _refuse(_explain(error)), envelopes
            try:
                result = self.execute_sync(
                    query,
                    variable_values=variables,
                    context_value=context,
                    operation_name=operation_name,
                    allowed_operation_types=allowed,
                )
            except InvalidOperationTypeError as error:
                if error.operation_type is OperationType.SUBSCRIPTION:
                    return context, envelopes
                raise
        return _masked(result), envelopes

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log nothing: the exception handler logs the errors that matter."""


def _masked(result: ExecutionResult) -> ExecutionResult:
    """Reduce every error to the code and the detail that the socket would send."""
    if result.errors:
        result.errors = [_mask(error) for error in result.errors]
    return result


def _mask(error: GraphQLError) -> GraphQLError:
    cause = _find_cause(error)
    problem = _explain(cause) if cause is not None else Invalid(_shown(error.message))
    return _to_graphql(problem, error)


def _shown(message: str) -> str:
    """Return a message of GraphQL's; without introspection it suggests no names."""
    shown = message if chat_settings.GRAPHQL_INTROSPECTION else _SUGGESTION.sub("", message)
    return excerpt(shown)


def _find_cause(error: GraphQLError) -> BaseException | None:
    """Return the error that a resolver raised; None if GraphQL refuses the request itself."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    # The error of a scalar that refused a value has nodes of the document, but no path of a result.
    refused = error.path is None and error.nodes is not None
    return None if refused and not isinstance(cause, ChatError) else cause


def _explain(error: BaseException) -> ChatError:
    problem: ChatError = chat_settings.load("EXCEPTION_HANDLER_CLASS")().handle(error)
    return problem


def _to_graphql(problem: ChatError, error: GraphQLError | None = None) -> GraphQLError:
    return GraphQLError(
        problem.sentence,
        nodes=error.nodes if error is not None else None,
        source=error.source if error is not None else None,
        positions=error.positions if error is not None else None,
        path=error.path if error is not None else None,
        extensions=problem.extensions,
    )


def _refuse(problem: ChatError) -> PreExecutionError:
    return PreExecutionError(data=None, errors=[_to_graphql(problem)])


def _as_refusal(result: ExecutionResult) -> ExecutionResult:
    """Mark a result of which nothing ran: over a socket it is sent as an `error` message."""
    if result.data is None and all(error.path is None for error in result.errors or ()):
        return PreExecutionError(data=None, errors=result.errors)
    return result


async def _publish(envelopes: list[Envelope]) -> None:
    if not envelopes:
        return
    for subscriber in streams.subscribers():
        subscriber(envelopes)
    if streams.reaches_other_processes():
        await streams.send_to_layer(envelopes)


def _rebuild_on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        get_schema.cache_clear()


setting_changed.connect(_rebuild_on_change, dispatch_uid="gql_chat.endpoint")
