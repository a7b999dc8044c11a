"""A small frame that inflates to much memory reaches no server that is started as documented."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.client import Client
from tests.conftest import Users
from tests.servers import ChatProcess, chosen_kind

MEBIBYTE = 2**20
INFLATED = 512 * MEBIBYTE
#: What the process may need more of: far less than the text.
MEMORY = 64 * MEBIBYTE


@pytest.fixture
def process(server_environment: Mapping[str, str]) -> Iterator[ChatProcess]:
    """A process of the chosen server."""
    with ChatProcess(server_environment, kind=chosen_kind()) as process:
        yield process


def deflated(size: int) -> bytes:
    """Spaces, as a frame with compression has them in it."""
    compressor = zlib.compressobj(wbits=-15)
    pieces = [compressor.compress(b" " * MEBIBYTE) for _ in range(size // MEBIBYTE)]
    return b"".join([*pieces, compressor.flush(zlib.Z_SYNC_FLUSH)])[:-4]


def frame(payload: bytes) -> bytes:
    """A text frame of a client that says that its payload is compressed."""
    fin, compressed, text, masked, long = 0x80, 0x40, 0x01, 0x80, 127
    head = struct.pack("!BBQ", fin | compressed | text, masked | long, len(payload))
    return head + bytes(4) + payload


def peak(pid: int) -> int:
    """The most memory that a process and those that it started have needed, in bytes.

    Only Linux tells; elsewhere it is 0.
    """
    tree = Path("/proc", str(pid))
    if not tree.exists():
        return 0
    lines = (tree / "status").read_text().splitlines()
    (mine,) = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    children = (tree / "task" / str(pid) / "children").read_text().split()
    return mine + sum(map(peak, map(int, children)))


async def test_a_frame_that_inflates_is_refused_as_no_compression_is_agreed_on(
    process: ChatProcess, users: Users
) -> None:
    alice, bob = users.make("alice", "bob")
    payload = deflated(INFLATED)
    assert len(payload) < MEBIBYTE
    async with Client(process.url, bob.pk) as other:
        before = peak(process.pid)

        async with Client(process.url, alice.pk, compression="deflate") as attacker:
            assert attacker.socket.protocol.extensions == []
            attacker.socket.transport.write(frame(payload))
            # A protocol error, which granian does not name.
            assert await attacker.closed() in (1002, 1005, 1006)

        await other.heartbeat()
        assert peak(process.pid) - before < MEMORY
