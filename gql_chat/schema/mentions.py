"""Mentions in the schema: whom messages mention, and the list of a user's own."""

from typing import Any
from uuid import UUID

import strawberry

from ..conf import chat_settings
from ..models.relations import relations_of
from ..prepared.counts import counted
from ..prepared.fields import derived
from .context import Info
from .descriptions import TEXT
from .inputs import FROM_ONE
from .json_schema import keywords
from .references import MessageRef
from .scalars import UserID


def _username(root: Any) -> str:
    name: str = root.get_username()
    return name


@strawberry.type
class MentionedUser:
    """A user whom a message mentions by name."""

    id: UserID = derived(lambda root: root.pk)
    username: str = derived(_username, TEXT)


@strawberry.type
class Mentions:
    """Whom a message mentions: users by name, everybody in the room, or who was there just then."""

    users: list[MentionedUser]
    room: bool
    here: bool


NOBODY = Mentions(users=[], room=False, here=False)


def mentions_of(root: Any) -> Mentions:
    """Return whom a message mentions: the resolver of its `mentions`."""
    return NOBODY if root.is_deleted else relations_of(root).mentions  # type: ignore[return-value]


@strawberry.type
class Mention:
    """A message that mentions the user."""

    kind: str = derived(
        lambda root: root.mention_kind,
        "How: by name (`user`), as one who was there (`here`), or with all (`room`).",
        keywords(enum=["user", "here", "room"]),
    )
    message: MessageRef = derived(lambda root: root)


@strawberry.type
class MentionList:
    """Messages that mention the user, whatever their rooms."""

    mentions: list[Mention]


@strawberry.type
class MentionPage:
    """A page of the messages that mention the user, the newest first."""

    has_next: bool
    has_previous: bool
    size: int
    data: MentionList = derived(lambda root: root)


# Inputs


def max_mentions() -> int | None:
    """Return how many users a message may mention by name."""
    return chat_settings.MAX_MENTIONS


@strawberry.input
class MentionsInput:
    """Whom a message mentions."""

    users: list[UserID] = strawberry.field(
        default_factory=list,
        metadata={**keywords(maxItems=max_mentions), **counted(max_mentions)},
    )
    room: bool = False
    here: bool = False


@strawberry.input
class MentionPaginateInput:
    """Which page: the newest, or from a message on."""

    size: int = strawberry.field(metadata=FROM_ONE)
    before: UUID | None = None


@strawberry.input
class MentionListInput:
    """Which of the messages that mention the user."""

    paginate: MentionPaginateInput | None = None


def said_of(extra: dict[str, Any]) -> dict[str, Any]:
    """Take what an input says of mentions out of its fields; return it as an argument, if any."""
    given = extra.pop("mentions", None)
    return {} if given is None else {"mentions": dict(vars(given))}


# Operations


@strawberry.type
class MentionQueries:
    """What a user may look at."""

    @strawberry.field
    def mention_page(self, info: Info, input: MentionListInput) -> MentionPage:
        """The messages that mention the user, over all rooms, the newest first."""
        paginate = vars(input.paginate) if input.paginate is not None else {}
        page: Any = info.context.handler.list_mentions(**paginate)
        return page  # type: ignore[no-any-return]


QUERIES: tuple[type, ...] = (MentionQueries,)
MUTATIONS: tuple[type, ...] = ()
EVENTS: tuple[type, ...] = ()
