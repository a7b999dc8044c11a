"""Links to files that the chat does not store itself.

Their columns are plain text with this check, and no `URLField`: the form field of a `URLField` adds
a scheme to a link without one, and which scheme changes between versions of Django.
"""

from __future__ import annotations

from django.core.validators import URLValidator

LINK_LENGTH = 2000

check_link = URLValidator(schemes=["http", "https"])
"""Raises Django's `ValidationError` for anything but an http or https link."""
