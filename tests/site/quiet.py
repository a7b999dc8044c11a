"""The ASGI application of the test project in a process that does nothing of its own accord.

What a message costs the channel layer can be counted there: no probe is counted with it. And what
reaches a socket has come over the layer, not from the log while the layer was still at work.
"""

from tests.site.asgi import application

# isort: split
# They import models, which need the set-up that the line above made.
from event_bridge.hub import layer, upkeep

__all__ = ["application"]

# Longer than any test takes.
layer.PROBE_SECONDS = upkeep.UPKEEP_SECONDS = 3600.0
