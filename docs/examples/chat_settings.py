# What the examples of the documentation are together, as one project.
INSTALLED_APPS = ["shop", "teams"]

REALTIME_CHAT_MESSAGING = {
    "MODELS": {
        "Message": "shop.Message",
        "MessageMediaAsset": "shop.MediaAsset",
        "Room": "teams.Room",
        "OneToOneChat": "teams.OneToOneChat",
        "GroupChat": "teams.GroupChat",
        "Channel": "teams.Channel",
    },
    "SERIALIZERS": {
        "User": "shop.types.User",
        "Message": "shop.types.Message",
        "Attachment": "shop.types.Attachment",
        "GroupChat": "teams.types.GroupChat",
        "Channel": "teams.types.Channel",
    },
    "EVENT_HANDLER_CLASS": "shop.handlers.EventHandler",
    "PERMISSION_HANDLER_CLASS": "shop.permissions.PermissionHandler",
    "EXCEPTION_HANDLER_CLASS": "shop.exceptions.ExceptionHandler",
    "CHAT_CONSUMER_CLASS": "shop.consumers.ChatConsumer",
    "EVENT_MAPPER": "shop.events.map_events",
}
