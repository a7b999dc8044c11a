"""Presence: who is online, away or offline, who may know, and since when.

The sessions are the truth. A session counts while the process that holds its socket is
there: by the lease of its holder, and by that of the session itself. So a killed process is noticed
though nobody said goodbye. Nothing of it is in the event log.
"""

from .coalescer import Coalescer
from .departures import note_departures, tidy
from .leases import find_holders, forget_holder, get_grace, release_lease, renew_lease
from .notices import HOLDERS, WATCHERS, changed, watched
from .reviews import Request, Seen, asks_by_default, review
from .statuses import AWAY, OFFLINE, ONLINE, Status, read_statuses
from .visibility import held_sessions, hidden, hiding, is_visibly_online

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
    "release_lease",
    "renew_lease",
    "review",
    "tidy",
    "watched",
]
