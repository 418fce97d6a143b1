"""Audio codecs as SDP names them, and G.711 sample by sample (ITU-T G.711).

A codec that calls may use is a row here only if RTP gives it a fixed payload number (RFC 3551
section 6); any other passes by its ``a=rtpmap``.  Bulk conversion of samples is in ``g711``.
"""

from collections.abc import Iterable
from typing import NamedTuple


class _Fields(NamedTuple):
    payload: int
    name: str
    clock_rate: int
    parameters: str
    fmtp: str
    key: tuple[str, int, str]
    lines: str


class Codec(_Fields):
    """One payload format of one description: number, encoding name, clock rate in Hz.

    ``parameters`` is rtpmap's third part (the count of audio channels), empty for one; ``fmtp``
    the format parameters, empty if none.  ``key`` is what makes two descriptions' entries the same
    codec, whatever their numbers; ``lines`` the entry as SDP attributes.  A tuple, since what codecs alone
    decide is remembered by their tuples, of which each call asks some: their hash is no Python code.
    """

    __slots__ = ()

    def __new__(
        cls, payload: int, name: str, clock_rate: int, parameters: str = "", fmtp: str = ""
    ) -> "Codec":
        mapped = f"a=rtpmap:{payload} {name}/{clock_rate}"
        mapped += f"/{parameters}" if parameters else ""
        lines = f"{mapped}\r\na=fmtp:{payload} {fmtp}" if fmtp else mapped
        key = (name.lower(), clock_rate, "" if parameters == "1" else parameters)
        return super().__new__(cls, payload, name, clock_rate, parameters, fmtp, key, lines)

    def numbered(self, payload: int) -> "Codec":
        """The same codec under another payload number."""
        if payload == self.payload:
            return self
        return Codec(payload, self.name, self.clock_rate, self.parameters, self.fmtp)

    def with_fmtp(self, fmtp: str) -> "Codec":
        """The same codec with other format parameters."""
        if fmtp == self.fmtp:
            return self
        return Codec(self.payload, self.name, self.clock_rate, self.parameters, fmtp)


TELEPHONE_EVENT = "telephone-event"
COMFORT_NOISE = "cn"

STATIC: dict[int, Codec] = {
    codec.payload: codec
    for codec in (
        Codec(0, "PCMU", 8000),
        Codec(3, "GSM", 8000),
        Codec(4, "G723", 8000),
        Codec(5, "DVI4", 8000),
        Codec(6, "DVI4", 16000),
        Codec(7, "LPC", 8000),
        Codec(8, "PCMA", 8000),
        Codec(9, "G722", 8000),  # 16 kHz audio; the clock rate is 8000 by mistake (RFC 3551 4.5.2)
        Codec(10, "L16", 44100, "2"),
        Codec(11, "L16", 44100),
        Codec(12, "QCELP", 8000),
        Codec(13, "CN", 8000),
        Codec(15, "G728", 8000),
        Codec(16, "DVI4", 11025),
        Codec(17, "DVI4", 22050),
        Codec(18, "G729", 8000),
    )
}
"""Payload numbers that need no rtpmap (RFC 3551 table 4)."""


def is_voice(codec: Codec) -> bool:
    """Whether the codec carries speech by itself: key presses and comfort noise do not."""
    return codec.key[0] not in (TELEPHONE_EVENT, COMFORT_NOISE)


def counterpart(codec: Codec, among: Iterable[Codec]) -> Codec | None:
    """The same codec in another description: of several the one with its parameters, else with its number.

    AMR may be offered twice, its octets packed in two ways (RFC 4867 section 8.3).
    """
    alike = [other for other in among if other.key == codec.key]
    if len(alike) < 2:
        return alike[0] if alike else None
    return max(alike, key=lambda other: (other.fmtp == codec.fmtp, other.payload == codec.payload))


def encode_mulaw(sample: int) -> int:
    """One 16-bit linear sample to one µ-law octet."""
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    code = exponent << 4 | magnitude >> (exponent + 3) & 0x0F
    return ~(code | (0x80 if sample < 0 else 0)) & 0xFF


def decode_mulaw(octet: int) -> int:
    """One µ-law octet to a 16-bit linear sample."""
    code = ~octet & 0xFF
    magnitude = (((code & 0x0F) << 3) + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def encode_alaw(sample: int) -> int:
    """One 16-bit linear sample to one A-law octet."""
    magnitude = (sample if sample >= 0 else ~sample) >> 3
    exponent = max(0, magnitude.bit_length() - 5)
    code = exponent << 4 | magnitude >> max(1, exponent) & 0x0F
    return code ^ (0xD5 if sample >= 0 else 0x55)


def decode_alaw(octet: int) -> int:
    """One A-law octet to a 16-bit linear sample."""
    code = octet ^ 0x55
    exponent = code >> 4 & 7
    magnitude = ((code & 0x0F) << 4) + (8 if exponent == 0 else 0x108)
    magnitude <<= max(0, exponent - 1)
    return magnitude if code & 0x80 else -magnitude
