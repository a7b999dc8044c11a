"""Where the inputs of mutations carry what people write."""

from __future__ import annotations

from typing import Any

from ..sanitize import needs_cleaning

CONTENTS: dict[str, tuple[str, ...]] = {
    "send_message": ("content",),
    "edit_message": ("extra_fields", "content"),
}
"""The path of the content in the input of each mutation that has one."""


def find_markup(mutation: str, fields: Any) -> str | None:
    """Return the content that an input carries, if it has markup; else None.

    Args:
        mutation: its name.
        fields: the input as a client gave it: it may have any form.
    """
    path = CONTENTS.get(mutation)
    if path is None:
        return None
    found = fields
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) and needs_cleaning(found) else None
