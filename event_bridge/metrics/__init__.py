"""Metrics: counts and times of what the socket does, if a project asks for them.

A hub has one recorder, chosen when it is made. By default that is `Recorder`, which does nothing.
`recorder` says who tells it what.
"""

from .answers import describe
from .choice import get_recorder
from .recorder import Answered, Census, Recorder

__all__ = ["Answered", "Census", "Recorder", "describe", "get_recorder"]
