"""Prepared GraphQL documents. Knows GraphQL and Strawberry, nothing of chat."""
