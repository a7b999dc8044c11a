"""GraphQL documents that are parsed and validated once, and executed many times.

`strawberry.Schema.execute_sync` takes text, and validating it costs ten times what executing
it does; so graphql-core parses and validates a prepared document once and coerces its variables
each time, and a plan (`plans`) calls the resolvers. Schema extensions, which serve requests of
unknown text, do not run for them.
"""

from __future__ import annotations

from typing import Any, cast

from graphql import (
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Undefined,
    get_variable_values,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues

from .. import streams
from ..errors import ChatError, Invalid
from ..prepared.counts import Counts
from ..prepared.plans import Planner
from ..prepared.scopes import Scope
from ..prepared.validation import describe
from ..streams import Envelope

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
        Unplannable: what it asks for cannot be prepared (`plans`).
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
        self._signatures = signatures
        self._counts = [(signature.name, Counts(signature.type)) for signature in signatures]
        self.writes = self._operation.operation is OperationType.MUTATION
        self._planner = Planner(schema, self.node)
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

        Raises:
            Invalid: one has the wrong type.
        """
        definitions = self._operation.variable_definitions or ()
        # One error is enough: the code below names the problems by field.
        coerced = get_variable_values(self.schema, definitions, variables, max_errors=1)
        if not isinstance(coerced, list):
            return coerced
        problems: dict[str, Any] = {}
        for definition, signature in zip(definitions, self._signatures, strict=True):
            value = variables.get(signature.name, Undefined)
            if value is not Undefined or definition.default_value is None:
                for path, problem in describe(signature.type, value).items():
                    problems.setdefault(path, problem)
        if problems:
            raise Invalid(problems)
        raise coerced[0]

    def perform(
        self, variables: dict[str, Any] | None = None, *, context: Any = None
    ) -> tuple[dict[str, Any], list[Envelope]]:
        """Execute the operation as one event: what a mutation writes is one transaction.

        Where the database breaks that off for another one, it is executed again.

        Returns:
            The data, and the envelopes that were committed, for the caller to publish.

        Raises:
            NotAuthenticated: the account is gone or was deactivated: whatever else is wrong, the
                user is told no more than that.
            Invalid, Exception: as `execute` does; then nothing was stored.
        """

        def execute() -> dict[str, Any]:
            if context is not None:
                context.begin()
            return self.execute(variables, context=context)

        with streams.capture() as envelopes:
            try:
                data = streams.run(execute) if self.writes else execute()
            except ChatError:
                if context is not None:
                    context.check_account()
                raise
        return data, envelopes
