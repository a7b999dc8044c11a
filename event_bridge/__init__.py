"""The event protocol on a WebSocket, translated into the operations of `gql_chat`."""
