# shop/sanitizer.py
from gql_chat import operations
from gql_chat.sanitize import clean


class EventHandler(operations.EventHandler):
    """Lets people write code, and nothing else that is not plain text."""

    def sanitize(self, content):
        return clean(content, tags={"code", "pre"}, attributes={})
