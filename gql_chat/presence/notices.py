"""Notices of presence: by them processes tell each other, where the channel layer carries them.

They go through two groups of the layer, and are in no stream. One that is lost is made up for by
the look at the database that every process takes now and then for the users whom it watches.
"""

from __future__ import annotations

from collections.abc import Collection

from ..streams import Envelope

WATCHERS = "presence:watchers"
"""The group of the processes in which somebody watches: they are told whose presence changed."""

HOLDERS = "presence:holders"
"""The group of all processes that hold sockets: they are told that somebody watches at all."""

MOST = 1000
"""How many users one notice names. Beyond that it says no more than that many changed."""


def changed(users: Collection[str]) -> Envelope:
    """Return the notice that the presence of users may have changed; they are read then.

    Args:
        users: their ids as strings.
    """
    named = sorted(users) if len(users) <= MOST else None
    return Envelope(WATCHERS, 0, "", "", {"presence": named})


def watched() -> Envelope:
    """Return the notice that somebody watches: from now on, for a while, changes are told."""
    return Envelope(HOLDERS, 0, "", "", {"watched": True})
