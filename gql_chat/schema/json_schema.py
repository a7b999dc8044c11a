"""JSON Schemas (draft 7) of what the schema's operations take and give.

They follow the schema and the selections that are run, so a project's own types and fields
are in them. A field itself says what GraphQL cannot say of it: see `keywords`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_required_input_field,
    parse,
    print_ast,
)

from ..prepared.selection import select_all
from .scalars import JSON_SCHEMAS

JsonSchema = dict[str, Any]

NULL: JsonSchema = {"type": "null"}

_KEYWORDS = "json_schema"


def keywords(**words: Any) -> dict[str, Any]:
    """Say by keywords of JSON Schema what GraphQL cannot say of a field, as the field's `metadata`.

    Args:
        words: keywords beside the field's type (`maxLength=64`). With `const` or `type` they
            stand in its place. A function is called when the schema is written; where it
            returns None the keyword is left out.
    """
    return {_KEYWORDS: words}


def words_of(field: GraphQLField | GraphQLInputField) -> JsonSchema:
    """Return the keywords that are said of a field (`keywords`)."""
    definition = field.extensions.get("strawberry-definition")
    words = getattr(definition, "metadata", {}).get(_KEYWORDS, {})
    found = {name: word() if callable(word) else word for name, word in words.items()}
    return {name: word for name, word in found.items() if word is not None}


def nullable(shape: JsonSchema) -> JsonSchema:
    """Return the schema of what may also be null."""
    return {"anyOf": [shape, NULL]}


def any_of(shapes: list[JsonSchema]) -> JsonSchema:
    """Return the schema of what is one of these."""
    different = [shape for place, shape in enumerate(shapes) if shape not in shapes[:place]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def object_of(
    properties: Mapping[str, JsonSchema],
    *,
    required: list[str] | None = None,
    description: str = "",
) -> JsonSchema:
    """Return the schema of an object with these properties and no others.

    Args:
        properties: the schema of each.
        required: which of them are always there; all, where this is left out.
        description: what the object is.
    """
    shape: JsonSchema = {"type": "object"}
    if description:
        shape["description"] = description
    shape["properties"] = dict(properties)
    shape["required"] = list(properties) if required is None else required
    if not shape["required"]:
        del shape["required"]
    return {**shape, "additionalProperties": False}


class Shapes:
    """JSON Schemas of inputs and results, with a definition for each type.

    Args:
        schema: the schema that the types are of.
        bare: names of list fields of inputs in which an item may stand without its list.

    Attributes:
        definitions: the definitions that the returned schemas refer to, by name.
    """

    def __init__(self, schema: GraphQLSchema, bare: frozenset[str] = frozenset()) -> None:
        self.schema = schema
        self.definitions: dict[str, JsonSchema] = {}
        self._bare = bare
        self._wholes: dict[str, list[str]] = {}
        self._inputs: set[str] = set()

    def define(self, name: str, shape: JsonSchema) -> JsonSchema:
        """Keep a definition and return the reference to it.

        Raises:
            ValueError: there is another one of that name.
        """
        if self.definitions.setdefault(name, shape) != shape:
            raise ValueError(f"There are two different definitions of {name}.")
        return _refer(name)

    def of_property(self, shape: JsonSchema, name: str) -> JsonSchema:
        """Return the schema of a property of an object, which may be a reference."""
        name_of = shape.get("$ref", "").rpartition("/")[2]
        found: JsonSchema = self.definitions.get(name_of, shape)["properties"][name]
        return found

    # Results

    def of_result(self, found: GraphQLOutputType, selection: str, part: str = "") -> JsonSchema:
        """Return the schema of a result, or of a part of it.

        Args:
            found: the result's type.
            selection: what is selected of it; empty for a leaf.
            part: the field of the result that is meant, where it is not null.
        """
        if not part:
            return self._result(found, _parse(selection))
        kind = get_named_type(found)
        assert isinstance(kind, GraphQLObjectType)
        (node,) = (node for node in self._nodes(kind, _parse(selection)) if _name(node) == part)
        return self._given(get_nullable_type(kind.fields[part].type), node.selection_set)

    def fields_of(self, found: GraphQLObjectType, selection: str) -> dict[str, JsonSchema]:
        """Return the schemas of the fields that are selected of an object."""
        return self._fields(found, _parse(selection))

    def _result(self, found: GraphQLOutputType, selection: SelectionSetNode | None) -> JsonSchema:
        if isinstance(found, GraphQLNonNull):
            return self._given(found.of_type, selection)
        return nullable(self._given(found, selection))

    def _given(self, found: Any, selection: SelectionSetNode | None) -> JsonSchema:
        if isinstance(found, GraphQLList):
            return {"type": "array", "items": self._result(found.of_type, selection)}
        if selection is None:
            return _leaf(found)
        if isinstance(found, GraphQLObjectType):
            return self._object(found, selection)
        assert is_abstract_type(found)
        concrete = self.schema.get_possible_types(found)
        union = any_of([self._object(one, selection) for one in concrete])
        if all("$ref" in shape for shape in union.get("anyOf", ())):
            return self.define(found.name, {**_described(found), **union})
        return union

    def _object(self, found: GraphQLObjectType, selection: SelectionSetNode) -> JsonSchema:
        shape = object_of(self._fields(found, selection), description=found.description or "")
        if self._selected(found, selection) == self._whole(found):
            return self.define(found.name, shape)
        return shape

    def _fields(
        self, found: GraphQLObjectType, selection: SelectionSetNode | None
    ) -> dict[str, JsonSchema]:
        fields = {}
        for node in self._nodes(found, selection):
            field = found.fields[_name(node)]
            fields[_name(node)] = _refined(self._result(field.type, node.selection_set), field)
        return fields

    def _whole(self, found: GraphQLObjectType) -> list[str]:
        """Return what is selected of an object where all of it is."""
        if found.name not in self._wholes:
            selection = _parse(select_all(self.schema, found.name))
            self._wholes[found.name] = self._selected(found, selection)
        return self._wholes[found.name]

    def _nodes(
        self, found: GraphQLObjectType, selection: SelectionSetNode | None
    ) -> Iterator[FieldNode]:
        """Yield the fields that are selected of an object, in fragments on its type too."""
        for node in selection.selections if selection is not None else ():
            if isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._is(found, condition.name.value):
                    yield from self._nodes(found, node.selection_set)
            elif isinstance(node, FieldNode):
                yield node

    def _is(self, found: GraphQLObjectType, name: str) -> bool:
        other: Any = self.schema.type_map[name]
        return found is other or (is_abstract_type(other) and self.schema.is_sub_type(other, found))

    def _selected(self, found: GraphQLObjectType, selection: SelectionSetNode | None) -> list[str]:
        return [print_ast(node) for node in self._nodes(found, selection)]

    # Inputs

    def of_input(self, found: GraphQLInputObjectType, leave: frozenset[str]) -> JsonSchema:
        """Return the schema of an input object, itself no definition.

        Args:
            found: its type.
            leave: names of fields that are left out.
        """
        fields = {name: field for name, field in found.fields.items() if name not in leave}
        return object_of(
            {name: self._input_field(name, field) for name, field in fields.items()},
            required=[name for name, field in fields.items() if is_required_input_field(field)],
            description=found.description or "",
        )

    def _input_field(self, name: str, field: GraphQLInputField) -> JsonSchema:
        found = field.type
        item = found.of_type if isinstance(found, GraphQLNonNull) else found
        if name in self._bare and isinstance(item, GraphQLList):
            # The field's keywords are about the list.
            shape = any_of([self._input(item.of_type), {**self._taken(item), **words_of(field)}])
            shape = _described_by(field, shape if item is not found else nullable(shape))
        else:
            shape = _refined(self._input(found), field)
        if field.default_value is not Undefined and isinstance(
            field.default_value, str | int | float
        ):
            shape = {**shape, "default": field.default_value}
        return shape

    def _input(self, found: GraphQLInputType) -> JsonSchema:
        if isinstance(found, GraphQLNonNull):
            return self._taken(found.of_type)
        return nullable(self._taken(found))

    def _taken(self, found: Any) -> JsonSchema:
        if isinstance(found, GraphQLList):
            return {"type": "array", "items": self._input(found.of_type)}
        if isinstance(found, GraphQLInputObjectType):
            # An input may lead back to itself: it is described once.
            if found.name not in self._inputs:
                self._inputs.add(found.name)
                self.define(found.name, self.of_input(found, frozenset()))
            return _refer(found.name)
        return _leaf(found)


def _parse(selection: str) -> SelectionSetNode | None:
    if not selection:
        return None
    (definition,) = parse(selection).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition.selection_set


def _refer(name: str) -> JsonSchema:
    return {"$ref": f"#/definitions/{name}"}


def _name(node: FieldNode) -> str:
    return node.name.value


def _leaf(found: GraphQLNamedType) -> JsonSchema:
    if isinstance(found, GraphQLEnumType):
        return {"type": "string", "enum": list(found.values), **_described(found)}
    # Of a scalar of the project's own nothing is known but its name.
    return JSON_SCHEMAS.get(found.name, {"description": found.description or found.name})


def _described(found: GraphQLNamedType) -> JsonSchema:
    return {"description": found.description} if found.description else {}


def _refined(shape: JsonSchema, field: GraphQLField | GraphQLInputField) -> JsonSchema:
    """Return a field's schema with the field's own keywords and description."""
    words = words_of(field)
    if "const" in words or "type" in words:
        shape = words
    elif words and "anyOf" in shape:
        # The keywords are about the value beside null.
        first, *others = shape["anyOf"]
        shape = {"anyOf": [{**first, **words}, *others]}
    else:
        shape = {**shape, **words}
    return _described_by(field, shape)


def _described_by(field: GraphQLField | GraphQLInputField, shape: JsonSchema) -> JsonSchema:
    if field.description and "$ref" not in shape:
        shape = {**shape, "description": field.description}
    return shape
