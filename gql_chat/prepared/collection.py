"""Collection: which fields a document asks for, of each type.

graphql-core does the same for every object (CollectFields in the specification). Conditions that
hang on variables and directives of other kinds are refused, so once is enough here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    print_ast,
)

from .errors import Unplannable

Nodes = list[FieldNode]
"""The places of a document that ask for one field under one name."""


class Collection:
    """Collects fields of a document.

    Args:
        schema: the schema.
        fragments: the document's fragments, by name.
    """

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._schema = schema
        self._fragments = fragments

    def collect(
        self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode]
    ) -> dict[str, Nodes]:
        """Return what is selected of a concrete type, by its name in the answer.

        Raises:
            Unplannable: two fields shall have one name, or something cannot be planned.
        """
        found: dict[str, Nodes] = {}
        for node in self._select(parent, selections, set()):
            nodes = found.setdefault(node.alias.value if node.alias else node.name.value, [])
            nodes.append(node)
            # graphql-core answers such documents with the first; its rule for them is not asked.
            if _asked(node) != _asked(nodes[0]):
                raise Unplannable(
                    f"{parent.name} is asked for {_asked(nodes[0])} and {_asked(node)} under one "
                    "name.",
                    nodes,
                )
        return found

    def _select(
        self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode], spread: set[str]
    ) -> Iterator[FieldNode]:
        """Yield the fields that are selected of a concrete type, each fragment's once."""
        for node in (node for selection in selections for node in selection.selections):
            if not _is_included(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    continue
                spread.add(node.name.value)
                fragment = self._fragments[node.name.value]
            if self._applies(fragment, parent):
                yield from self._select(parent, [fragment.selection_set], spread)

    def _applies(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLObjectType
    ) -> bool:
        if node.type_condition is None or node.type_condition.name.value == parent.name:
            return True
        named = self._schema.type_map[node.type_condition.name.value]
        return isinstance(
            named, GraphQLInterfaceType | GraphQLUnionType
        ) and self._schema.is_sub_type(named, parent)


def selections(nodes: Nodes) -> list[SelectionSetNode]:
    """Return what is selected of a field's value, in all places that ask for it."""
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _asked(node: FieldNode) -> str:
    """Return a field with its arguments, in one order."""
    return f"{node.name.value}({', '.join(sorted(map(print_ast, node.arguments or ())))})"


def _is_included(node: SelectionNode) -> bool:
    """Tell whether a part of a document is asked for, as far as it says so itself.

    Raises:
        Unplannable: a variable or another directive would say.
    """
    included = True
    for directive in node.directives or ():
        name = directive.name.value
        if name not in ("skip", "include"):
            raise Unplannable(f"@{name} cannot be prepared.", directive)
        (condition,) = directive.arguments or ()
        if not isinstance(condition.value, BooleanValueNode):
            raise Unplannable(
                f"@{name} can be prepared with true or false, not with a variable.", directive
            )
        included &= condition.value.value is (name == "include")
    return included
