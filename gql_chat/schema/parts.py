"""The parts of the schema: one for each noun of the table."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from ..nouns import find_nouns


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
