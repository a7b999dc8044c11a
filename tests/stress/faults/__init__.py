"""Faults that chat had, or might have had: the stress test has to find each of them.

A module is one fault. A chat process that is started with its name in ``CHAT_STRESS_FAULT`` calls
its `bring_back`, which patches the mended code. `FOUND_BY` says which invariants have to notice.
"""

FOUND_BY: dict[str, frozenset[str]] = {
    # The cleaner that threads shared: texts mixed up, cut, or refused as a bug.
    "shared_cleaner": frozenset({"own text", "once", "answer 4006"}),
    # Saving a room wrote back its position.
    "stale_save": frozenset({"answer 4005", "answer 4503", "head", "log"}),
    # Acknowledging took no lock of the room.
    "acknowledge_without_lock": frozenset({"told once", "deadlock", "notifications"}),
    # Two operations waited for each other: the server tries again, and no client sees it.
    "locks_crossed": frozenset({"deadlock"}),
    # An empty resume replayed everything since the user joined.
    "empty_resume_replays": frozenset({"empty resume"}),
    # Who was removed heard on.
    "removed_hears_on": frozenset({"entitled"}),
    # A hook after the commit raised, and the client was told that nothing was stored.
    "stored_but_refused": frozenset({"answer 4006", "stored"}),
    # A `client_id` that was used twice at once was stored twice.
    "client_id_twice": frozenset({"once"}),
    # A plain save of a membership looked at the cap, and at the room's place, without its lock.
    "unlocked_join": frozenset({"caps", "members", "entitled", "complete"}),
    # Notifications stayed though all had acknowledged.
    "notifications_stay": frozenset({"notifications"}),
    # Members were not told of messages that plain code deleted.
    "deletes_untold": frozenset({"mirror"}),
    # A socket stayed open and heard nothing any more.
    "deaf_socket": frozenset({"reached", "complete", "mirror", "answers"}),
}
