"""GraphQL documents that are parsed and validated once, and executed many times.

`strawberry.Schema.execute_sync` takes text, and validating it costs ten times what executing
it does; so graphql-core parses and validates a prepared document once and coerces its variables
each time, and a plan (`plans`) calls the resolvers. Schema extensions, which serve requests of
unknown text, do not run for them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, cast

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Undefined,
    get_variable_values,
    parse,
    specified_rules,
    type_from_ast,
    validate,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.utilities import validate_input_value

from .. import streams
from ..errors import Invalid, shorten
from ..streams import Envelope
from .coercion import coercer
from .counts import Counts
from .plans import Planner, Scope

_MISSING = re.compile(r"to include required field '(\w+)'")
_UNKNOWN = re.compile(r"not to include unknown field '(.+?)', found")
_NULL = re.compile(r"^Expected value of non-null type '.+' not to be None\.$")

# A prepared document selects the fields of each type by itself, and nobody reads its answer by one
# type for all: what projects' types call alike need not be alike.
_RULES = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]


_PROBLEMS = 50
"""How many problems of one event are looked for."""


class _Enough(Exception):
    """As many problems are known as a client is told."""


class Document:
    """A prepared document with one operation.

    Args:
        schema: the schema it is for.
        text: the document.

    Attributes:
        node: the document, parsed.
        writes: whether it is a mutation.

    Raises:
        GraphQLError: the text does not parse, or does not fit the schema.
    """

    def __init__(self, schema: GraphQLSchema, text: str) -> None:
        self.schema = schema
        self.text = text
        self.node = parse(text)
        problems = validate(schema, self.node, _RULES)
        if problems:
            raise problems[0]
        (self._operation,) = (
            node for node in self.node.definitions if isinstance(node, OperationDefinitionNode)
        )
        signatures = [
            cast(GraphQLVariableSignature, get_variable_signature(schema, definition))
            for definition in self._operation.variable_definitions or ()
        ]
        self._variables = [(signature, coercer(signature.type)) for signature in signatures]
        self._counts = [(signature.name, Counts(signature.type)) for signature in signatures]
        self.writes = self._operation.operation is OperationType.MUTATION
        self._planner = Planner(schema, self._operation)
        self._plan = self._planner.plan()

    def execute(
        self, variables: dict[str, Any] | None = None, *, root: Any = None, context: Any = None
    ) -> dict[str, Any]:
        """Execute the operation and return its data.

        Raises:
            Invalid: a variable has the wrong type; the detail names the field.
            Exception: whatever a resolver raised, as it was.
        """
        self._count(variables or {})
        coerced = self._coerce(variables or {})
        data: dict[str, Any] = self._plan(root, Scope(root, context, coerced))
        return data

    def _count(self, variables: dict[str, Any]) -> None:
        """Refuse lists that are too long, before anything costs by the item."""
        for name, counts in self._counts:
            counts.check(variables.get(name))

    def _coerce(self, variables: dict[str, Any]) -> VariableValues:
        """Return the variables as resolvers take them.

        graphql-core looks at those that do not simply fit, and says what is wrong.
        """
        sources, coerced = {}, {}
        for signature, coerce in self._variables:
            value = variables.get(signature.name, Undefined)
            fit = Undefined if value is Undefined else coerce(value)
            if fit is Undefined:
                return self._judge(variables)
            sources[signature.name] = VariableValueSource(signature, value)
            coerced[signature.name] = fit
        return VariableValues(sources, coerced)

    def _judge(self, variables: dict[str, Any]) -> VariableValues:
        definitions = self._operation.variable_definitions or ()
        # One error says that something is wrong; a client may have sent thousands.
        coerced = get_variable_values(
            self.schema, definitions, variables, max_errors=1, hide_suggestions=True
        )
        if isinstance(coerced, list):
            raise self._refusal(variables, coerced[0])
        return coerced

    def perform(
        self, variables: dict[str, Any] | None = None, *, context: Any = None
    ) -> tuple[dict[str, Any], list[Envelope]]:
        """Execute the operation as one event: what a mutation writes is one transaction.

        Returns:
            The data, and the envelopes that were committed, for the caller to publish.

        Raises:
            Invalid, Exception: as `execute` does; then nothing was stored.
        """
        with streams.capture() as envelopes:
            if self.writes:
                with streams.transaction():
                    data = self.execute(variables, context=context)
            else:
                data = self.execute(variables, context=context)
        return data, envelopes

    def _refusal(self, variables: dict[str, Any], error: GraphQLError) -> Exception:
        """Return what is wrong with the variables."""
        problems = self._input_problems(variables)
        return Invalid(problems) if problems else error

    def _input_problems(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what is wrong with the variables, by the path of each field."""
        problems: dict[str, Any] = {}

        def note(error: GraphQLError, path: list[str | int]) -> None:
            if len(problems) >= _PROBLEMS:
                raise _Enough
            message = error.message
            # graphql-core reports what is missing or unknown at the object around it.
            if match := _MISSING.search(message):
                path, message = [*path, match[1]], "This field is required."
            elif match := _UNKNOWN.search(message):
                path, message = [*path, match[1]], "There is no such field, or it is not yours."
            elif _NULL.search(message):
                message = "This field must not be null."
            problems.setdefault(".".join(str(step) for step in path) or "data", shorten(message))

        with suppress(_Enough):
            for definition in self._operation.variable_definitions or ():
                expected: Any = type_from_ast(self.schema, definition.type)
                value = variables.get(definition.variable.name.value, Undefined)
                validate_input_value(value, expected, note, hide_suggestions=True)
        return problems
