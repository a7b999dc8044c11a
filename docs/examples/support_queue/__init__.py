"""A fourth room type: queues in which customers and agents meet.

INSTALLED_APPS = [..., "gql_chat", "event_bridge", "support_queue"]
"""
