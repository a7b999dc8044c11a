"""Management of the chat."""
