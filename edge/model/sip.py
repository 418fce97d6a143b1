"""How peers want their SIP, and how we register with them (see ``edge.model.config``)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.model.base import Record
from edge.model.types import Codec, Password, UriPart, Username


class SipSettings(Record):
    """How one peer wants its SIP (trunk and target; the target's wins).

    ``options_interval_s`` asks it by OPTIONS whether it is there, that often; null never asks.
    """

    transport: Literal["udp", "tcp", "tls"] | None = None
    codecs: Annotated[tuple[Codec, ...], Field(max_length=20)] | None = None
    options_interval_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    from_user: UriPart | None = None
    from_host: UriPart | None = None
    ruri_host: UriPart | None = None
    number_format: Literal["e164_plus", "e164", "national"] = "e164_plus"
    tech_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{0,16}$")] = ""
    trusted: bool = False


class RegisterSpec(Record):
    """Our registration with a carrier (RFC 3261 section 10): ``registrar`` is its SIP URI, without a user.

    ``expires_s`` is what we ask for; the registrar may grant another time.
    """

    registrar: Annotated[str, StringConstraints(pattern=r"^sips?:[^\s<>\"@\x00-\x1f]{1,250}$")]
    username: Username
    password: Password
    expires_s: Annotated[int, Field(ge=60, le=86_400)] = 3600
