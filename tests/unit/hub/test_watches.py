"""Watches: who watches whom, under random comings and goings."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from event_bridge.hub.watches import Watches

SOCKETS: list[Any] = ["s1", "s2"]
USERS = ["1", "2", "3"]
ROOMS = ["a", "b"]

some = st.sets(st.sampled_from(USERS))
rooms = st.dictionaries(st.sampled_from(ROOMS), some, max_size=2)
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "enter", "leave", "keep", "forget"]),
        st.sampled_from(SOCKETS),
        some,
        rooms,
    ),
    max_size=30,
)


@given(steps)
def test_it_knows_who_watches_whom(happened: list[tuple[str, Any, set[str], Any]]) -> None:
    watches = Watches()
    named: dict[Any, tuple[set[str], dict[str, set[str]]]] = {
        socket: (set(), {}) for socket in SOCKETS
    }

    def seen_by(socket: Any) -> set[str]:
        users, of_rooms = named[socket]
        return users.union(*of_rooms.values())

    for kind, socket, users, of_rooms in happened:
        own, own_rooms = named[socket]
        before = seen_by(socket)
        if kind == "add":
            own |= users
            own_rooms |= {room: set(members) for room, members in of_rooms.items()}
            assert watches.count_with(socket, users, of_rooms) >= len(seen_by(socket))
            difference = watches.add(socket, users, of_rooms)
        elif kind == "remove":
            own -= users
            for room in of_rooms:
                own_rooms.pop(room, None)
            difference = watches.remove(socket, users, of_rooms)
        elif kind in ("enter", "leave"):
            room = next(iter(of_rooms), None)
            if room not in own_rooms:
                continue
            if kind == "enter":
                own_rooms[room] |= users
                difference = watches.enter(socket, room, users)
            else:
                own_rooms[room] -= users
                difference = watches.leave(socket, room, users)
        elif kind == "keep":
            own &= users
            for room in list(own_rooms):
                if room in of_rooms:
                    own_rooms[room] = set(of_rooms[room])
                else:
                    del own_rooms[room]
            difference = watches.keep(socket, users, of_rooms)
        else:
            own.clear()
            own_rooms.clear()
            difference = watches.forget(socket)
        assert difference.added == seen_by(socket) - before
        assert difference.removed == before - seen_by(socket)

        for user in USERS:
            expected = {each for each in SOCKETS if user in seen_by(each)}
            assert watches.watchers.get(user, set()) == expected
        for room in ROOMS:
            expected = {each for each in SOCKETS if room in named[each][1]}
            assert watches.of_room.get(room, set()) == expected
        there = {each for each in SOCKETS if named[each][0] or named[each][1]}
        assert watches.of_socket.keys() == there
        assert bool(watches) == bool(there)
        # What nobody watches takes no place.
        assert all(watches.watchers.values())
