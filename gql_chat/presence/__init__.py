"""Presence: who is online, away or offline, who may know, and since when.

The sessions are the truth. A session counts while the process that holds its socket vouches for it:
by the one row of its holder, and by the lease of the session itself. So a killed process is noticed
though nobody said goodbye. Nothing of it is in the event log.
"""

from .coalescer import Coalescer
from .departures import note_departures, tidy
from .notices import HOLDERS, WATCHERS, changed, watched
from .reviews import Request, Seen, asks_by_default, review
from .statuses import AWAY, OFFLINE, ONLINE, Status, read_statuses
from .visibility import held_sessions, hidden, hiding, is_visibly_online
from .vouching import find_holders, forget_holder, get_grace, vouch

__all__ = [
    "AWAY",
    "HOLDERS",
    "OFFLINE",
    "ONLINE",
    "WATCHERS",
    "Coalescer",
    "Request",
    "Seen",
    "Status",
    "asks_by_default",
    "changed",
    "find_holders",
    "forget_holder",
    "get_grace",
    "held_sessions",
    "hidden",
    "hiding",
    "is_visibly_online",
    "note_departures",
    "read_statuses",
    "review",
    "tidy",
    "vouch",
    "watched",
]
