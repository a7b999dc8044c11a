"""The three users of the demo: seeded, named on the login page, printed by ``manage.py demo``."""

from dataclasses import dataclass

PASSWORD = "demo"


@dataclass(frozen=True)
class DemoUser:
    """One user who can log in with ``PASSWORD``."""

    username: str
    first_name: str
    last_name: str
    is_staff: bool = False

    @property
    def email(self) -> str:
        """An address in a domain that is reserved for examples, so no mail ever reaches anyone."""
        return f"{self.username}@example.com"


DEMO_USERS = (
    DemoUser("alice", "Alice", "Adams", is_staff=True),
    DemoUser("bob", "Bob", "Baker"),
    DemoUser("carol", "Carol", "Clark"),
)
