"""Streams: every event takes the next sequence number of a room's or a user's stream.

Inside `transaction()` an operation hands its events to the `Outbox`, which stores them in the
event log. After the commit the envelopes are published: to the hubs of this process directly, to
other processes over the channel layer. The layer may lose an envelope; the log keeps it.
"""

from ..errors import Again
from ..models.locks import hold, lock, writing
from ..models.streams import STREAM_LENGTH
from .commits import commit_together
from .deadlines import Deadline
from .entitlements import Position, Positions, find_joined, members_of, positions
from .envelopes import (
    MESSAGE_TYPE,
    Envelope,
    group_name,
    parse_payload,
    process_name,
    room_stream,
    user_stream,
)
from .erasure import (
    Erasure,
    erase_edited,
    erase_messages,
    erase_room,
    merge_erasures,
    plan_erasure,
)
from .log import (
    Missed,
    Range,
    delete_frames,
    heads,
    list_missed,
    measure_log,
    missed,
    reaches_end,
    read_changes,
    read_epoch,
    read_log,
    read_missed,
    read_on,
    select_log,
    weigh_missed,
)
from .names import erase_names, show_nobody_with
from .outages import is_silence, layer_outages
from .outbox import Outbox, current, is_running, render, render_with
from .publishing import (
    LAYER_SECONDS,
    announce,
    capture,
    publish,
    reaches_other_processes,
    send_to_layer,
    subscribe,
    subscribers,
    touch,
    unsubscribe,
)
from .quotes import withhold_quotes
from .shown import blank_with
from .subjects import erases
from .transactions import ATTEMPTS, REFERENCE_ATTEMPTS, run, shared_transaction, transaction
from .veils import count_hidden, veil, veil_for

__all__ = [
    "ATTEMPTS",
    "LAYER_SECONDS",
    "MESSAGE_TYPE",
    "REFERENCE_ATTEMPTS",
    "STREAM_LENGTH",
    "Again",
    "Deadline",
    "Envelope",
    "Erasure",
    "Missed",
    "Outbox",
    "Position",
    "Positions",
    "Range",
    "announce",
    "blank_with",
    "capture",
    "commit_together",
    "count_hidden",
    "current",
    "delete_frames",
    "erase_edited",
    "erase_messages",
    "erase_names",
    "erase_room",
    "erases",
    "find_joined",
    "group_name",
    "heads",
    "hold",
    "is_running",
    "is_silence",
    "layer_outages",
    "list_missed",
    "lock",
    "measure_log",
    "members_of",
    "merge_erasures",
    "missed",
    "parse_payload",
    "plan_erasure",
    "positions",
    "process_name",
    "publish",
    "reaches_end",
    "reaches_other_processes",
    "read_changes",
    "read_epoch",
    "read_log",
    "read_missed",
    "read_on",
    "render",
    "render_with",
    "room_stream",
    "run",
    "select_log",
    "send_to_layer",
    "shared_transaction",
    "show_nobody_with",
    "subscribe",
    "subscribers",
    "touch",
    "transaction",
    "unsubscribe",
    "user_stream",
    "veil",
    "veil_for",
    "weigh_missed",
    "withhold_quotes",
    "writing",
]
