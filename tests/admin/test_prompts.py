"""Prompts uploaded, heard again, refused when they are no audio; tokens made and revoked."""

import io
import math
import struct
import wave

import aiohttp
import pytest

from edge.admin import bodies
from edge.media import speech
from tests.admin.client import Answer, Client
from tests.admin.conftest import Backstage


def tone(seconds: float = 0.5, rate: int = 16000) -> bytes:
    """A WAV file with a tone of 400 Hz."""
    out = io.BytesIO()
    samples = (int(9000 * math.sin(2 * math.pi * 400 * n / rate)) for n in range(int(seconds * rate)))
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


async def upload(api: Client, audio: bytes, **fields: str) -> Answer:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("file", audio, filename="prompt.wav", content_type="audio/wav")
    return await api.ask("POST", "prompts", data=form)


async def test_an_upload_can_be_played_and_heard_again(api: Client, backstage: Backstage) -> None:
    made = await upload(api, tone(), name="welcome")
    assert made.status == 201, made.body
    assert made.json["name"] == "welcome"
    assert made.json["duration_s"] == pytest.approx(0.5, abs=0.02)
    assert set(made.json["codecs"]) == {"PCMU", "PCMA"}
    assert made.json["id"] in backstage.engine.loaded
    heard = await api.get(made.headers["Location"] + "/audio")
    assert heard.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(heard.body)) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)
        assert file.getnframes() / 8000 == pytest.approx(0.5, abs=0.02)
    renamed = await api.patch(made.headers["Location"], {"name": "hello"})
    assert (renamed.json["name"], renamed.json["version"]) == ("hello", 2)
    assert (await api.delete(made.headers["Location"])).status == 204
    assert backstage.engine.loaded == {}


async def test_a_prompt_in_use_is_not_deleted(api: Client) -> None:
    made = await upload(api, tone(), name="welcome")
    await api.new("campaigns", name="c", prompts={"greeting_prompt_id": made.json["id"]})
    refused = await api.delete(made.headers["Location"])
    assert refused.status == 409
    assert "greeting_prompt_id" in refused.json["detail"]


@pytest.mark.parametrize("audio", [b"", b"no audio at all", b"RIFF\xff\xff\xff\xffWAVEfmt "])
async def test_what_is_no_audio_is_refused(api: Client, audio: bytes) -> None:
    answer = await upload(api, audio, name="noise")
    assert (answer.status, list(answer.errors)) == (422, ["file"])
    assert (await api.get("prompts")).json == {"items": []}


async def test_a_form_is_checked_field_by_field(api: Client) -> None:
    assert list((await upload(api, tone())).errors) == ["name"]
    assert list((await upload(api, tone(), name="x", colour="red")).errors) == ["colour"]
    without_file = await api.ask(
        "POST", "prompts", data=aiohttp.FormData({"name": "x"}, default_to_multipart=True)
    )
    assert list(without_file.errors) == ["file"]
    assert (await api.post("prompts", {"name": "x"})).status == 415


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense", b'--b\r\nContent-Disposition: form-data; name="\x01"\r\n\r\nx\r\n--b--\r\n'],
)
async def test_a_broken_form_is_refused(api: Client, raw: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await api.ask("POST", "prompts", data=raw, headers=headers)).status in (400, 422)


async def test_an_upload_may_not_be_endless(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_UPLOAD", 1000)
    assert (await upload(api, tone(), name="long")).status == 413


async def test_a_form_may_not_have_many_parts(api: Client) -> None:
    many = aiohttp.FormData(default_to_multipart=True)
    for number in range(20):
        many.add_field(f"f{number}", "x")
    assert (await api.ask("POST", "prompts", data=many)).status == 400


async def test_a_token_is_told_once_and_works_until_revoked(api: Client) -> None:
    made = await api.post("tokens", {"role": "report_only", "name": "dashboard"})
    text = made.json["token"]
    assert made.status == 201
    assert (await api.get("calls", token=text)).status == 200
    where = made.headers["Location"]
    for answer in (await api.get(where), await api.get("tokens")):
        assert text.encode() not in answer.body
    assert (await api.get("tokens?role=report_only")).json["items"][0]["name"] == "dashboard"
    assert (await api.get("tokens?role=operator")).json["items"] == []
    assert (await api.delete(where)).status == 204
    assert (await api.get("calls", token=text)).status == 401
    assert (await api.post("tokens", {"role": "owner"})).status == 422


async def test_a_text_is_spoken_where_espeak_is_installed_and_refused_with_a_reason_elsewhere(
    api: Client, backstage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoken(text: str) -> aiohttp.FormData:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("name", "closing")
        form.add_field("text", text)
        form.add_field("external_id", text[:20])
        return form

    made = await api.ask("POST", "prompts", data=spoken("--version of the closing words, umlauts: äöü"))
    assert made.status == 201, made.body
    assert 2 < made.json["duration_s"] < 8
    assert made.json["text"].startswith("--version")
    assert made.json["id"] in backstage.engine.loaded
    for text in (" ", "x" * 2001):
        refused = await api.ask("POST", "prompts", data=spoken(text))
        assert (refused.status, refused.json["errors"][0]["path"]) == (422, "text")
    monkeypatch.setattr(speech, "_PROGRAM", "no-such-program")
    missing = await api.ask("POST", "prompts", data=spoken("hello"))
    assert missing.status == 422
    assert "install that, or upload a file" in missing.json["errors"][0]["message"]


async def test_a_prompt_is_either_uploaded_or_spoken(api: Client) -> None:
    both = await upload(api, tone(), name="welcome", text="welcome")
    assert (both.status, both.json["errors"][0]["path"]) == (422, "file")
