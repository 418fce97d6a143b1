"""The inbox of a call: one reader, deadlines, nothing lost."""

import asyncio

from edge.calls.inbox import Inbox


async def test_items_come_in_order_and_a_deadline_answers_none() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.put(1)
    inbox.put(2)
    assert [await inbox.get(), await inbox.get(0)] == [1, 2]
    assert await inbox.get(0.001) is None


async def test_a_waiting_reader_is_woken() -> None:
    inbox: Inbox[str] = Inbox()
    asyncio.get_running_loop().call_soon(inbox.put, "here")
    assert await inbox.get(5) == "here"


async def test_a_cancelled_reader_loses_nothing() -> None:
    inbox: Inbox[str] = Inbox()
    reader = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    inbox.put("kept")
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert await inbox.get(0) == "kept"


async def test_a_later_deadline_is_not_met_by_the_timer_of_an_earlier_one() -> None:
    inbox: Inbox[str] = Inbox()
    loop = asyncio.get_running_loop()
    loop.call_soon(inbox.put, "before it")
    assert await inbox.get(0.01) == "before it"
    began = loop.time()
    assert await inbox.get(0.05) is None
    assert loop.time() - began >= 0.045


async def test_an_earlier_deadline_is_met_though_a_later_one_was_set() -> None:
    inbox: Inbox[str] = Inbox()
    asyncio.get_running_loop().call_soon(inbox.put, "here")
    assert await inbox.get(3600) == "here"
    async with asyncio.timeout(30):
        assert await inbox.get(0.001) is None
    inbox.close()


async def test_of_many_deadlines_each_is_met_and_those_given_up_are_not() -> None:
    inboxes: list[Inbox[str]] = [Inbox() for _ in range(400)]
    waits = [asyncio.ensure_future(inbox.get(0.02 if at % 4 else 60)) for at, inbox in enumerate(inboxes)]
    await asyncio.sleep(0)
    for inbox in inboxes[1::4]:
        inbox.put("here")
    for inbox in inboxes[::4]:
        inbox.put("soon")
        inbox.close()
    said = await asyncio.gather(*waits)
    assert said == ["soon", "here", None, None] * 100
    assert await inboxes[1].get(0.001) is None


async def test_what_is_wanted_is_taken_out_and_the_rest_keeps_its_order() -> None:
    inbox: Inbox[int] = Inbox()
    for item in range(5):
        inbox.put(item)
    assert inbox.take(lambda item: item % 2 == 1) == [1, 3]
    assert [await inbox.get(0) for _ in range(4)] == [0, 2, 4, None]
