"""baresip as a phone: plays one WAV file into its calls and writes what it hears into another."""

import asyncio
import signal
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.ports import free_port, own_address, until_bound
from tests.support.tones import Samples
from tests.support.wav import samples_of, wav_bytes

_CONFIG = """
module_path {modules}
sip_listen {host}:{port}
sip_trans_def udp
call_max_calls 4
call_local_timeout 60
audio_source aufile,{said}
snd_path {where}
net_interface {host}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports {first}-{last}
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
"""
_TLS = """
sip_certificate {pem}
sip_cafile {authority}
"""


def _modules() -> str:
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    places = (Path("/usr/lib") / triplet / "baresip/modules", Path("/usr/lib/baresip/modules"))
    return str(next(place for place in places if place.is_dir()))


@dataclass
class Baresip:
    """One phone at ``host:port``."""

    process: asyncio.subprocess.Process
    directory: Path
    host: str
    port: int

    @property
    def address(self) -> str:
        """Where it takes calls and sends them from."""
        return f"{self.host}:{self.port}"

    def heard(self) -> Samples:
        """What was heard so far."""
        return samples_of(next(self.directory.glob("dump-*-dec.wav"), None))

    def log(self) -> str:
        """Its own words."""
        return (self.directory / "output").read_text(encoding="utf-8", errors="replace")

    async def hang_up(self) -> None:
        """Ends its calls, and itself."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        await asyncio.wait_for(self.process.wait(), 15)


def _certificate(authority: Authority, name: str, host: str, where: Path) -> Path:
    """Certificate and key in one file, as baresip wants them."""
    made = authority.certificate(name, f"IP:{host}")
    assert made.certificate is not None and made.private_key is not None
    both = where / "both.pem"
    both.write_text(made.certificate.read_text() + made.private_key.read_text(), encoding="ascii")
    return both


@asynccontextmanager
async def baresip(
    directory: Path, name: str, said: Samples, *, dial: str = "", authority: Authority | None = None
) -> AsyncIterator[Baresip]:
    """A running phone that answers every call, or dials ``dial`` (a SIP URI) as soon as it is up.

    With an ``authority`` it speaks TLS too, at the port after its own, and knows that authority.
    """
    host = own_address()
    port, media = free_port(host), free_port(host) // 2 * 2 % 40000 + 20000
    where = directory / name
    where.mkdir()
    (where / "said.wav").write_bytes(wav_bytes(said))
    values = {"host": host, "port": port, "first": media, "last": media + 99, "modules": _modules()}
    text = _CONFIG.format(**values, said=where / "said.wav", where=where)
    if authority is not None:
        text += _TLS.format(pem=_certificate(authority, name, host, where), authority=authority.file)
    (where / "config").write_text(text, encoding="utf-8")
    (where / "accounts").write_text(
        f"<sip:{name}@{host}:{port}>;regint=0;answermode=auto;audio_codecs=PCMU,PCMA\n", encoding="utf-8"
    )
    command = ["baresip", "-f", str(where), *(("-e", f"/dial {dial}") if dial else ())]
    with (where / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=where, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        await until_bound(host, port)
        yield Baresip(process, where, host, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
