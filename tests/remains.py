"""Where a text still stands in the database, after it should have gone."""

from collections.abc import Collection

from django.apps import apps


def find_remains(text: str, besides: Collection[str] = ()) -> list[str]:
    """Return the tables in which a text stands, each with the columns.

    Args:
        text: a text that nothing else has in it.
        besides: tables in which it may stand, by the names of their models.
    """
    found = []
    for model in apps.get_models():
        if model._meta.proxy or model.__name__ in besides:
            continue
        for row in model._base_manager.values():
            found += [
                f"{model.__name__}.{name}" for name, value in row.items() if text in str(value)
            ]
    return sorted(set(found))
