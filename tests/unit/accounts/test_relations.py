"""The foreign keys to accounts: each table of the chat's that has one is among them."""

from django.apps import apps
from django.contrib.auth import get_user_model

from gql_chat.accounts.relations import find_relations
from gql_chat.models import get_model

SHOWN = {"Delivery", "ReadReceipt", "Reaction", "Mention", "MessageCopy"}


def test_every_foreign_key_of_the_chat_to_accounts_is_found() -> None:
    wanted = {
        (model, field.name)
        for model in apps.get_app_config("gql_chat").get_models()
        if not model._meta.proxy
        for field in model._meta.fields
        if field.remote_field is not None and field.remote_field.model is get_user_model()
    }

    found = {(relation.model, relation.field) for relation in find_relations()}

    assert wanted <= found
    assert (get_model("Message"), "sender") in found
    assert (get_model("Session"), "user") in found


def test_a_relation_knows_the_room_and_whether_members_see_it() -> None:
    rooms = {(each.model.__name__, each.field): each.room for each in find_relations()}

    assert rooms["Reaction", "user"] == "message__room_id"
    assert rooms["ChatNotification", "actor"] == "room_id"
    assert rooms["ClientMessage", "sender"] == ""
    assert {each.model.__name__ for each in find_relations() if each.is_shown} == SHOWN
    assert [each.field for each in find_relations() if each.is_cleared] == ["user", "creator"]
