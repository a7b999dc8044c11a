"""Managers: whether what one returns depends on nothing but what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.db.models import Manager, QuerySet
from django.db.models.sql import Query, UpdateQuery

_WRITERS = ("create", "bulk_create", "get_or_create", "update_or_create", "bulk_update")


class _Empty:
    """Has only the attributes of every class: since Python 3.13 also the line of its code."""


_FREE = {
    *dir(_Empty),
    *_WRITERS,
    *(f"a{name}" for name in _WRITERS),
    "as_manager",
    "deconstruct",
}
"""Names that a class may define anew: they change nothing about which rows are found, nor how."""

_TELLING = {"get_queryset", *vars(QuerySet)} - _FREE
"""Names by which a manager or a queryset computes, if a class of a project's defines them anew."""


def is_plain(manager: Any) -> bool:
    """Tell whether a manager finds all rows of its model, whenever and wherever it is asked.

    Django's own managers do, and the package's; so do those of a project's that only add methods
    to them. One that defines anew how rows are found, or has a queryset that does, may depend on
    the time, the tenant or anything else.

    Args:
        manager: a manager, as `Message.objects`.
    """
    kind: Any = type(manager)
    return "get_queryset" not in vars(manager) and _only_adds(kind)


@cache
def _only_adds(manager: Any) -> bool:
    # Private, and what `get_queryset` makes: tests/unit/test_managers.py notices if it is gone.
    queryset = manager._queryset_class
    return not _defines(manager, Manager, _TELLING) and not _defines(
        queryset, QuerySet, {*_TELLING, "__init__"}
    )


def _defines(found: type, base: type, names: set[str]) -> bool:
    """Tell whether a class defines some names anew, on top of Django's and the package's."""
    added = (each for each in found.__mro__ if each not in base.__mro__)
    return any(
        not each.__module__.startswith("gql_chat.") and not names.isdisjoint(vars(each))
        for each in added
    )


def asks_only_plain(query: Query) -> bool:
    """Tell whether all managers that a query was made with are plain, in its subqueries too.

    A query does not know its managers; those of its models that code asks for are taken for them:
    `objects`, and the default manager.

    Args:
        query: the query of a queryset.
    """
    return all(
        is_plain(manager)
        for model in {each.model for each in _queries(query)}
        for manager in (model._default_manager, getattr(model, "objects", None))
        if manager is not None
    )


def _queries(part: Any) -> Iterator[Any]:
    """Yield a query and those inside it.

    Their parts are private to Django: tests/unit/test_managers.py checks that all are found.
    """
    if isinstance(part, Query):
        yield part
        ordered = (each for each in part.order_by if not isinstance(each, str))
        parts: list[Any] = [
            *part.annotations.values(),
            part.where,
            *part.combined_queries,
            *ordered,
        ]
        if isinstance(part, UpdateQuery):
            parts += [value for _, _, value in part.values]  # type: ignore[attr-defined]
    else:
        parts = part.get_source_expressions() if hasattr(part, "get_source_expressions") else []
    for each in parts:
        yield from _queries(each)
