"""The optional GraphQL endpoint for internal tools: off until a project mounts it."""

from .sockets import ChatGraphQLSocket
from .views import ChatGraphQLView

__all__ = ["ChatGraphQLSocket", "ChatGraphQLView"]
