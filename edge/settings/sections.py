"""The sections of the settings: every key, its default and what it may be.

Durations are seconds and end in ``_s``.
"""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge.model.action import Action
from edge.model.types import Cidr
from edge.settings.addresses import Address, SipAddress, host_port, port_range, sip_address


def _listener(text: str) -> str:
    sip_address(text)
    return text


def _web_listener(text: str) -> str:
    if text:
        host_port(text)
    return text


def _required(text: str) -> str:
    if not text:
        raise ValueError("may not be empty; write host:port, such as 127.0.0.1:8080")
    return text


def _advertised(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", text):
        raise ValueError("write the public IP address (or host name), such as 203.0.113.7")
    return text


def _media_address(text: str) -> str:
    if text:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError("write the public IP address, such as 203.0.113.7") from None
    return text


def _collector(text: str) -> str:
    if text and not text.startswith("udp://"):
        raise ValueError("write the collector's address, such as udp://192.0.2.9:9060")
    if text:
        host_port(text.removeprefix("udp://"))
    return text


def _dns_server(text: str) -> str:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    try:
        ipaddress.ip_address(host)
        host_port(f"localhost:{port}")
    except ValueError:
        raise ValueError("write an IP address, or IPv4 address:port, such as 127.0.0.1:53") from None
    return text


def _ports(text: str) -> str:
    port_range(text)
    return text


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("name each once")
    return names


def _embedded_only(url: str) -> str:
    if url:
        raise ValueError("only the embedded database is supported yet; leave it empty")
    return url


def _public_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
        raise ValueError("write the address as browsers reach it, such as https://calls.example.com")
    return url.rstrip("/")


def none_if_empty(value: object) -> object:
    return None if value in ({}, "") else value


class Section(BaseModel):
    """A table of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SipSection(Section):
    """``[sip]``: where we listen and how we name ourselves."""

    listen: tuple[Annotated[str, AfterValidator(_listener)], ...] = Field(
        default=("udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"), min_length=1, max_length=16
    )
    advertised_address: Annotated[str, AfterValidator(_advertised)] = ""
    local_networks: tuple[Cidr, ...] = ()
    domains: tuple[str, ...] = ()
    realm: Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f]{1,200}$')] = "edge"
    digest_algorithms: Annotated[
        tuple[Literal["SHA-256", "MD5"], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = ("SHA-256", "MD5")
    unknown_sources: Literal["drop", "403"] = "drop"
    trusted_proxies: tuple[Cidr, ...] = ()
    never_ban: tuple[Cidr, ...] = ()
    max_messages_per_second: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    tls_certificate: str = ""
    tls_private_key: str = ""
    tls_trust: str = ""
    presets: str = ""
    trace_max_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 1000
    hep: Annotated[str, AfterValidator(_collector)] = ""
    hep_id: Annotated[int, Field(ge=0, lt=1 << 32)] = 1
    dns_servers: tuple[Annotated[str, AfterValidator(_dns_server)], ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_private_key):
            raise ValueError("tls_certificate and tls_private_key belong together: set both, or neither")
        if not self.tls_certificate and any(address.transport == "tls" for address in self.addresses):
            raise ValueError("a tls:// listener needs tls_certificate and tls_private_key (PEM files)")
        return self

    @property
    def collector(self) -> Address | None:
        """``hep``, taken apart; None while there is none."""
        return host_port(self.hep.removeprefix("udp://")) if self.hep else None

    @property
    def addresses(self) -> tuple[SipAddress, ...]:
        """``listen``, taken apart."""
        return tuple(sip_address(text) for text in self.listen)


class StirSection(Section):
    """``[stir]``: whether callers' signed identities are verified; ``trust`` empty: they are not.

    ``wait_s`` is how long a call may wait for a certificate, ``max_age_s`` how old an identity may be,
    ``crl_refresh_s`` how old a revocation list from the web.
    """

    trust: str = ""
    certificates: str = ""
    fetch: bool = True
    private_hosts: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    crls: str = ""
    crl_hosts: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    crl_refresh_s: Annotated[float, Field(ge=60, le=86_400)] = 300
    wait_s: Annotated[float, Field(gt=0, le=10)] = 1
    max_age_s: Annotated[float, Field(ge=1, le=3600)] = 60


class MediaSection(Section):
    """``[media]``: who relays RTP and on which ports.

    ``workers`` 0 is one per core; ``timeout_s`` ends a call whose peers send nothing that long.
    """

    engine: Literal["local"] = "local"
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    ports: Annotated[str, AfterValidator(_ports)] = "16384-32767"
    advertised_address: Annotated[str, AfterValidator(_media_address)] = ""
    rtpengine: tuple[str, ...] = ()
    timeout_s: Annotated[float, Field(ge=1, le=3600)] = 60

    @property
    def port_range(self) -> range:
        """``ports``, taken apart."""
        return port_range(self.ports)


class CallsSection(Section):
    """``[calls]``: the server's own limits; over ``max_live`` or ``max_cps`` a call gets 503.

    ``voicemail_max_s`` and ``recording_max_s`` are how much of a message, of a call is recorded.
    """

    max_live: Annotated[int, Field(ge=1)] = 2000
    max_cps: Annotated[float, Field(gt=0)] = 400
    max_duration_s: Annotated[float, Field(ge=1)] = 14_400
    drain_max_s: Annotated[float, Field(ge=0)] = 300
    voicemail_max_s: Annotated[float, Field(ge=1, le=3600)] = 180
    recording_max_s: Annotated[float, Field(ge=1, le=36_000)] = 7200


class AdminSection(Section):
    """``[admin]``: the API's and the dashboard's listener, and for how long changes are remembered."""

    listen: Annotated[str, AfterValidator(_web_listener), AfterValidator(_required)] = "127.0.0.1:8080"
    keep_audit_days: Annotated[int, Field(ge=1, le=36_500)] = 1095
    keep_versions_days: Annotated[int, Field(ge=1, le=36_500)] = 365

    @model_validator(mode="after")
    def _versions_are_audited(self) -> Self:
        if self.keep_versions_days > self.keep_audit_days:
            raise ValueError("keep_versions_days is longer than keep_audit_days, which has the versions")
        return self

    @property
    def address(self) -> Address:
        """``listen``, taken apart."""
        return host_port(self.listen)


class PublicSection(Section):
    """``[public]``: what browsers and buyers reach; an empty ``listen`` shares the admin's."""

    listen: Annotated[str, AfterValidator(_web_listener)] = ""
    url: Annotated[str, AfterValidator(_public_url)] = ""
    trusted_proxies: tuple[Cidr, ...] = ("127.0.0.1/32", "::1/128")
    max_connections: Annotated[int, Field(ge=16, le=65_000)] = 4096
    allocations_per_minute: Annotated[int, Field(ge=1)] = 60
    max_share_per_address: Annotated[float, Field(gt=0, le=1)] = 0.1
    keep_ip: bool = True
    keep_visits_days: Annotated[int, Field(ge=1, le=3650)] = 90

    @property
    def address(self) -> Address | None:
        """``listen``, taken apart; None when it shares the admin listener."""
        return host_port(self.listen) if self.listen else None


class DatabaseSection(Section):
    """``[database]``: an empty ``url`` is the embedded database, ``edge.db`` in ``data_dir``."""

    url: Annotated[str, AfterValidator(_embedded_only)] = ""


class RoutingSection(Section):
    """``[routing]``: the account's failsafe action, used when a campaign has none, and how long released
    numbers cool off."""

    cooling_days: Annotated[int, Field(ge=0, le=3650)] = 45
    failsafe: Annotated[Action | None, BeforeValidator(none_if_empty)] = None


class LogsSection(Section):
    """``[logs]``: ``auto`` is the console format on a terminal, else one JSON object a line."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
