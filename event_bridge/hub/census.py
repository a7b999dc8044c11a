"""The census of a hub: what it holds at one moment."""

from __future__ import annotations

from gql_chat.sql.threads import DatabaseThreads

from ..metrics import Census
from .layer import LayerLink
from .registry import Registry


def take_census(registry: Registry, threads: DatabaseThreads, layer: LayerLink) -> Census:
    """Count what a hub holds. Runs in the hub's event loop; goes over all sockets once.

    Args:
        registry: the subscribers and streams.
        threads: the database threads.
        layer: the link to the channel layer.
    """
    sockets = slow = frames = most = characters = 0
    for subscribers in registry.subscribers.values():
        for subscriber in subscribers:
            sockets += 1
            if waiting := subscriber.outbox.waiting:
                slow += 1
                frames += waiting
                most = max(most, waiting)
                characters += subscriber.outbox.size
    return Census(
        sockets=sockets,
        users=len(registry.subscribers),
        streams=len(registry.streams),
        slow_sockets=slow,
        frames=frames,
        most_frames=most,
        characters=characters,
        jobs=threads.waiting,
        wake_ups=layer.waiting,
    )
