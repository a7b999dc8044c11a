"""What a process shows over HTTP: metrics, health, or anything else."""

import json
from http.client import HTTPConnection
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.servers import HOST


class Answer:
    """What a path of a process answers.

    Attributes:
        status: the status.
        headers: the headers.
        text: the body.
    """

    def __init__(self, process: Any, path: str, method: str = "GET") -> None:
        """Ask a server that has a ``port``."""
        connection = HTTPConnection(HOST, process.port)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            self.status = response.status
            self.headers = response.headers
            self.text = response.read().decode()
        finally:
            connection.close()

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


class Scrape:
    """The metrics of a process at one moment; called, it gives the value of one, or 0.

    Attributes:
        answer: what was answered.
        samples: the value of each, by name and labels.
    """

    def __init__(self, process: Any, path: str = "/monitoring/metrics") -> None:
        """Ask a server that has a ``port``."""
        self.answer = Answer(process, path)
        assert self.answer.status == 200
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.answer.text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 if it has none."""
        return self.samples.get((name, tuple(sorted(labels.items()))), 0.0)

    def values(self, label: str) -> set[str]:
        """All values of a label."""
        found = [dict(labels) for name, labels in self.samples if name.startswith("chat_")]
        return {labels[label] for labels in found if label in labels}
