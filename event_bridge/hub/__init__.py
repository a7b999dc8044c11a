"""The hub of a process: it decides which local socket gets which frame.

`hub` holds the parts together. Each part is a module of one noun, and imports only from those
before it: `stream`, `registry`, `layer`, `census`, `tasks`, `readings`, `dispatcher`, `sequencer`,
`catch_up`, `admission`, `memberships`, `epoch`, `neighbours`, `upkeep`.
"""

from .hub import Hub, find_hub, get_hub

__all__ = ["Hub", "find_hub", "get_hub"]
