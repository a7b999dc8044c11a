"""A project's own message, reaction and session, and groups with other rules, in one app.

REALTIME_CHAT_MESSAGING = {
"MODELS": {
"Message": "swapped_models.Message",
"Reaction": "swapped_models.Reaction",
"Session": "swapped_models.Session",
"GroupChat": "swapped_models.TeamChat",
},
"SERIALIZERS": {"Message": "swapped_models.types.Message"},
}
"""
