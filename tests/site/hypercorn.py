"""What hypercorn takes from a file alone."""

from hypercorn.protocol import ws_stream
from wsproto.extensions import PerMessageDeflate

websocket_max_message_size = 1_114_112


class NoCompression(PerMessageDeflate):
    """Declines it: hypercorn inflates a frame before it looks at its size."""

    def accept(self, offer: str) -> None:
        """Decline what a client offers."""


# Private API of hypercorn, which has no option for it.
ws_stream.PerMessageDeflate = NoCompression
