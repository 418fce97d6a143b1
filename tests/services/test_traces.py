"""Calls' SIP messages in files: written, found again, bounded; and as a capture file."""

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.calls.trace import Direction, Kept
from edge.services.pcap import Message, pcap
from edge.services.traces import AT_ONCE, TraceFiles
from edge.sip.events import Flow

ENDED = datetime(2026, 11, 28, 12, 30, 59, 999000, tzinfo=UTC)
FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5080))


def kept(text: bytes) -> Kept:
    return lambda: [
        (1.5, "in", FLOW, b"INVITE " + text),
        (2.5, "out", FLOW, b"SIP/2.0 100\r\nX-Edge-Call-Key: k3y\r\n\r\n"),
    ]


async def test_messages_are_found_again_without_their_secrets(tmp_path: Path) -> None:
    async with TraceFiles(tmp_path / "traces", 1_000_000) as files:
        for number in range(5):
            files.keep(f"call_{number}", ENDED, kept(b"%d\n" % number))
    async with TraceFiles(tmp_path / "traces", 1_000_000) as files:
        found = await files.messages("call_3", ENDED)
        assert found[0] == Message(1.5, ("192.0.2.9", 5080), ("192.0.2.1", 5060), b"INVITE 3\n")
        assert found[1].data == b"SIP/2.0 100\r\nX-Edge-Call-Key: (removed)\r\n\r\n"
        assert await files.messages("call_9", ENDED) == ()
        assert await files.messages("call_3", ENDED + timedelta(minutes=1)) == ()
    assert b"k3y" not in b"".join(path.read_bytes() for path in (tmp_path / "traces").iterdir())


async def test_messages_that_can_not_be_rendered_cost_no_other_call_its_own(tmp_path: Path) -> None:
    def breaks() -> list[tuple[float, Direction, Flow, bytes]]:
        raise LookupError("a bug")

    no_instant = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    with capture_logs() as lines:
        async with TraceFiles(tmp_path / "traces", 1_000_000) as files:
            files.keep("before", ENDED, kept(b"1\n"))
            files.keep("broken", ENDED, breaks)
            files.keep("after", ENDED, kept(b"2\n"))
            files.keep("never", no_instant, kept(b"3\n"))
            for number in range(AT_ONCE):
                files.keep(f"later_{number}", ENDED, kept(b"4\n"))
        asked = ("before", "broken", "after", "later_99")
        assert [one for one in asked if await files.messages(one, ENDED)] == ["before", "after", "later_99"]
    told = [(line["event"], line.get("call_id")) for line in lines if line["log_level"] == "error"]
    assert told == [("trace.not_made", "broken"), ("traces.broke", None)]


async def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    async with TraceFiles(folder, 50_000) as files:
        for minute in range(61):
            files.keep(f"call_{minute}", ENDED + timedelta(minutes=minute), kept(b"x" * 1000))
    left = sorted(folder.iterdir())
    assert len(left) < 61
    assert left[-1].name == "2026-11-28T1330.trace"


async def test_a_flood_within_one_minute_is_bounded_too(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    async with TraceFiles(folder, 50_000) as files:
        for number in range(3 * AT_ONCE):
            files.keep(f"call_{number}", ENDED, kept(b"x" * 1000))
        files.keep("last", ENDED, kept(b"y"))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 50_000 + AT_ONCE * 2000
    async with TraceFiles(folder, 50_000) as files:
        assert await files.messages("last", ENDED) and not await files.messages("call_0", ENDED)


async def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    async with TraceFiles(tmp_path / "traces", 0) as files:
        files.keep("call_1", ENDED, kept(b""))
        assert await files.messages("call_1", ENDED) == ()
    assert not (tmp_path / "traces").exists()


@pytest.mark.parametrize(
    ("source", "target", "version"),
    [(("192.0.2.9", 5080), ("192.0.2.1", 5060), 4), (("2001:db8::9", 5080), ("2001:db8::1", 5060), 6)],
)
def test_a_capture_file(source: tuple[str, int], target: tuple[str, int], version: int) -> None:
    data = pcap([Message(1_700_000_000.25, source, target, b"INVITE sip:x SIP/2.0\r\n\r\n")] * 2)
    magic, *_, link = struct.unpack("<IHHiIII", data[:24])
    assert (magic, link) == (0xA1B2C3D4, 101)
    seconds, micros, length, whole = struct.unpack("<IIII", data[24:40])
    assert (seconds, micros, length) == (1_700_000_000, 250_000, whole)
    packet = data[40 : 40 + length]
    assert packet[0] >> 4 == version
    assert packet.endswith(b"INVITE sip:x SIP/2.0\r\n\r\n")
    assert len(data) == 24 + 2 * (16 + length)
    words = packet[:20] if version == 4 else packet[8:40] + struct.pack(">II", length - 40, 17) + packet[40:]
    total = sum(int.from_bytes(words[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
