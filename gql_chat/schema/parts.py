"""The parts of the schema: one for each noun of the table.

A noun or a feature may also bring fields to types of other nouns. They carry its mark
(`brought_by`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from strawberry.types.field import StrawberryField

from ..nouns import find_nouns, has_part

_PART = "gql_chat.part"


@dataclass(frozen=True, slots=True)
class Part:
    """What a noun brings to the schema.

    Attributes:
        queries, mutations: Strawberry types, whose fields are those of the roots.
        events: the types of its events.
    """

    queries: tuple[type, ...]
    mutations: tuple[type, ...]
    events: tuple[type, ...]


def parts() -> list[Part]:
    """Return the parts of the nouns that the chat has, in the order of the table."""
    found = []
    for noun in find_nouns():
        module = import_module(noun.schema)
        found.append(Part(module.QUERIES, module.MUTATIONS, module.EVENTS))
    return found


def brought_by(*needed: str) -> dict[str, tuple[str, ...]]:
    """Say which nouns or features bring a field to a type of another noun, as its `metadata`.

    A chat without one of them has no such field: `Message.reactions` goes with the noun
    `reactions`, `MessagesDeleted.deleted_by` with the feature `erasure`, and
    `Message.reactions_count` with the noun `reactions` as with the feature `pages`.
    """
    return {_PART: needed}


def is_brought(field: StrawberryField) -> bool:
    """Tell whether the chat has what brings a field. A noun's own fields have no mark."""
    return all(map(has_part, field.metadata.get(_PART, ())))
