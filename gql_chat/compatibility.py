"""What is there for some versions of a dependency only; each says for which, and why.

All of it is decided on import. Newer versions run none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import django
from asgiref import sync
from django.core.exceptions import ValidationError
from django.db import connection, models

if TYPE_CHECKING or django.VERSION >= (5, 1):
    CheckConstraint = models.CheckConstraint
else:

    class CheckConstraint(models.CheckConstraint):
        """A check constraint whose condition is called `condition`.

        Django 5.1 gave it that name, and Django 6.0 forgot the former one, `check`. A project's
        migrations that Django 4.2 writes name this class, so they stay right with newer ones.
        """

        def __init__(self, *, condition: models.Q, name: str, **options: Any) -> None:
            super().__init__(check=condition, name=name, **options)

        def deconstruct(self) -> Any:
            """Return what a migration writes."""
            path, arguments, options = super().deconstruct()
            options["condition"] = options.pop("check")
            return path, arguments, options


def _check_range(field: Any, value: Any) -> None:
    if isinstance(value, int) and connection.vendor == "sqlite":
        least = 0 if field.get_internal_type().startswith("Positive") else -(2**63)
        if not least <= value < 2**63:
            raise ValidationError(f"A number from {least} to {2**63 - 1} is needed.")


check_range: Callable[[Any, Any], None] = (
    _check_range if django.VERSION < (5, 0) else lambda field, value: None
)
"""Checks that a column of SQLite can hold a number; raises `ValidationError` where it cannot.

From Django 5.0 on, the validators of the field do.
"""


move_locals: Callable[[Context], None] = getattr(sync, "_restore_context", lambda context: None)
"""Lets a context that came from another thread be seen in this one; called inside of it.

From asgiref 3.13 on a `Local` (Django's language and time zone are some) shows what it holds in
the thread that set it, and in those to which asgiref itself moved it. This is what asgiref calls
to move it, and has no public name. Before 3.13 it changes nothing. The test that notices its end is
`tests/unit/test_threads.py::test_work_sees_the_context_of_who_asked_and_leaves_nothing_behind`.
"""


def repair_optimizer() -> None:
    """Teach an older optimizer of strawberry-graphql-django what graphql-core 3.3 changed.

    Version 0.92 is the first that knows graphql-core 3.3, which Strawberry needs; 0.82.1 is the
    last that takes Django 4.2. With both, every connection would fail.
    """
    release = version("strawberry-graphql-django").split(".")
    if (int(release[0]), int(release[1])) >= (0, 92):
        return

    import graphql
    from graphql.execution.collect_fields import FragmentDetails
    from graphql.execution.values import VariableValues
    from strawberry_django import optimizer

    collect = optimizer._get_selections

    def values(variables: dict[str, Any]) -> VariableValues:
        return VariableValues(sources={}, coerced=variables)

    def get_selections(info: Any, parent: Any) -> Any:
        fragments = {name: FragmentDetails(node) for name, node in info.fragments.items()}
        variables = values(info.variable_values)
        return collect(info._replace(fragments=fragments, variable_values=variables), parent)

    def get_argument_values(field: Any, node: Any, variables: Any) -> Any:
        return graphql.get_argument_values(field, node, values(variables))

    def generate_info(info: Any, nodes: list[Any], kind: Any, parent: Any) -> Any:
        name = nodes[0].name.value
        path = info.path.add_key(0).add_key(name, parent.name)
        return info._replace(
            field_name=name, field_nodes=nodes, return_type=kind, parent_type=parent, path=path
        )

    vars(optimizer).update(
        _get_selections=get_selections,
        get_argument_values=get_argument_values,
        _generate_selection_resolve_info=generate_info,
    )
