import asyncio
from collections.abc import Callable

import pytest

from tests.client import Client
from tests.harness.echo import application
from tests.servers import ChatProcess, ChatThread

ECHO = "tests.harness.echo:application"


async def hello(url: str) -> None:
    async with Client(url, greeted=False) as client:
        await client.send_raw('{"hello": "there"}')
        assert await client.next() == {"hello": "there"}


async def test_a_thread_serves_on_a_real_socket() -> None:
    with ChatThread(application) as server:
        await hello(server.url)


async def test_a_thread_that_stops_closes_its_sockets_and_comes_back_at_its_address() -> None:
    with ChatThread(ECHO) as server:
        async with Client(server.url, greeted=False) as client:
            address = server.url
            await asyncio.to_thread(server.restart)

            assert await client.closed() == 1012
            assert server.url == address
            await hello(address)


def test_a_thread_runs_coroutines_in_the_loop_of_its_server() -> None:
    async def name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return type(task.get_loop()).__module__

    with ChatThread(application) as server:
        assert server.run(name()).split(".")[0] in {"asyncio", "uvloop"}

    unused = name()
    with pytest.raises(RuntimeError, match="not running"):
        server.run(unused)
    unused.close()


def test_a_thread_whose_port_is_taken_does_not_come_up() -> None:
    with ChatThread(application) as server:
        second = ChatThread(application)
        second.port = server.port

        with pytest.raises(RuntimeError, match="did not come up"):
            second.start()


@pytest.mark.parametrize(("end", "code"), [(ChatProcess.stop, 1012), (ChatProcess.kill, 1006)])
async def test_a_process_comes_back_at_its_address(
    end: Callable[[ChatProcess], None], code: int
) -> None:
    with ChatProcess(application=ECHO) as server:
        async with Client(server.url, greeted=False) as client:
            await asyncio.to_thread(end, server)

            assert not server.running
            assert await client.closed() == code
        await asyncio.to_thread(server.start)
        await hello(server.url)


async def test_a_process_has_the_environment_it_is_given() -> None:
    with ChatProcess({"CHAT_TEST_MARK": "here"}, ECHO) as server:
        async with Client(server.url, greeted=False) as client:
            await client.send_raw("environment CHAT_TEST_MARK")
            assert await client.next() == {"value": "here"}


def test_a_process_that_cannot_start_says_why() -> None:
    server = ChatProcess(application="no_such_module:x")

    with pytest.raises(RuntimeError, match="no_such_module"), server:
        pass
