"""Migrates a measured project and makes its users: `python -m benchmarks.sites.people COUNT`.

It runs in the environment and with the settings of that project.
"""

import sys

import django
from django.core.management import call_command

from benchmarks.sites.frames import FIRST_USER, person


def make_people(count: int) -> None:
    """Make the users u1, u2 and so on, with the keys from `FIRST_USER` up."""
    from django.contrib.auth import get_user_model

    model = get_user_model()
    people = [person(FIRST_USER + number) for number in range(count)]
    model._default_manager.bulk_create([model(**fields) for fields in people], batch_size=500)


if __name__ == "__main__":
    django.setup()
    call_command("migrate", verbosity=0)
    make_people(int(sys.argv[1]))
