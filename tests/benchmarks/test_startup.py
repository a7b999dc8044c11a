"""How long a project takes to start: what is timed can be imported, and is imported."""

from benchmarks import startup


def test_a_project_starts_with_the_package_and_without() -> None:
    assert startup.routing_seconds() > 0
    # What would not be there without the package's apps is refused.
    assert startup.bare_seconds("import sys; assert not {'gql_chat', 'guardian'} & {*sys.modules}")
