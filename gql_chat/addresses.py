"""Addresses in logs: a filter that cuts their queries off, for servers that log them.

It needs nothing of Django, so a server may name it in its logging configuration.
"""

from __future__ import annotations

import logging
import re
from typing import Any

_QUERY = re.compile(r"\?[^\s\"'\\]+")


class WithoutQuery(logging.Filter):
    """Cuts the queries of addresses off a record: `/messaging/?token=…` becomes `/messaging/?…`.

    A client that cannot send headers may show its token there.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is logged in any case."""
        record.msg = _cut(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(map(_cut, record.args))
        return True


def _cut(value: Any) -> Any:
    return _QUERY.sub("?…", value) if isinstance(value, str) else value
