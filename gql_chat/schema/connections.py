"""Connections: long lists in pages, each page found by the place where the last one ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import strawberry
import strawberry_django
from strawberry import relay
from strawberry.types.nodes import SelectedField
from strawberry_django.relay import (
    DjangoCursorConnection,
    DjangoCursorEdge,
    OrderedCollectionCursor,
    apply_cursor_pagination,
)

from ..conf import chat_settings
from ..errors import Invalid
from ..models.weights import find_texts, octets_of_text
from ..sizes import cut

Resolver = TypeVar("Resolver", bound=Callable[..., Any])

RECORD = 300
"""What a record has around its texts."""

DEFAULT_SIZE = 100
"""How many records a page holds where neither the client nor `MAX_PAGE_SIZE` says."""


@strawberry.type(name="Connection", description="A page of a list.")
class RecordConnection(DjangoCursorConnection[relay.NodeType]):
    """A page of records, the same cost however deep in the list.

    It differs from its base in that a page is never without a limit, that a wrong argument is
    an error that names it, and that `page_info` knows of both sides.
    """

    @classmethod
    def resolve_connection(
        cls,
        nodes: Any,
        *,
        info: strawberry.Info,
        before: str | None = None,
        after: str | None = None,
        first: int | None = None,
        last: int | None = None,
        max_results: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return the page that the arguments ask for.

        Raises:
            Invalid: naming the argument that is wrong.
        """
        size = _page_size(first, last)
        forward = last is None
        try:
            page, descriptors = apply_cursor_pagination(
                nodes,
                info=info,
                before=_check_text("before", before),
                after=_check_text("after", after),
                first=size if forward else None,
                last=None if forward else size,
                max_results=size,
            )
            budget = info.context.budget
            rows, weight, is_cut = _read(page, budget.find_limit(), size, _find_texts(info, nodes))
            budget.spend(weight)
        except (ValueError, OverflowError):
            if before is None and after is None:
                raise
            name = "after" if after is not None else "before"
            raise Invalid({name: "This is no cursor of this list."}) from None
        shown = rows[:size] if forward else rows[:size][::-1]
        edges = [
            DjangoCursorEdge.resolve_edge(
                cls.resolve_node(row, info=info, **kwargs),
                cursor=OrderedCollectionCursor.from_model(row, descriptors),
            )
            for row in shown
        ]
        more = is_cut or len(rows) > size
        return cls(
            edges=edges,
            total_count_qs=nodes,
            page_info=relay.PageInfo(
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
                has_previous_page=after is not None if forward else more,
                has_next_page=more if forward else before is not None,
            ),
        )


def _read(
    page: Any, limit: int | None, size: int, texts: Sequence[str]
) -> tuple[list[Any], int, bool]:
    """Read the rows of a page, as many as fit into an answer, and one more if there is one.

    Args:
        page: finds the rows.
        limit: how many bytes they may have together; None for any number.
        size: how many the page has at most.
        texts: the columns that may be long, and are asked for.

    Returns:
        The rows; what they weigh, about; and whether some that were wanted do not fit.
    """
    if limit is None or not texts:
        rows = list(page)
        return rows, RECORD * len(rows[:size]), False
    weights = [
        sum(sizes) + RECORD for sizes in page.values_list(*map(octets_of_text, texts))[:size]
    ]
    count = cut(weights, limit)
    is_cut = count < len(weights)
    return list(page[:count] if is_cut else page), sum(weights[:count]), is_cut


def _find_texts(info: Any, nodes: Any) -> list[str]:
    """Return the columns of the records that may be long, and that the document asks for."""
    asked: set[str] = set()
    level = list(info.selected_fields)
    while level:
        asked.update(field.name for field in level if isinstance(field, SelectedField))
        level = [inner for field in level for inner in field.selections]
    return [name for name in find_texts(nodes.model)[0] if name in asked]


def connection(record: type) -> Callable[[Resolver], Resolver]:
    """Return what turns a resolver of records into a connection of them.

    The resolver returns a queryset with an order. `record` is the type of a record.
    """
    page: Any = RecordConnection
    decorate: Callable[[Resolver], Resolver] = strawberry_django.connection(page[record])
    return decorate


def _page_size(first: int | None, last: int | None) -> int:
    if first is not None and last is not None:
        raise Invalid({"last": "Name first or last, not both."})
    for name, number in (("first", first), ("last", last)):
        if number is not None and number < 1:
            raise Invalid({name: "A whole number from 1 up is needed."})
    limit = chat_settings.MAX_PAGE_SIZE or 0
    asked = first or last or limit or DEFAULT_SIZE
    return min(asked, limit) if limit else asked


def _check_text(name: str, value: str | None) -> str | None:
    if value is not None and "\0" in relay.from_base64(value)[1]:
        raise ValueError(name)
    return value
