"""What inputs of several nouns have in common."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from ..conf import chat_settings
from ..models.links import LINK_LENGTH
from ..models.rules import NAME_LENGTH
from ..prepared.counts import counted
from .json_schema import keywords
from .references import MODULE

if TYPE_CHECKING:
    from .messages import MediaInput, MessageEditInput, MessageFieldsInput
    from .rooms import RoomChangesInput, RoomFieldsInput

# Inputs that a project's types may add fields to (`gql_chat.schema.writable`), by reference.

MediaRef = Annotated["MediaInput", strawberry.lazy(MODULE)]

MessageFieldsRef = Annotated["MessageFieldsInput", strawberry.lazy(MODULE)]

MessageEditRef = Annotated["MessageEditInput", strawberry.lazy(MODULE)]

RoomFieldsRef = Annotated["RoomFieldsInput", strawberry.lazy(MODULE)]

RoomChangesRef = Annotated["RoomChangesInput", strawberry.lazy(MODULE)]

LINK = keywords(maxLength=LINK_LENGTH, pattern="^[Hh][Tt][Tt][Pp][Ss]?://")

# These may be left out, so GraphQL takes null for them; the operations do not.
NAME = keywords(type="string", pattern=r"\S", maxLength=NAME_LENGTH)

CAP = keywords(type="integer", minimum=1, maximum=2**31 - 1)

FLAG = keywords(type="boolean")

FROM_ONE = keywords(minimum=1)

FROM_ZERO = keywords(minimum=0)


def max_ids() -> int | None:
    """Return how many items a list of ids may have."""
    return chat_settings.MAX_IDS


def max_media() -> int | None:
    """Return how many attachments a message may have."""
    return chat_settings.MAX_MEDIA_ITEMS


COUNTED = {**keywords(maxItems=max_ids), **counted(max_ids)}


def unset(metadata: dict[str, Any]) -> Any:
    """Return a field that may be left out, which is not the same as null."""
    return strawberry.field(default=strawberry.UNSET, metadata=metadata)


@strawberry.input
class RoomInput:
    """Which room."""

    room_id: UUID


def given(fields: Any) -> dict[str, Any]:
    """Return what a client gave of an input, by name, without what it left out."""
    if not fields:
        return {}
    return {name: value for name, value in vars(fields).items() if value is not strawberry.UNSET}
