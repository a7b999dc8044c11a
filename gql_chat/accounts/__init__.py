"""Accounts: all that the chat has of one user, to be erased or handed out."""
