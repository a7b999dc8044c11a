# shop/moderation.py
from gql_chat import errors, operations


class EventHandler(operations.EventHandler):
    """Refuses advertising, in new messages and in edited ones."""

    def validate_message(self, message):
        super().validate_message(message)
        if "buy now" in message.content.lower():
            raise errors.Invalid({"content": "No advertising here."})
