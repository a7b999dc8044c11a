"""What is left of a user in the tables of the chat."""

from typing import Any

from gql_chat.accounts.relations import find_relations
from gql_chat.models import UserStream


def left_of(user_id: Any) -> dict[str, int]:
    """How many rows refer to a user, by their model; the position of the user's stream stays."""
    counts = {
        f"{relation.model.__name__}.{relation.field}": relation.of(user_id).count()
        for relation in find_relations()
        if relation.model is not UserStream
    }
    return {name: count for name, count in counts.items() if count}
