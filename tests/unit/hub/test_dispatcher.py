"""The dispatcher: each frame to those who are entitled to it, whatever one of them does."""

import pytest

from event_bridge.delivery import Delivered
from gql_chat.streams import Envelope

from .world import A, Socket, World


def test_a_frame_reaches_every_socket_of_every_member_and_nobody_else(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    phone, laptop, other, stranger = (world.open(user) for user in ("1", "1", "2", "3"))

    world.tell(A)

    assert [socket.of(A) for socket in (phone, laptop, other, stranger)] == [[2], [2], [2], []]


def test_sockets_that_come_and_go_between_frames_hear_what_is_theirs(world: World) -> None:
    world.commit(A, joined=["1", "2"])
    first = world.open("1")
    world.tell(A)
    second, other = world.open("1"), world.open("2")
    world.tell(A)
    world.hub.leave(first)
    world.tell(A)
    world.hub.leave(other)
    world.tell(A)

    assert (first.of(A), second.of(A), other.of(A)) == ([2, 3], [3, 4, 5], [3, 4])


class Deaf(Socket):
    """A project's socket that raises at a frame."""

    offered = 0
    may_close = True

    def deliver(self, frame: Delivered) -> None:
        self.offered += 1
        raise LookupError("no such thing")

    def interrupt(self) -> None:
        super().interrupt()
        if not self.may_close:
            raise LookupError("no such thing either")


@pytest.mark.parametrize("may_close", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_socket_that_raises_at_a_frame_is_closed_and_the_others_go_on(
    late: bool, may_close: bool, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.commit(A, joined=["1", "2", "3"])
    one = world.open("1")
    _, positions = world.read("2")
    deaf = Deaf("2", {})
    deaf.may_close = may_close
    world.hub.register(deaf)
    world.enter(deaf, positions)
    beside, other = world.open("2"), world.open("3")

    for _ in range(20):
        if late:
            world.commit(A)
            world.hub.spawn(world.hub.catch_up.catch_up_all())
            world.settle()
        else:
            world.tell(A)

    assert one.of(A) == beside.of(A) == other.of(A) == list(range(2, 22))
    # What it got is what it resumes from: nothing after the frame that it could not take.
    assert (deaf.offered, deaf.interrupted) == (1, True)
    assert len(caplog.records) == (1 if may_close else 2)


def test_an_event_that_cannot_be_shown_keeps_no_other_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.commit(A, joined=["1"])
    one = world.open("1")
    unknown = Envelope(A, 2, "MessagesDeleted", "a secret, and no JSON")
    world.log[A].append(unknown)
    after = world.commit(A)

    world.hub.take([unknown, after])

    assert one.of(A) == [3]
    (record,) = caplog.records
    facts: dict[str, object] = vars(record)
    assert (facts["stream"], facts["seq"], facts["kind"]) == (A, 2, "MessagesDeleted")
    assert "secret" not in caplog.text


def test_who_logged_out_is_dismissed_by_login(world: World) -> None:
    one, other = world.open("1"), world.open("2")

    world.hub.take([Envelope("user:1", 0, "", "", {"signed_out": "a login"})])

    assert (one.dismissed, other.dismissed) == (["a login"], [])
