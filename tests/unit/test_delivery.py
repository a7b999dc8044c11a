"""Delivery: a frame is encoded once for all sockets."""

from event_bridge.delivery import Delivered
from gql_chat.streams import Envelope

A = "room:a"


def test_a_frame_is_encoded_once_and_placed_only_if_it_has_a_place() -> None:
    frame = Delivered(Envelope(A, 3, "RoomDeleted", '{"room_id": "a"}'))
    assert frame.plain == '{"eventType":"roomdelete.dispatch","data":{"room_id":"a"}}'
    assert frame.numbered == (
        '{"eventType":"roomdelete.dispatch","data":{"room_id":"a"},"stream":"room:a","seq":3}'
    )
    assert frame.plain is frame.plain
    assert frame.numbered is frame.numbered

    fleeting = Delivered(Envelope(A, 0, "Typing", '{"username": "x"}'))
    assert fleeting.numbered == fleeting.plain
