"""Links to what others store.

Columns for them are plain text with this check, no `URLField`: what the form of that one assumes
of a link without a scheme changes between versions of Django.
"""

from __future__ import annotations

from django.core.validators import URLValidator

LINK_LENGTH = 2000

check_link = URLValidator(schemes=["http", "https"])
"""Raises Django's `ValidationError` for anything but an http or https link."""
