"""The parts of the schema: one for each noun of the table.

A noun may also bring fields to types of other nouns, which carry its mark (`brought_by`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from strawberry.types.field import StrawberryField

from ..nouns import find_nouns

_NOUN = "gql_chat.noun"


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


def brought_by(noun: str) -> dict[str, str]:
    """Say which noun brings a field to the type of another noun, as the field's `metadata`.

    A chat without that noun has no such field: `Message.reactions` goes with `reactions`.
    """
    return {_NOUN: noun}


def is_brought(field: StrawberryField) -> bool:
    """Tell whether the chat has the noun that brings a field. A noun's own fields have no mark."""
    noun = field.metadata.get(_NOUN)
    return noun is None or any(noun == each.name for each in find_nouns())
