"""The ASGI application of the test project in a process that sends nothing of its own accord.

What a message costs the channel layer can be counted there: no probe is counted with it.
"""

from tests.site.asgi import application

# isort: split
# It imports models, which need the set-up that the line above made.
from event_bridge import layer

__all__ = ["application"]

# Longer than any test takes.
layer.PROBE_SECONDS = 3600.0
