"""pyVoIP as a phone in a process of its own: ``python -m tests.support.pyvoip_phone SETTINGS``.

SETTINGS is JSON: ``server`` (its registrar), ``host``, ``port``, ``dial`` (a number, or null to wait
for a call), ``sends_hz``, ``hears_hz``, ``talk_s``.  It prints one JSON object a line: ``ready``,
``answered``, ``over`` with the seconds in which it heard ``hears_hz``.
"""

import json
import sys
import threading
import time
from typing import Any

import numpy as np

from tests.support import tones

# pyVoIP.SIP does not import on its own: pyVoIP.VoIP must come first.
from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone  # isort: skip


def say(event: str, **details: Any) -> None:
    """One line for whoever started us."""
    print(json.dumps({"event": event, **details}), flush=True)


class Phone:
    """One phone, one call."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self.chosen = chosen
        self.over = threading.Event()
        server, port = chosen["server"]
        low = int(chosen["port"]) // 2 * 2 % 9000 + 10000  # below what the server may hold on every address
        self.phone = VoIPPhone(
            *(server, port, "phone", "a-password"),
            myIP=chosen["host"],
            callCallback=self.incoming,
            sipPort=chosen["port"],
            rtpPortLow=low,
            rtpPortHigh=low + 40,
        )

    def run(self) -> None:
        """Registers, calls or waits, talks, and stops."""
        self.phone.start()
        say("ready")
        try:
            if self.chosen["dial"]:
                self.talk(self.phone.call(self.chosen["dial"]), hangs_up=True)
            self.over.wait(30)
        finally:
            self.phone.stop()

    def incoming(self, call: VoIPCall) -> None:
        """pyVoIP calls this in a thread of its own."""
        call.answer()
        self.talk(call, hangs_up=False)

    def talk(self, call: VoIPCall, *, hangs_up: bool) -> None:
        """Sends the tone and records until its time is over, or the other side has hung up."""
        self._until_answered(call)
        say("answered")
        # Long enough for one that is connected late: whoever hears nothing reads for ever.
        tone = tones.tone(self.chosen["sends_hz"], self.chosen["talk_s"] + 20)
        call.write_audio((tone // 256 + 128).astype(np.uint8).tobytes())  # it wants unsigned 8-bit samples
        heard, ends = bytearray(), time.monotonic() + self.chosen["talk_s"]
        while call.state == CallState.ANSWERED and (time.monotonic() < ends or not hangs_up):
            heard += call.read_audio(160, blocking=True)
        if hangs_up and call.state == CallState.ANSWERED:
            call.hangup()
        samples = (np.frombuffer(bytes(heard), np.uint8).astype(np.int16) - 128) * 256
        say("over", heard_s=round(tones.heard(samples, self.chosen["hears_hz"]), 2))
        self.over.set()

    def _until_answered(self, call: VoIPCall) -> None:
        limit = time.monotonic() + 15
        while call.state != CallState.ANSWERED and time.monotonic() < limit:
            time.sleep(0.01)
        if call.state != CallState.ANSWERED:
            say("failed", state=str(call.state))


if __name__ == "__main__":
    Phone(json.loads(sys.argv[1])).run()
