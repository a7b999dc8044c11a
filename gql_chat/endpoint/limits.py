"""The limits of a request: depth, aliases, tokens and introspection, all from the settings.

Strawberry's own limiters for depth and aliases have two faults. They walk a fragment as often as it
is spread, so fragments that spread each other take exponential time. And they are new rules for
every request, so the cache of validations never has a hit. Here each fragment is walked once, and
the rules are built once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import orjson
from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NameNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
    parse,
)
from strawberry.extensions import (
    AddValidationRules,
    MaxTokensLimiter,
    ParserCache,
    SchemaExtension,
    ValidationCache,
)

from ..conf import chat_settings
from ..errors import Invalid
from ..rates import get_cost

DEEPEST_INPUT = 32
"""How many levels of objects and lists the variables of a request may have."""

INTERNAL = {
    "Mutation": ("open_session", "heartbeat", "close_session"),
    "Subscription": ("events",),
}
"""Fields for the server alone: no client may write a socket's session."""

CACHED = 256
"""How many documents are kept parsed and validated."""

NAME_LENGTH = 100
"""How many characters a name in a document may have."""

ID_LENGTH = 256
"""How many characters the id of an operation on a socket may have."""

_NUL = re.compile(r"\0|\\u0000|\\u\{0+\}")


class _Walk:
    """Measures the selections of a document, each fragment once.

    Attributes:
        fragments: the fragments of the document by name.
    """

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._measured: dict[str, tuple[int, int]] = {}

    def measure(self, selections: SelectionSetNode) -> tuple[int, int]:
        """Return the depth of a selection set, and the number of aliases in it."""
        depth = aliases = 0
        for node in selections.selections:
            inner_depth, inner_aliases = self._measure(node)
            depth, aliases = max(depth, inner_depth), aliases + inner_aliases
        return depth, aliases

    def _measure(self, node: Any) -> tuple[int, int]:
        if isinstance(node, FragmentSpreadNode):
            return self._measure_fragment(node.name.value)
        if isinstance(node, FieldNode) and node.name.value.startswith("__"):
            return 0, 0  # introspection, whose depth GraphQL's own rule limits
        inner = node.selection_set
        depth, aliases = self.measure(inner) if inner is not None else (0, 0)
        if isinstance(node, FieldNode):
            return depth + 1, aliases + (node.alias is not None)
        return depth, aliases

    def _measure_fragment(self, name: str) -> tuple[int, int]:
        if name not in self._measured:
            # GraphQL's own rules refuse a fragment that is unknown, or spreads itself.
            self._measured[name] = (0, 0)
            if name in self._fragments:
                self._measured[name] = self.measure(self._fragments[name].selection_set)
        return self._measured[name]


class SizeRule(ASTValidationRule):
    """Refuses documents that are too deep, or have too many aliases or too long names.

    Args:
        context: of the validation.
        max_depth: how many fields may stand in each other; None for any number.
        max_aliases: how many aliases an operation may have; None for any number. Those of a
            fragment count as often as it is spread.
    """

    def __init__(
        self, context: Any, *, max_depth: int | None = None, max_aliases: int | None = None
    ) -> None:
        super().__init__(context)
        self._max_depth = max_depth
        self._max_aliases = max_aliases
        definitions = context.document.definitions
        self._walk = _Walk(
            {
                node.name.value: node
                for node in definitions
                if isinstance(node, FragmentDefinitionNode)
            }
        )

    def enter_name(self, node: NameNode, *_: Any) -> None:
        """Refuse a long name: an answer repeats it, at every error below it."""
        if len(node.value) > NAME_LENGTH:
            self.report_error(GraphQLError(f"A name has at most {NAME_LENGTH} characters.", node))

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Measure an operation."""
        depth, aliases = self._walk.measure(node.selection_set)
        for what, found, limit in (
            ("levels", depth, self._max_depth),
            ("aliases", aliases, self._max_aliases),
        ):
            if limit is not None and found > limit:
                self.report_error(
                    GraphQLError(f"The operation has {found} {what}; {limit} are allowed.", node)
                )


class InternalFieldsRule(ValidationRule):
    """Refuses the fields that are for the server alone."""

    context: ValidationContext

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Check one field."""
        parent = self.context.get_parent_type()
        if parent is not None and node.name.value in INTERNAL.get(parent.name, ()):
            self.report_error(GraphQLError(f"{node.name.value!r} is not for clients.", node))


class _Text(SchemaExtension):
    """Refuses the character U+0000, which PostgreSQL cannot store."""

    def on_parse(self) -> Iterator[None]:
        """Check the text before it is parsed."""
        if _NUL.search(self.execution_context.query or ""):
            raise Invalid("The character U+0000 is not allowed.")
        yield


def extensions() -> Sequence[Any]:
    """Return the extensions that enforce the limits of the settings."""
    rules: list[Any] = [
        partial(
            SizeRule,
            max_depth=chat_settings.GRAPHQL_MAX_DEPTH,
            max_aliases=chat_settings.GRAPHQL_MAX_ALIASES,
        ),
        InternalFieldsRule,
    ]
    if not chat_settings.GRAPHQL_INTROSPECTION:
        rules.append(NoSchemaIntrospectionCustomRule)
    kept: list[Any] = [_Text, partial(AddValidationRules, rules)]
    if chat_settings.GRAPHQL_MAX_TOKENS is not None:
        kept.append(partial(MaxTokensLimiter, chat_settings.GRAPHQL_MAX_TOKENS))
    return [*kept, partial(ParserCache, CACHED), partial(ValidationCache, CACHED)]


def check_variables(variables: Any) -> None:
    """Refuse variables that are nested too deeply, or have the character U+0000 in them.

    Raises:
        Invalid: the variables are refused.
    """
    level: list[Any] = [variables]
    for _ in range(DEEPEST_INPUT + 2):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += value.keys()
                deeper += value.values()
            elif isinstance(value, list):
                deeper += value
            elif isinstance(value, str) and "\0" in value:
                raise Invalid({"variables": "The character U+0000 is not allowed."})
        if not deeper:
            return
        level = deeper
    raise Invalid({"variables": f"At most {DEEPEST_INPUT} levels are allowed."})


def count_events(query: str, variables: Any, operation_name: str | None) -> int:
    """Return as how many events of the user a request counts.

    On a socket each event is a frame of its own. Here each field of the operation is one, whatever
    its alias. Beyond that a request counts by its size, as a frame does.

    Args:
        query: the text of the document.
        variables: the values of its variables, as they came.
        operation_name: which operation of the document runs; None for the only one.
    """
    size = len(query) + (len(orjson.dumps(variables, default=str)) if variables else 0)
    return (
        get_cost(size) + _count_fields(query, operation_name, chat_settings.GRAPHQL_MAX_TOKENS) - 1
    )


@lru_cache(CACHED)
def _count_fields(query: str, operation_name: str | None, max_tokens: int | None) -> int:
    """Return how many fields an operation has: at least 1, also where nothing of it can run."""
    try:
        document = parse(query, no_location=True, max_tokens=max_tokens)
    except (GraphQLError, RecursionError):
        return 1
    fragments = {
        node.name.value: node.selection_set
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    counts = [
        len(_find_keys(node.selection_set, fragments))
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (not operation_name or (node.name is not None and node.name.value == operation_name))
    ]
    return max([1, *counts])


def _find_keys(selections: SelectionSetNode, fragments: dict[str, SelectionSetNode]) -> set[str]:
    """Return the keys of the result that selections have: fields of one key run once."""
    keys: set[str] = set()
    spread: set[str] = set()
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                keys.add((node.alias or node.name).value)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                if node.name.value in fragments:
                    waiting.append(fragments[node.name.value])
    return keys
