"""What hypercorn takes from a file alone."""

#: A little more than ``MAX_FRAME_BYTES``, as docs/deployment.md says.
websocket_max_message_size = 1_114_112
