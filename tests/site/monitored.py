"""The ASGI application of the test project with monitoring around it, and its log lines as JSON."""

import logging

from docs.examples.shop.log_lines import JsonFormatter
from tests.site.asgi import application as chat

# isort: split
# It imports models, which need the set-up that the line above made.
from event_bridge.monitoring import Monitoring

_handler = logging.StreamHandler()
_handler.setFormatter(JsonFormatter())
for _name in ("event_bridge", "gql_chat"):
    logging.getLogger(_name).addHandler(_handler)
    logging.getLogger(_name).setLevel(logging.INFO)

application = Monitoring(chat, prefix="/beside")
