"""The Grafana board, the alert rules and the page on monitoring: they name what there is."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from event_bridge.events import map_events
from event_bridge.metrics import Answered, Census, prometheus
from event_bridge.metrics.lines import LEVELS, Lines
from event_bridge.metrics.prometheus import Metrics
from gql_chat import errors
from shop.log_lines import JsonFormatter
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "monitoring.md").read_text()
BOARD = json.loads((ROOT / "docs" / "monitoring" / "board.json").read_text())
ALERTS = yaml.safe_load((ROOT / "docs" / "monitoring" / "alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [
    pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
    for panel in PANELS
    for target in panel["targets"]
]
QUERIES = [*TARGETS, *(pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES)]

#: What Prometheus adds to each sample.
SCRAPED = {"instance", "job"}
#: The values that a label may have; a query for another finds nothing.
VALUES = {
    "outcome": {*LEVELS},
    "reason": {"gap", "check", "join", "late"},
    "event_type": {*map_events()},
    "code": {"none", *map(str, (1009, 1011, 1012, 4001, 4002, 4003, 4004, 4005, 4006, 4008))}
    | {"4029", "4503"},
}


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """The labels of each sample that a scrape of a busy process has, by its name."""
    metrics = Metrics()
    metrics.answered(Answered("message.send", errors.Busy(), 0.1))
    metrics.delivered("message.dispatch", 1)
    metrics.caught_up("gap", 1)
    metrics.closed(None)
    metrics.looked("hub", Census())
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(prometheus.render()[1].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def prepared(query: str) -> str:
    """A query as Grafana sends it, with its variables filled in."""
    filled = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
    assert "$" not in filled
    return filled


def selectors(node: Any) -> Iterator[Any]:
    """All selectors of a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        below = getattr(node, name, None)
        for each in below if isinstance(below, list) else [below]:
            if each is not None:
                yield from selectors(each)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_exist(
    query: str, exposed: dict[str, set[str]]
) -> None:
    found = list(selectors(promql_parser.parse(prepared(query))))

    assert found
    labels: set[str] = set()
    for selector in found:
        assert selector.name in exposed, selector.name
        own = exposed[selector.name] | SCRAPED
        labels |= own
        for matcher in selector.matchers.matchers:
            assert matcher.name in own, (selector.name, matcher.name)
            if matcher.name in VALUES:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name], matcher.value
    for grouped in re.findall(r"\bby \(([^)]*)\)", query):
        assert {name.strip() for name in grouped.split(",")} <= labels


@pytest.mark.parametrize("query", QUERIES)
def test_a_counter_is_asked_for_its_rate_and_a_gauge_is_not(query: str) -> None:
    for selector in selectors(promql_parser.parse(prepared(query))):
        is_counter = selector.name.endswith(("_total", "_bucket", "_count", "_sum"))
        assert (f"rate({selector.name}" in query) == is_counter, selector.name


def test_the_names_of_a_legend_are_labels(exposed: dict[str, set[str]]) -> None:
    labels = set.union(*exposed.values()) | SCRAPED
    for panel in PANELS:
        for target in panel["targets"]:
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_grafana_can_load_the_board() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert BOARD["uid"]
    assert BOARD["schemaVersion"] >= 36
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        fields = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in fields) < 24
        assert not fields & taken, panel["title"]
        taken |= fields
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert variables == {"datasource", "instance"}


def test_the_board_shows_every_metric() -> None:
    asked = {
        selector.name.removesuffix("_bucket")
        for param in TARGETS
        for selector in selectors(promql_parser.parse(prepared(str(param.values[0]))))
    }

    assert own_metrics() <= asked


def own_metrics() -> set[str]:
    """The names of the package's metrics, as queries write them."""
    families = text_string_to_metric_families(prometheus.render()[1].decode())
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        # The client adds when each counter began.
        if family.name.startswith("chat_") and not family.name.endswith("_created")
    }


def test_an_alert_says_what_it_means() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) >= 10
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert set(rule["annotations"]) == {"summary", "description"}
        for text in rule["annotations"].values():
            assert text.endswith(".")
            named = set(re.findall(r"\$labels\.(\w+)", text))
            grouped = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
            assert named <= {name.strip() for names in grouped for name in names.split(",")}
        assert f"`{rule['alert']}`" in PAGE


def test_the_page_has_every_metric_with_its_labels(exposed: dict[str, set[str]]) -> None:
    rows = dict(re.findall(r"^\| `(chat_\w+)` \|([^|]*)\|", PAGE, re.M))

    assert rows.keys() == own_metrics()
    for name, labels in rows.items():
        sample = name if name in exposed else f"{name}_bucket"
        assert set(re.findall(r"`(\w+)`", labels)) == exposed[sample] - {"le"}, name


def test_the_page_has_every_outcome_with_its_level() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.M))

    assert {name: logging.getLevelName(level) for name, level in LEVELS.items()} == {
        name: level for name, level in rows.items() if name in LEVELS
    }


def test_the_formatter_of_the_page_shows_the_facts_of_an_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "event_bridge.events")
    Lines().answered(Answered("message.send", errors.Busy(), 0.25, 7, "a-room"))

    line = json.loads(JsonFormatter().format(caplog.records[0]))

    line.pop("time")
    assert line == {
        "level": "WARNING",
        "logger": "event_bridge.events",
        "message": "message.send: later after 250.0 ms",
        "event_type": "message.send",
        "outcome": "later",
        "code": 4503,
        "room_id": "a-room",
        "user_id": "7",
        "milliseconds": 250.0,
    }
    try:
        raise LookupError("nothing here")
    except LookupError:
        logging.getLogger("event_bridge").exception("Something broke.")
    assert "nothing here" in json.loads(JsonFormatter().format(caplog.records[1]))["traceback"]
