"""The caller leaves a message: a beep, then what is said, until a hang-up, ``#`` or the limit."""

from edge.calls.happenings import MediaHappened
from edge.calls.reception import Reception
from edge.calls.recordings import CallRecordings
from edge.media.engine import MediaTimeout


async def take_message(reception: Reception, recordings: CallRecordings, limit_s: float) -> None:
    """Records the caller for ``limit_s`` seconds at most; raises CallOver when the caller hangs up."""
    await reception.play(None, "beep")
    caller = reception.listen()
    recordings.start("voicemail", reception.media, 1, limit_s).hear(caller.media, 0)
    reception.phase = "voicemail"
    reception.record.step("voicemail", "recording", f"{limit_s:g} s at most")
    until = min(reception.until, reception.services.clock.monotonic() + limit_s)
    while (happening := await reception.awaited(until)) is not None:
        if reception.key_of(happening) == "#":
            return
        match happening:
            case MediaHappened(leg=leg, event=MediaTimeout()) if leg is caller:
                return
