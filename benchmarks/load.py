"""The loader's command: fills a database with a history, in minutes.

    DJANGO_SETTINGS_MODULE=… python -m benchmarks.load

migrates the project's database and loads 1,000,000 messages, 10,000 rooms and 10,000 users.
The database must have no users and no rooms of its own.
"""

import argparse
import sys
from dataclasses import asdict, fields

import django
from django.core.management import call_command

from benchmarks.population import Population

#: A million messages, half of them in one group.
DEFAULT = Population(users=10_000, rooms=10_000, talk=49, long_talk=500_000)


def main(arguments: list[str]) -> int:
    """Load; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmarks.load", description=__doc__)
    for field in fields(Population):
        default = asdict(DEFAULT)[field.name]
        kind = (lambda text: text == "True") if isinstance(default, bool) else int
        name = field.name.replace("_", "-")
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"default {default}")
    population = Population(**vars(parser.parse_args(arguments)))

    django.setup()
    call_command("migrate", verbosity=0)
    from benchmarks.history import load
    from gql_chat.models import get_model

    if get_model("Room").objects.exists():
        sys.stderr.write("The database has rooms already: load into an empty one.\n")
        return 1
    load(population)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
