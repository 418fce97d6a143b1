"""Kamailio as proxy and registrar: in front of us, or as the carrier that we register with."""

import asyncio
import os
import signal
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import until_bound

PASSWORD = "of the registrar"

_CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
disable_tcp=yes
listen=udp:{host}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"

request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (!loose_route()) {{
            if (is_method("ACK") && t_check_trans()) t_relay();
            exit;
        }}
        t_relay();
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("$td", "{password}", "0")) {{
            www_challenge("$td", "0");
            exit;
        }}
        save("location");
        exit;
    }}
    record_route();
    {reporting}
    {route}
    if ($rU == "edge" && !lookup("location")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    t_relay();
}}
"""


@dataclass
class Kamailio:
    """One proxy at ``host:port``."""

    process: asyncio.subprocess.Process
    directory: Path
    host: str
    port: int

    @property
    def address(self) -> str:
        """Where it listens and sends from."""
        return f"{self.host}:{self.port}"

    def log(self) -> str:
        """Its own words."""
        return (self.directory / "output").read_text(encoding="utf-8", errors="replace")


def _modules() -> str:
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    places = (Path("/usr/lib") / triplet / "kamailio/modules", Path("/usr/lib/kamailio/modules"))
    return str(next(place for place in places if place.is_dir()))


def between(inside: str, outside: str) -> str:
    """A route: new calls of ``inside`` go to ``outside``, all others inside (``host:port`` both)."""
    return f'{from_host(inside.partition(":")[0], outside)} else $du = "sip:{inside}";'


def from_host(host: str, to: str) -> str:
    """A route: new calls that come from ``host`` go to ``to`` (``host:port``), their Request-URI kept."""
    return f'if ($si == "{host}") $du = "sip:{to}";'


@asynccontextmanager
async def kamailio(
    directory: Path, address: str, route: str, *, forces_rport: bool = True
) -> AsyncIterator[Kamailio]:
    """A running proxy that stays in the path of every call (Record-Route) and takes registrations.

    ``route`` sends new calls on (see ``between``); the user ``edge`` is looked up among those who
    registered with ``PASSWORD``.  With ``forces_rport`` the source of every request is written into its Via.
    """
    host, port = address.split(":")
    where = directory / "kamailio"
    where.mkdir()
    values = {"host": host, "port": port, "modules": f"{_modules()}/", "password": PASSWORD}
    reporting = "force_rport();" if forces_rport else ""
    text = _CONFIG.format(**values, route=route, reporting=reporting)
    (where / "kamailio.cfg").write_text(text, encoding="utf-8")
    command = (
        "kamailio",
        "-DD",
        "-E",
        "-f",
        str(where / "kamailio.cfg"),
        "-Y",
        str(where),
        "-m",
        "32",
        "-M",
        "4",
    )
    with (where / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=where, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}, start_new_session=True,
        )  # fmt: skip
    proxy = Kamailio(process, where, host, int(port))
    try:
        await _started(proxy)
        yield proxy
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers are of its own group
        await process.wait()


async def _started(proxy: Kamailio) -> None:
    try:
        await until_bound(proxy.host, proxy.port)
    except TimeoutError:
        raise TimeoutError(f"Kamailio did not start:\n{proxy.log()[-4000:]}") from None
