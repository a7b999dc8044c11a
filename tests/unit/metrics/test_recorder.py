"""The recorder that records nothing: it takes all that others take."""

import inspect

from event_bridge.metrics import Answered, Census, Recorder
from event_bridge.metrics.lines import Lines
from event_bridge.metrics.prometheus import Metrics
from gql_chat.errors import Bug


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_all_recorders_are_told_the_same() -> None:
    for kind in (Metrics, Lines):
        assert methods(kind) == methods(Recorder)


def test_one_that_records_overrides_all_that_there_is_to_count() -> None:
    assert methods(Metrics).keys() == {name for name in vars(Metrics) if name in methods(Recorder)}


def test_by_default_nothing_happens() -> None:
    recorder = Recorder()

    recorder.opened()
    recorder.closed(None)
    recorder.refused(Bug("no"))
    recorder.answered(Answered("message.send", None, 0.1))
    recorder.delivered("message.dispatch", 1)
    recorder.caught_up("gap", 1)
    for method in (recorder.woken, recorder.hopped, recorder.worked, recorder.paused):
        method(0.1)
    recorder.looked("hub", Census())
    assert vars(recorder) == {}
