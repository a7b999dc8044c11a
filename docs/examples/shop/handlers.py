# shop/handlers.py
from . import approval, moderation, polls


class EventHandler(approval.EventHandler, moderation.EventHandler, polls.EventHandler):
    """Several of them in one project: each calls `super()`."""

    events = (*approval.EventHandler.events, *polls.EventHandler.events)
    mutations = (*approval.EventHandler.mutations, *polls.EventHandler.mutations)
