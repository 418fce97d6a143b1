"""The main process's end of the recorder: its process, and the recordings that it writes."""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, Final, Self

from edge.logs import get_logger
from edge.media import blocks, control
from edge.media.engine import MediaLeg, Recorded
from edge.media.link import Link

log = get_logger(__name__)

_PIPE_OCTETS: Final = 1 << 20
"""Blocks of a second and more for a hundred calls; what does not fit fails its recording."""
_MESSAGE: Final = 4096
_MESSAGES_A_WAKE: Final = 16
_ANSWER_S: Final = 5.0
_GOODBYE_S: Final = 10.0
_numbers = itertools.count(1)


class RecorderLink:
    """One life of the recorder's process."""

    def __init__(self, sock: socket.socket, process: asyncio.subprocess.Process) -> None:
        self.alive = True
        self.ended = asyncio.Event()
        self._sock = sock
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, asyncio.Future[Recorded]] = {}
        self._loop.add_reader(sock.fileno(), self._readable)

    @classmethod
    async def started(cls, directory: Path) -> Self:
        """A recorder that writes below ``directory``; raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as undo, theirs:
            undo.enter_context(ours)
            ours.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "edge.media.recorder", str(theirs.fileno()), str(directory)),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
            undo.pop_all()
        return cls(ours, process)

    def serve(self, worker: Link) -> None:
        """Lays a pipe from a media worker to the recorder."""
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # not allowed to be so long: the usual 64 kB
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_OCTETS)
        try:
            self._ask(read, do="pipe")
        finally:
            os.close(read)
        worker.on_recording_failed = self.fail
        worker.send_pipe(write)

    def open(self, name: str, tracks: int, limit_s: float) -> int:
        """Opens a recording that takes so much; its number."""
        number = next(_numbers)
        self._open[number] = self._loop.create_future()
        self._ask(None, do="open", number=number, name=f"{name}.wav", tracks=tracks, limit_s=limit_s)
        return number

    async def close(self, number: int) -> Recorded:
        """Ends a recording, of which the worker sends its end as well; what became of it."""
        answer = self._open[number]
        if not answer.done():
            self._ask(None, do="close", number=number, wait=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await asyncio.shield(answer)
        del self._open[number]
        return answer.result() if answer.done() else Recorded(error="the recorder did not answer")

    def fail(self, number: int) -> None:
        """A worker could not hand over all of a recording."""
        self._answer(number, Recorded(error="the recorder did not keep up"))

    def _answer(self, number: int, recorded: Recorded) -> None:
        answer = self._open.get(number)
        if answer is not None and not answer.done():
            answer.set_result(recorded)

    def _ask(self, descriptor: int | None, **asked: Any) -> None:
        if not self.alive:
            return
        try:
            descriptors = [] if descriptor is None else [descriptor]
            socket.send_fds(self._sock, [json.dumps(asked).encode()], descriptors)
        except OSError as error:  # full as well: it hangs
            self._over(f"it does not read its control socket: {error.strerror}")

    def _readable(self) -> None:
        for _ in range(_MESSAGES_A_WAKE):
            try:
                message = self._sock.recv(_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._over("its control socket closed")
                return
            said = json.loads(message)
            self._answer(said["number"], Recorded(said.get("duration_s", 0.0), said.get("error", "")))

    def _over(self, why: str) -> None:
        if self.alive:
            log.error("recorder lost", recorder=self._process.pid, reason=why, recordings=len(self._open))
            self._disconnect()

    def _disconnect(self) -> None:
        self.alive = False
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for number in list(self._open):
            self._answer(number, Recorded(error="the recorder was lost"))
        self.ended.set()

    async def stop(self) -> None:
        """Closes the control socket, which ends the recorder; one that stays is killed."""
        if self.alive:
            self._disconnect()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class LocalRecording:
    """A recording of legs on one worker.  See ``engine.Recording``."""

    def __init__(self, recorder: RecorderLink, worker: Link, name: str, tracks: int, limit_s: float) -> None:
        self._recorder = recorder
        self._worker = worker
        self._number = recorder.open(name, tracks, limit_s)

    def hear(self, leg: MediaLeg, track: int) -> None:
        """What the peer of that leg says from now on is that track."""
        self._worker.send(blocks.encode_record(self._number, leg.port, track))

    async def finish(self) -> Recorded:
        """Ends it; call it once."""
        self._worker.send(blocks.encode_number(control.END_RECORDING, self._number))
        recorded = await self._recorder.close(self._number)
        if recorded.error:
            log.error("recording.failed", reason=recorded.error)
        return recorded
