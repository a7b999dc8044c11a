from tests.conftest import Connect, StartProcess, Users
from tests.servers import ChatProcess


async def test_a_user_is_greeted_by_every_process(
    two_processes: tuple[ChatProcess, ChatProcess], connect: Connect, users: Users
) -> None:
    user = users("alice")

    for process in two_processes:
        alice = await connect(user, url=process.url)
        assert alice.notifications == {}
        await alice.nothing()


async def test_a_process_that_ends_tells_its_sockets_to_come_back(
    start_process: StartProcess, connect: Connect, users: Users
) -> None:
    user = users("alice")
    process = start_process()
    alice = await connect(user, url=process.url)

    process.restart()

    assert await alice.closed() in {1001, 1012}
    await (await connect(user, url=process.url)).nothing()


async def test_a_process_that_is_killed_comes_back(
    start_process: StartProcess, connect: Connect, users: Users
) -> None:
    user = users("alice")
    process = start_process()
    alice = await connect(user, url=process.url)

    process.kill()
    assert await alice.closed() == 1006

    process.start()
    await (await connect(user, url=process.url)).nothing()
