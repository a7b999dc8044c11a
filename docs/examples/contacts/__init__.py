"""Contacts: people write first only to those whose contacts they are in.

INSTALLED_APPS = [..., "gql_chat", "event_bridge", "contacts"]
"""
