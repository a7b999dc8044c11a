# shop/payloads.py
from gql_chat import unread_totals


def make_payloads(recipients, event):
    """Return a payload for Apple's push service for each recipient, by the user's id."""
    totals = unread_totals(recipients)
    return {
        user_id: {"aps": {"alert": event.message.content[:100], "badge": found.messages}}
        for user_id, found in totals.items()
    }
