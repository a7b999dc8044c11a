# shop/log_lines.py
import json
import logging

FACTS = (
    "event_type", "outcome", "code", "room_id", "user_id", "milliseconds",
    "stream", "seq", "kind", "layer", "check", "actor_id",
)  # fmt: skip


class JsonFormatter(logging.Formatter):
    """One JSON object for each line."""

    def format(self, record):
        line = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts = {name: getattr(record, name, None) for name in FACTS}
        line |= {name: value for name, value in facts.items() if value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
