"""Recordings: packets in their places, tracks side by side, and a full pipe that ends only them."""

import asyncio
import io
import os
import signal
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.clock import SystemClock
from edge.media import blocks, control, g711, wave_file
from edge.media.blocks import BLOCK, END, PCMA, PCMU, RATE, Block
from edge.media.engine import MediaUnavailable, Recorded
from edge.media.local import LocalConfig, LocalEngine
from edge.media.tape import Tape, Tapes
from edge.media.wave_file import WaveFile
from tests.support.media_worker import worker_under_test
from tests.support.ports import own_address
from tests.support.rtp_end import End, packet, plan_for
from tests.support.server import eventually
from tests.support.tones import heard, tone

LOUD = 0x80
"""The loudest octet of PCMU: 32,124."""


def read(path: Path) -> npt.NDArray[np.int16]:
    with wave.open(io.BytesIO(path.read_bytes())) as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return frames.reshape(-1, file.getnchannels())


# -- the file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "law"), [(PCMU, "PCMU"), (PCMA, "PCMA")])
def test_every_octet_is_expanded_as_the_law_says(tmp_path: Path, kind: int, law: str) -> None:
    file, octets = WaveFile(tmp_path / "a.wav", 1), bytes(range(256))
    file.put(Block(1, 0, kind, 0, octets))
    assert file.finish() == 256 / RATE
    assert np.array_equal(read(tmp_path / "a.wav")[:, 0], g711.decode(law, octets).astype(np.int16))


def test_tracks_stand_side_by_side_and_gaps_are_silent(tmp_path: Path) -> None:
    file = WaveFile(tmp_path / "day" / "a.wav", 2)
    file.put(Block(1, 0, PCMU, 100, bytes([LOUD] * 10)))
    file.put(Block(1, 1, PCMU, 50, bytes([LOUD] * 20)))
    file.put(Block(1, 2, PCMU, 0, bytes([LOUD] * 9)))
    file.finish()
    left, right = read(tmp_path / "day" / "a.wav").T
    assert list(np.flatnonzero(left)) == list(range(100, 110))
    assert list(np.flatnonzero(right)) == list(range(50, 70))
    assert not list((tmp_path / "day").glob("*.part"))


def test_what_comes_late_is_put_in_its_place_and_what_is_too_late_is_left_out(tmp_path: Path) -> None:
    file, second = WaveFile(tmp_path / "a.wav", 1), bytes([LOUD] * RATE)
    for at in range(2, 9):
        file.put(Block(1, 0, PCMU, at * RATE, second))
    file.put(Block(1, 0, PCMU, 1 * RATE, second))
    file.put(Block(1, 0, PCMU, 10 * RATE, second))
    file.put(Block(1, 0, PCMU, 9 * RATE, second))
    assert file.finish() == 11
    track = read(tmp_path / "a.wav")[:, 0].reshape(11, RATE)
    assert [bool(part.all()) for part in track] == [False, False] + [True] * 9


def test_an_hour_in_which_nobody_said_anything_takes_no_memory(tmp_path: Path) -> None:
    """Both were on hold: it is silence in the file, and not made in one piece."""
    file, second = WaveFile(tmp_path / "a.wav", 2), bytes([LOUD] * RATE)
    file.put(Block(1, 0, PCMU, 0, second))
    tracemalloc.start()
    try:
        file.put(Block(1, 1, PCMU, 3600 * RATE, second))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    file.put(Block(1, 0, PCMU, 3599 * RATE, second))
    assert file.finish() == 3601
    left, right = (track.reshape(3601, RATE) for track in read(tmp_path / "a.wav").T)
    assert [int(n) for n in np.flatnonzero(left.any(axis=1))] == [0, 3599]
    assert [int(n) for n in np.flatnonzero(right.any(axis=1))] == [3600]
    assert left[3599].all() and right[3600].all()
    assert (tmp_path / "a.wav").stat().st_size == 44 + 3601 * RATE * 4


# -- blocks -------------------------------------------------------------------------------------------


def test_blocks_come_out_as_they_went_in_however_they_are_cut() -> None:
    sent = [Block(1, 0, PCMU, 5, b"abc"), Block(2, 1, PCMA, 1 << 31, b"x" * 3000), Block(1, 0, END, 0, b"")]
    wire, unread, got = b"".join(blocks.encode_block(each) for each in sent), bytearray(), []
    for at in range(0, len(wire), 7):
        unread += wire[at : at + 7]
        got += blocks.blocks(unread)
    assert got == sent
    assert not unread


class Taken:
    """The pipe's other end."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.full = False

    def write(self, data: bytes) -> bool:
        self.data += b"" if self.full else data
        return not self.full

    def places(self) -> list[tuple[int, int]]:
        """Where each block begins, and its length."""
        return [(b.at, len(b.octets)) for b in blocks.blocks(bytearray(self.data)) if b.kind != END]


def test_packets_are_gathered_to_blocks_by_their_timestamps() -> None:
    taken = Taken()
    tape = Tape(1, 100.0, taken.write)
    track = tape.track(0)
    for place in range(25):
        jitter = 0.015 * (place % 3)
        track.add(PCMU, ((0xFFFFFF00 + 160 * place) % (1 << 32), 7), b"x" * 160, 102 + 0.02 * place + jitter)
    tape.end()
    assert taken.places() == [(2 * RATE, BLOCK), (2 * RATE + BLOCK, BLOCK), (2 * RATE + 2 * BLOCK, 800)]


def test_a_new_source_or_a_jump_of_its_timestamps_is_placed_by_the_clock() -> None:
    taken = Taken()
    tape = Tape(1, 100.0, taken.write)
    track = tape.track(0)
    track.add(PCMU, (5000, 7), b"x" * 160, 101)
    track.add(PCMU, (5160, 8), b"x" * 160, 103)
    track.add(PCMU, (9_999_999, 8), b"x" * 160, 105)
    track.add(PCMU, (9_999_999 + 320, 8), b"x" * 160, 105.04)
    tape.end()
    assert taken.places() == [(RATE, 160), (3 * RATE, 160), (5 * RATE, 160), (5 * RATE + 320, 160)]


def test_a_full_pipe_fails_the_recording_which_then_takes_nothing_more() -> None:
    taken = Taken()
    tape = Tape(1, 100.0, taken.write)
    track = tape.track(0)
    taken.full = True
    for place in range(11):
        track.add(PCMU, (160 * place, 7), b"x" * 160, 100 + 0.02 * place)
    assert tape.failed
    taken.full = False
    tape.end()
    assert not taken.data


def test_a_worker_whose_recorder_is_gone_says_which_recording_failed() -> None:
    failed: list[int] = []
    tapes = Tapes(failed.append)
    read_end, write_end = os.pipe()
    tapes.use(write_end)
    tapes.track(5, 0, 100.0).add(PCMU, (0, 7), b"x" * 160, 100.0)
    os.close(read_end)
    tapes.end(5)
    tapes.end(5)
    assert failed == [5]
    tapes.close()


# -- the worker ---------------------------------------------------------------------------------------


def test_a_recorded_leg_still_relays_and_only_its_audio_is_recorded() -> None:
    host = own_address()
    read_end, write_end = os.pipe()
    with worker_under_test(host) as worker, End(host) as caller, End(host) as target:
        caller_leg, target_leg = worker.leg(plan_for(caller.address)), worker.leg(plan_for(target.address))
        worker.bridge(caller_leg, target_leg)
        worker.worker._tapes.use(write_end)
        worker.say(blocks.encode_record(9, caller_leg[1], 1))
        for place in range(3):
            caller.send(packet(place, payload=bytes([place]) * 160), caller_leg)
        caller.send(packet(3, payload_type=101, payload=b"\x01\x8a\x03\x20"), caller_leg)
        worker.settle()
        worker.update(caller_leg[1], plan_for(caller.address))
        caller.send(packet(4, payload=bytes([4]) * 160), caller_leg)
        worker.settle()
        worker.say(blocks.encode_number(control.END_RECORDING, 9))
        assert len(target.received()) == 5
        assert worker.counters(caller_leg).packets_in == 5
        got = list(blocks.blocks(bytearray(os.read(read_end, 65536))))
    os.close(read_end)
    assert [(b.number, b.track) for b in got[:-1]] == [(9, 1)] * (len(got) - 1)
    assert b"".join(b.octets for b in got) == b"".join(bytes([p]) * 160 for p in (0, 1, 2, 4))
    assert got[-1].kind == END


def test_g711_under_a_dynamic_number_is_recorded_as_what_it_is() -> None:
    host = own_address()
    read_end, write_end = os.pipe()
    with worker_under_test(host) as worker, End(host) as caller:
        plan = plan_for(caller.address, payloads={}, play_codec="PCMA", play_payload=97)
        leg = worker.leg(plan)
        worker.worker._tapes.use(write_end)
        worker.say(blocks.encode_record(9, leg[1], 0))
        caller.send(packet(0, payload_type=97), leg)
        worker.settle()
        worker.say(blocks.encode_number(control.END_RECORDING, 9))
        got = list(blocks.blocks(bytearray(os.read(read_end, 65536))))
    os.close(read_end)
    assert [(block.kind, len(block.octets)) for block in got] == [(PCMA, 160), (END, 0)]


# -- the whole engine ---------------------------------------------------------------------------------


def engine(host: str, recordings: Path | None) -> LocalEngine:
    config = LocalConfig(20000, 20199, host, bind_host=host, workers=1, stock=8, recordings=recordings)
    return LocalEngine(config, SystemClock())


async def talk(end: End, to: tuple[str, int], count: int) -> None:
    octets = g711.encode("PCMU", tone(700, count * 0.02))
    for place in range(count):
        end.send(packet(place, payload=octets[160 * place : 160 * place + 160]), to)
        await asyncio.sleep(0.02)


async def test_what_a_leg_hears_is_in_the_file_when_the_recording_is_finished(tmp_path: Path) -> None:
    host = own_address()
    async with engine(host, tmp_path) as running:
        with running.call() as call, End(host) as end:
            leg = call.leg()
            leg.update(plan_for(end.address))
            recording = call.record("2026-11-22/call_1.voicemail", 1, 60)
            recording.hear(leg, 0)
            await call.counters()  # by then the worker records
            await talk(end, (leg.host, leg.port), 45)
            recorded = await recording.finish()
            await call.finish()
    assert not recorded.error
    samples = read(tmp_path / "2026-11-22" / "call_1.voicemail.wav")[:, 0]
    assert heard(samples, 700) >= 0.4
    assert recorded.duration_s == pytest.approx(len(samples) / RATE, abs=0.001)


async def test_a_recorder_that_dies_fails_what_it_was_writing_and_is_started_anew(tmp_path: Path) -> None:
    host = own_address()
    async with engine(host, tmp_path) as running:
        with running.call() as call:
            recording = call.record("day/a", 1, 60)
            assert running._recorder is not None
            os.kill(running._recorder._process.pid, signal.SIGKILL)
            assert (await recording.finish()).error == "the recorder was lost"
            assert not call.can_record
            await eventually(lambda: call.can_record)
            with End(host) as end:
                leg = call.leg()
                leg.update(plan_for(end.address))
                again = call.record("day/b", 1, 60)
                again.hear(leg, 0)
                await call.counters()  # by then the worker records
                await talk(end, (leg.host, leg.port), 10)
                recorded = await again.finish()
            assert (recorded.error, recorded.duration_s > 0) == ("", True)


async def test_what_a_lost_recorder_was_writing_is_not_kept(tmp_path: Path) -> None:
    """Its call's record says that it failed; the voices would lie there for ever."""
    kept, half = tmp_path / "2026-06-01" / "a.wav", tmp_path / "2026-06-01" / "b.wav.part"
    kept.parent.mkdir()
    for each in (kept, half):
        each.write_bytes(b"RIFF")
    async with engine(own_address(), tmp_path) as running:
        with running.call() as call:
            assert await call.record("2026-06-02/c", 1, 60).finish() == Recorded(0.0)
    assert kept.exists() and not half.exists()


def test_a_file_for_which_there_is_no_room_is_not_left_behind_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wave_file, "_header", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        WaveFile(tmp_path / "a.wav", 1)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_can_not_be_written_fails_its_recording_alone(tmp_path: Path) -> None:
    host = own_address()
    (tmp_path / "day").write_text("in the way")
    async with engine(host, tmp_path) as running:
        with running.call() as call:
            failed, good = call.record("day/a", 1, 60), call.record("other/a", 1, 60)
            assert (await failed.finish()).error.startswith("the recording can not be written")
            assert await good.finish() == Recorded(0.0)


async def test_without_a_directory_nothing_can_be_recorded() -> None:
    async with engine(own_address(), None) as running:
        with running.call() as call:
            assert not call.can_record
            with pytest.raises(MediaUnavailable):
                call.record("a", 1, 60)
