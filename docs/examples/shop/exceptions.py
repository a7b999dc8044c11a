# shop/exceptions.py
from gql_chat import errors


class ShopClosed(Exception):
    """An exception of the shop's own, from wherever."""


class Closed(errors.ChatError):
    """A code of the shop's own."""

    code = 4900


class ExceptionHandler(errors.ExceptionHandler):
    """Tells clients that the shop is closed, with a code that they know."""

    def handle(self, error):
        if isinstance(error, ShopClosed):
            return Closed({"message": "We are closed.", "opens_at": "08:00"})
        return super().handle(error)
