"""Tests of `gql_chat.accounts`."""
