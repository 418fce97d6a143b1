"""Prompts: whatever audio is uploaded plays as the same sound, or is refused with a reason."""

import asyncio
import hashlib
import tomllib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.media import g711, prompts
from edge.media.transcode import MAX_BYTES
from tests.support import tones


def audio(
    rate: int = 8000, tracks: int = 1, form: str = "WAV", subtype: str | None = "PCM_16", **sound: float
) -> bytes:
    """An audio file of a tone; ``sound`` may set seconds and amplitude."""
    samples = tones.tone(440, sound.get("seconds", 0.5), amplitude=sound.get("amplitude", 0.5), rate=rate)
    file = BytesIO()
    soundfile.write(file, np.repeat(samples[:, None], tracks, axis=1), rate, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("rate", "tracks", "form", "subtype"),
    [
        (8000, 1, "WAV", "PCM_16"),
        (44_100, 2, "WAV", "PCM_24"),
        (48_000, 1, "WAV", "FLOAT"),
        (11_025, 1, "WAV", "PCM_U8"),
        (16_000, 2, "WAV", "PCM_32"),
        (8000, 1, "WAV", "ALAW"),
        (22_050, 1, "FLAC", "PCM_16"),
        (48_000, 2, "OGG", "VORBIS"),
        (44_100, 1, "MP3", "MPEG_LAYER_III"),
    ],
)
async def test_the_tone_is_heard_in_both_laws(rate: int, tracks: int, form: str, subtype: str) -> None:
    data = audio(rate, tracks, form, subtype, seconds=0.5)
    made = await prompts.transcode(data)
    assert made.duration_s == pytest.approx(0.5, abs=0.06)  # lossy codecs pad to whole frames
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    for law, octets in made.frames.items():
        assert len(octets) == round(made.duration_s * 8000)
        assert tones.share(g711.decode(law, octets), 440) > 0.95
    assert set(made.frames) == {"PCMU", "PCMA"}


@pytest.mark.parametrize(("amplitude", "peak"), [(0.99, 0.708), (0.25, 0.25)])
async def test_loud_audio_is_turned_down_and_quiet_audio_left_alone(amplitude: float, peak: float) -> None:
    made = await prompts.transcode(audio(amplitude=amplitude))
    heard = np.abs(g711.decode("PCMU", made.frames["PCMU"]).astype(float)).max() / 32767
    assert heard == pytest.approx(peak, rel=0.05)


async def test_what_telephones_can_not_carry_does_not_come_back_as_another_tone() -> None:
    file = BytesIO()
    soundfile.write(file, tones.tone(7000, 0.5, rate=44_100), 44_100, format="WAV")
    made = await prompts.transcode(file.getvalue())
    steady = g711.decode("PCMU", made.frames["PCMU"])[400:-400]  # its ends click
    assert np.abs(steady).max() < 330  # 1 % of full scale


def _lying_length() -> bytes:
    """A header that says 2 GB over a few samples."""
    data = bytearray(audio())
    data[4:8] = data[40:44] = (2_000_000_000).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(200), "no audio file"),
        (audio()[:30], "no audio file"),
        (audio(seconds=0), "no sound"),
        (audio(tracks=9), "9 audio tracks"),
        (audio(rate=1000), "sample rate"),
        (audio(seconds=601, form="FLAC"), "longer than 10 minutes"),
        (bytes(MAX_BYTES + 1), "larger than 20 MB"),
    ],
    ids=["empty", "a picture", "cut off", "no samples", "nine tracks", "low rate", "too long", "too large"],
)
async def test_unusable_audio_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(prompts.PromptError, match=reason):
        await prompts.transcode(data)


async def test_a_header_that_lies_about_the_length_harms_nobody() -> None:
    made = await prompts.transcode(_lying_length())
    assert made.duration_s == 0.5


async def test_not_a_number_is_silence_and_spoils_nothing_else() -> None:
    samples = np.concatenate([np.full(8000, np.nan), tones.tone(440, 1, amplitude=0.99, rate=16_000) / 32768])
    file = BytesIO()
    soundfile.write(file, samples.astype(np.float32), 16_000, format="WAV", subtype="FLOAT")
    octets = (await prompts.transcode(file.getvalue())).frames["PCMU"]
    assert set(octets[:3900]) == {0xFF}
    heard = g711.decode("PCMU", octets[4100:])
    assert tones.share(heard, 440) > 0.95
    assert np.abs(heard).max() / 32767 == pytest.approx(0.708, rel=0.05)


async def test_a_decoder_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_WALL_CLOCK_S", 0.0)
    with pytest.raises(prompts.PromptError, match="longer than"):
        await prompts.transcode(audio())


async def test_a_decoder_that_dies_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.media.prompts.sys.executable", "/bin/false")
    with pytest.raises(prompts.PromptError, match="within the limits"):
        await prompts.transcode(audio(seconds=20))


async def test_a_decoder_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    real = asyncio.create_subprocess_exec

    async def watched(*command: str, **options: object) -> asyncio.subprocess.Process:
        seen.update(options)
        return await real(*command, **options)  # type: ignore[arg-type]

    monkeypatch.setenv("EDGE_ADMIN_TOKEN", "secret")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    await prompts.transcode(audio())
    assert "EDGE_ADMIN_TOKEN" not in seen["env"]  # type: ignore[operator]


async def test_every_built_in_prompt_plays() -> None:
    built_in = prompts.built_in_prompts()
    assert set(built_in) == {"greeting", "closed", "unavailable", "voicemail", "press-1", "beep", "consent"}
    for prompt in built_in.values():
        made = await prompts.transcode(prompt.audio)
        assert 0.3 < made.duration_s < 10
        assert np.abs(g711.decode("PCMU", made.frames["PCMU"])).max() > 10_000
    assert built_in["beep"].text == ""
    beep = (await prompts.transcode(built_in["beep"].audio)).frames["PCMA"]
    assert tones.share(g711.decode("PCMA", beep)[1200:3600], 1000) > 0.95


def test_the_readme_says_what_the_prompts_say() -> None:
    folder = Path(__file__).parents[2] / "prompts"
    readme = (folder / "README.md").read_text("utf-8")
    for name, text in tomllib.loads((folder / "texts.toml").read_text("utf-8")).items():
        assert f"`{name}.wav` | {text}" in readme
