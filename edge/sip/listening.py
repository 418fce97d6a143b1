"""Where an endpoint listens, and what it is told about itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.sip.connection import StreamLimits
from edge.sip.gate import Limits
from edge.sip.tls import TlsConfig


@dataclass(frozen=True, slots=True)
class Listen:
    """One listening address: ``udp://0.0.0.0:5060``; port 0 takes a free one."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """``advertised`` is the public host[:port] written to Via and Contact, empty: the socket's own
    (for a wildcard socket: the local address of the route to the peer), which hosts of ``local_networks``
    (CIDR) see in any case."""

    listen: Sequence[Listen]
    advertised: str = ""
    local_networks: Sequence[str] = ()
    domains: Sequence[str] = ()
    user_agent: str = "Edge"
    limits: Limits = field(default_factory=Limits)
    streams: StreamLimits = field(default_factory=StreamLimits)
    tls: TlsConfig = field(default_factory=TlsConfig)
    dns_servers: Sequence[str] = ()
