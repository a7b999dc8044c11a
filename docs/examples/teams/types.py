# teams/types.py
import strawberry

from gql_chat.schema import types


@strawberry.type
class GroupChat(types.GroupChat):
    """A group with a colour, which its creator chooses and its admins may change."""

    colour: str

    writable_on_create = ("colour",)
    writable_on_edit = ("colour",)


@strawberry.type
class Channel(types.Channel):
    """A channel with a colour, for ever: the rules of channels say so."""

    colour: str
