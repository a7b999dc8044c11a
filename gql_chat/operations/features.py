"""Features: server code that asks for something of a feature that is off is told so."""

from __future__ import annotations

from ..errors import Invalid
from ..nouns import has_feature


def need(feature: str) -> None:
    """Refuse an operation of a feature that the project has not.

    Clients do not come here: without the feature its events are unknown.

    Raises:
        Invalid: the feature is off.
    """
    if not has_feature(feature):
        raise Invalid(f"The feature {feature!r} is off (FEATURES).")
