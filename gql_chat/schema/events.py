"""The events that a subscription gives: those of the nouns, and those of the project's own."""

from typing import TYPE_CHECKING, Annotated, Any, Union

import strawberry
from django.core.exceptions import ImproperlyConfigured
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition

from .. import events
from ..conf import SETTING, chat_settings
from .parts import parts
from .payloads import tells

if TYPE_CHECKING:
    ChatEvent = events.Event
else:
    # The union of all events, the project's own among them (`build_union`), by reference.
    ChatEvent = Annotated["ChatEvent", strawberry.lazy("gql_chat.schema.serializers")]


def package_events() -> tuple[type, ...]:
    """Return the types of the package's events: those of its nouns, in their order."""
    return tuple(event for part in parts() for event in part.events)


def own_events() -> tuple[type[events.Event], ...]:
    """Return the events of the project's own: `events` of its `EVENT_HANDLER_CLASS`.

    Raises:
        ImproperlyConfigured: one is no Strawberry type, no `Event`, or has a name that is taken.
    """
    own: tuple[type[events.Event], ...] = tuple(chat_settings.load("EVENT_HANDLER_CLASS").events)
    names = [event.__name__ for event in package_events()]
    for event in own:
        definition = get_object_definition(event)
        problem = None
        if definition is None or not issubclass(event, events.Event):
            problem = "derive it from gql_chat.events.Event and decorate it with @strawberry.type"
        elif definition.name != event.__name__:
            problem = "give the type in the schema the name of the class"
        elif event.__name__ in names:
            problem = "there is an event of that name: choose another"
        if problem is not None:
            raise ImproperlyConfigured(
                f"{event!r} in `events` of {SETTING}['EVENT_HANDLER_CLASS'] cannot be used: "
                f"{problem}."
            )
        names.append(event.__name__)
    return own


def build_union() -> Any:
    """Return the union of all events."""
    own = own_events()
    for event in own:
        # An event of the project's finds its type in the same way as one of the package.
        get_object_definition(event, strict=True).is_type_of = tells(event).__get__(None, event)
    members: Any = Union[(*package_events(), *own)]
    named = strawberry.union("ChatEvent", description="Anything that happens.")
    return StrawberryAnnotation(Annotated[members, named]).resolve()
