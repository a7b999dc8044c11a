"""What a frame shows, in parts: erasure may blank some of them, and must leave the others alone."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from tests.stress.mirror import QUOTE

_MESSAGE = frozenset({"id", "room", "sender", "content", "is_deleted"})


class Outline:
    """The parts of a frame, each as a digest.

    Attributes:
        rest: the frame without what may be blanked: its shape, and the ids of messages.
        parts: what each message shows, by where it stands; None where it is blank.
    """

    def __init__(self, frame: Any) -> None:
        self.parts: dict[str, bytes | None] = {}
        self.rest = _digest(self._reduce(frame, ""))

    def _reduce(self, value: Any, where: str) -> Any:
        if isinstance(value, list):
            return [self._reduce(item, f"{where}.{at}") for at, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if value.keys() >= _MESSAGE:
            self._note_message(value, where)
            return {"id": value["id"], "fields": sorted(value)}
        if isinstance(value.get("message"), str) and isinstance(value.get("room"), dict):
            # Somebody is out of a room. Once that is deleted, the words that name it are blank.
            self.parts[where] = _digest(value) if value["message"] else None
            return {"room": value["room"]["id"]}
        return {name: self._reduce(item, f"{where}.{name}") for name, item in value.items()}

    def _note_message(self, message: dict[str, Any], where: str) -> None:
        if message["is_deleted"]:
            self.parts[where] = None
            return
        quote = message.get(QUOTE)
        if quote is not None:
            self.parts[f"{where}.{QUOTE}"] = None if quote["is_deleted"] else _digest(quote)
        self.parts[where] = _digest({**message, QUOTE: quote and quote["id"]})

    def agrees_with(self, other: Outline) -> bool:
        """Tell whether both may be one frame, some of it blanked in one or in the other."""
        if self.rest != other.rest:
            return False
        return all(
            None in (digest, other.parts.get(where)) or digest == other.parts[where]
            for where, digest in self.parts.items()
        )

    def fill_from(self, other: Outline) -> None:
        """Take over what another one shows of parts that are blank here."""
        for where, digest in other.parts.items():
            if self.parts.get(where) is None:
                self.parts[where] = digest


def _digest(value: Any) -> bytes:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=8).digest()
