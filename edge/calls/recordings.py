"""What is recorded of one call: its voicemail, and the call itself (rule: Recordings)."""

from datetime import datetime
from typing import Final, Literal

from edge.calls.leg import Leg
from edge.calls.reception import Reception
from edge.calls.record import CallRecord
from edge.logs import get_logger
from edge.media.engine import MediaCall, MediaUnavailable, Recorded, Recording
from edge.model.decision import Sounds

log = get_logger("edge.calls")

RECORDABLE: Final = ("PCMU", "PCMA")
RecordingKind = Literal["voicemail", "recording"]


def name_of(call_id: str, started_at: datetime, kind: RecordingKind) -> str:
    """Where a recording is found below the directory of recordings, without its suffix."""
    return f"{started_at:%Y-%m-%d}/{call_id}.{kind}"


class CallRecordings:
    """The recordings of a call.  Those that are ``running`` end with it at the latest."""

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self.running: dict[RecordingKind, Recording] = {}
        self.wanted = False
        self.asked = False
        """Whether who is now at the caller's end heard the consent message, or none was to be heard."""
        self._told = False

    def start(self, kind: RecordingKind, media: MediaCall, tracks: int, limit_s: float) -> Recording:
        """Begins a recording; raises MediaUnavailable."""
        facts = self._record.facts
        made = media.record(name_of(facts.call_id, facts.arrived_at, kind), tracks, limit_s)
        self.running[kind] = made
        return made

    async def prepare(self, reception: Reception, sounds: Sounds) -> None:
        """Where a call goes on, it is recorded as is said there: by a forward, or a menu's key, elsewhere.

        Its caller hears the consent message once; who can not hear it is not recorded.
        """
        if sounds.record == "off":
            await self._leave_off("the call went on to where it is off")
            return
        if not self.wanted and not reception.media.can_record:
            self._record.step("recording", "skipped", "there is no recorder")
            return
        if sounds.consent_prompt_id is not None and not self._told:
            if not await reception.answer_to_play():
                await self._leave_off("the caller can not hear the consent message")
                return
            self._told = True
            await reception.play(sounds.consent_prompt_id, "consent")
        self.wanted = self.asked = True
        if sounds.record == "start" and reception.answered and "recording" not in self.running:
            self._begin(reception)

    async def _leave_off(self, why: str) -> None:
        """What was recorded until now is kept."""
        self._record.step("recording", "skipped", why)
        self.wanted = False
        await self.finish()

    def join(self, reception: Reception, target: Leg) -> None:
        """The call is bridged: its target is the second track."""
        if self.wanted:
            recording = self.running.get("recording") or (self._begin(reception) if self.asked else None)
            if recording is not None:
                recording.hear(target.media, 1)

    def _begin(self, reception: Reception) -> Recording | None:
        limit_s = reception.services.limits.recording_max_s
        if "recording" in self._record.recordings:
            self._record.step("recording", "skipped", "the call has one, which ended before")
            return None
        try:
            recording = self.start("recording", reception.media, 2, limit_s)
        except MediaUnavailable as error:
            self._record.step("recording", "skipped", str(error))
            return None
        self._record.step("recording", "begun", f"{limit_s:g} s at most")
        recording.hear(reception.listen().media, 0)
        return recording

    async def finish(self) -> None:
        """Ends what runs, and says in the record what became of it."""
        for kind, recording in self.running.items():
            recorded = await recording.finish()
            self._record.recordings[kind] = _told(recorded)
            log.info(f"{kind}.failed" if recorded.error else f"{kind}.ready", duration_s=recorded.duration_s)
        self.running.clear()


def _told(recorded: Recorded) -> dict[str, object]:
    if recorded.error:
        return {"state": "failed", "duration_s": None, "reason": recorded.error}
    return {"state": "ready", "duration_s": recorded.duration_s, "reason": ""}
