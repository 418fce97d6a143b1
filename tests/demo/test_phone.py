"""Two scripted phones call each other directly: processes, SIP and sound are real."""

import asyncio

from edge.demo.handset import Handset

BUYER = ("answer", "--tone", "700", "--listen-for", "500", "--ring-s", "0.1")


def caller(to: str, *more: str) -> tuple[str, ...]:
    return ("call", "--to", f"sip:100@{to}", "--tone", "500", "--listen-for", "700", *more)


async def test_each_hears_the_others_tone() -> None:
    async with (
        Handset.started(*BUYER) as buyer,
        Handset.started(*caller(buyer.address, "--caller", "+14155550111", "--enough-s", "1")) as phone,
    ):
        assert (await phone.until("ringing", 30))["status"] == 180
        await phone.until("answered", 30)
        assert (await phone.until("ended", 30))["by"] == "us"
        heard = await phone.until("heard", 30)
        assert heard["tones"]["700"] >= 0.6
        assert heard["other_s"] <= 0.2
        assert "+14155550111" in (await buyer.until("called", 30))["headers"]["From"]
        assert (await buyer.until("ended", 30))["by"] == "peer"
        assert (await buyer.until("heard", 30))["tones"]["500"] >= 0.4


async def test_a_busy_phone_refuses() -> None:
    async with (
        Handset.started("answer", "--status", "486") as buyer,
        Handset.started(*caller(buyer.address)) as phone,
    ):
        assert (await phone.until("refused", 30))["status"] == 486


async def test_a_phone_put_down_hangs_up() -> None:
    async with (
        Handset.started(*BUYER) as buyer,
        Handset.started(*caller(buyer.address)) as phone,
    ):
        await phone.until("answered", 30)
        phone.put_down()
        assert (await buyer.until("ended", 30))["by"] == "peer"


async def test_a_phone_put_down_while_it_rings_cancels() -> None:
    async with (
        Handset.started("answer", "--ring-s", "2") as buyer,
        Handset.started(*caller(buyer.address)) as phone,
    ):
        await phone.until("ringing", 30)
        phone.put_down()
        await buyer.until("cancelled", 30)


async def test_a_call_ends_at_its_limit() -> None:
    async with (
        Handset.started(*BUYER) as buyer,
        Handset.started(*caller(buyer.address, "--at-most-s", "2")) as phone,
    ):
        assert (await phone.until("ended", 30))["why"] == "time"
        await buyer.until("ended", 30)


async def test_one_phone_takes_several_calls() -> None:
    async with Handset.started(*BUYER) as buyer:
        for _ in range(2):
            async with Handset.started(*caller(buyer.address, "--at-most-s", "0.3")) as phone:
                await phone.until("ended", 30)
        async with asyncio.timeout(30):
            await buyer.until("called", 30)
            await buyer.until("called", 30)
