"""What is there for some versions of a dependency only."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.db.migrations.writer import MigrationWriter
from django.db.models import BigAutoField, IntegerField, PositiveIntegerField, TextField

from gql_chat import compatibility
from gql_chat.compatibility import CheckConstraint


def test_a_migration_writes_a_check_constraint_so_that_every_django_reads_it() -> None:
    """With Django 4.2 it names the class of the package; `check` would fail from 6.0 on."""
    constraint = CheckConstraint(condition=models.Q(price__gt=0), name="price")

    written, imports = MigrationWriter.serialize(constraint)
    read: dict[str, Any] = {}
    exec("\n".join([*sorted(imports), f"again = {written}"]), {"models": models}, read)

    assert "condition=" in written
    assert read["again"] == constraint
    assert constraint.clone() == constraint


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        (IntegerField, -(2**63), True),
        (IntegerField, -(2**63) - 1, False),
        (BigAutoField, 2**63 - 1, True),
        (BigAutoField, 2**63, False),
        (PositiveIntegerField, 0, True),
        (PositiveIntegerField, -1, False),
        (TextField, "text", True),
        (IntegerField, None, True),
    ],
)
def test_a_number_fits_into_a_column_of_sqlite_or_not(
    field: Any, value: Any, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "vendor", "sqlite")
    if fits:
        compatibility._check_range(field(), value)
    else:
        with pytest.raises(ValidationError):
            compatibility._check_range(field(), value)
