"""Code for some versions of a dependency only; each part says for which, and why.

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

        Django 5.1 introduced that name, and Django 6.0 dropped the former one, `check`. Migrations
        that a project makes with Django 4.2 name this class, so newer versions run them, too.
        """

        def __init__(self, *, condition: models.Q, name: str, **options: Any) -> None:
            super().__init__(check=condition, name=name, **options)

        def deconstruct(self) -> Any:
            """Return the arguments that a migration writes."""
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
"""Checks that a column of SQLite can hold a number; raises `ValidationError` if it cannot.

From Django 5.0 on the validators of the field check this.
"""


move_locals: Callable[[Context], None] = getattr(sync, "_restore_context", lambda context: None)
"""Makes the values of a context that came from another thread visible in this one.

Call it inside the context. From asgiref 3.13 on, the value of a `Local` (as Django's language and
time zone) is visible only in the thread that set it, and in threads to which asgiref moved it.
Private API of asgiref: this is its function for that move. Before 3.13 it changes nothing.
`tests/unit/test_threads.py::test_work_sees_the_context_of_who_asked_and_leaves_nothing_behind`
notices when it is gone.
"""


def repair_optimizer() -> None:
    """Adapt an older optimizer of strawberry-graphql-django to graphql-core 3.3.

    Strawberry needs graphql-core 3.3. Version 0.92 of the optimizer is the first that works with
    it; 0.82.1 is the last that works with Django 4.2. Without this, every connection would fail.
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
