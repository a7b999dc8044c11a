"""Rows of a project's own that refer to rows of chat."""
