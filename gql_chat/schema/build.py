"""Builds the schema out of the types that the settings name."""

from __future__ import annotations

from functools import cache
from typing import Any

import strawberry
from django.core.signals import setting_changed
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry_django.optimizer import DjangoOptimizerExtension

from ..conf import SETTING, chat_settings
from . import serializers
from .scalars import SCALARS

ROOM_TYPES = (
    "OneToOneChat",
    "GroupChat",
    "Channel",
    "OneToOneChatSummary",
    "GroupChatSummary",
    "ChannelSummary",
)


@cache
def get_schema() -> strawberry.Schema:
    """Return the schema, with a project's own types in the places of the defaults.

    Names are those of the wire: in snake case.
    """
    from .mutations import Mutation
    from .queries import Query
    from .records import RecordQuery
    from .subscriptions import Subscription

    serializers.install()
    return strawberry.Schema(
        query=merge_types("Query", (Query, RecordQuery)),
        mutation=Mutation,
        subscription=Subscription,
        types=[chat_settings.load_serializer(name) for name in ROOM_TYPES],
        extensions=[DjangoOptimizerExtension],
        config=StrawberryConfig(auto_camel_case=False, scalar_map=SCALARS),
    )


def get_graphql_schema() -> GraphQLSchema:
    """Return the schema as graphql-core knows it."""
    return get_schema()._schema


def _rebuild_on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        from . import rendering

        get_schema.cache_clear()
        rendering.forget()


setting_changed.connect(_rebuild_on_change, dispatch_uid="gql_chat.schema")
