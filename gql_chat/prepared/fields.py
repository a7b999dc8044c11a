"""Fields of the schema's types that cost little to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from strawberry.types.field import StrawberryField

_READ = "gql_chat.read"


class DerivedField(StrawberryField):
    """A field whose value a function reads off the object, and off nothing else.

    Strawberry prepares arguments, an `Info` and extensions for every call of a resolver. A
    function of the object alone needs none of them, so the field counts as one without a
    resolver, which is read as directly as an attribute.
    """

    @property
    def read(self) -> Callable[[Any], Any]:
        """The function."""
        function: Callable[[Any], Any] = self.metadata[_READ]
        return function

    def get_result(self, source: Any, info: Any, args: Any, kwargs: Any) -> Any:
        """Return what the function reads off `source`."""
        return self.read(source)


def derived(
    read: Callable[[Any], Any],
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """Return a field with the value of `read(object)`; its type is the annotation beside it."""
    return DerivedField(metadata={**(metadata or {}), _READ: read}, description=description)
