"""How peers want their SIP, and how we register with them (see ``edge.model.config``)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from edge.model.base import Record
from edge.model.types import Cidr, Codec, HeaderName, Password, Reference, UriPart, Username

NumberFormat = Literal["e164_plus", "e164", "national"]
"""How a peer wants numbers written: ``+13125550100``, ``13125550100``, or as they are dialled at home."""
NumberFormatIn = Literal["auto", "e164", "national"]
"""What digits without a plus are, where they could be two numbers."""
SIP_URI = r"sips?:[^\s<>\"\x00-\x1f]{1,400}"
"""What a SIP URI that calls are sent to must look like, as a regular expression."""
CallerPlace = Literal["p_asserted_identity", "remote_party_id", "from"]
Passing = Literal["none", "pass", "make"]
"""Headers about earlier diversions: left out, passed on, or passed on with one that tells of us."""


def _known_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name == "*" or "*" in name[:-1]:
            raise ValueError("write header names, the last with a * behind a beginning, such as X-Acme-*")
    return names


def _beside_the_description(types: tuple[str, ...]) -> tuple[str, ...]:
    for kind in types:
        if kind == "application/sdp" or kind.startswith("multipart/"):
            raise ValueError("write types of single parts; the session description is the server's own")
    return types


MediaType = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,100}$", to_lower=True)
]
BodyAllow = Annotated[tuple[MediaType, ...], Field(max_length=20), AfterValidator(_beside_the_description)]
CallIdSetting = Literal["new", "correlate", "keep"]
"""The SIP Call-ID of a call to a peer: its own, the same with the caller's in X-Call-ID, or the caller's."""

HostPort = Annotated[
    str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?$")
]
HeaderAllow = Annotated[tuple[HeaderName, ...], Field(max_length=50), AfterValidator(_known_names)]


class SipSettings(Record):
    """How one peer wants its SIP (trunk and target; the target's wins).

    ``options_interval_s`` asks it by OPTIONS whether it is there, that often; null never asks.
    ``from_user``, ``from_host``, ``contact_user`` and ``ruri_host`` are what it knows us and itself by.
    ``tech_prefix`` stands before the number that is dialled.  ``trusted`` peers are told who calls even
    if the caller withholds it, in P-Asserted-Identity (and with ``remote_party_id`` there as well).
    ``header_allow`` names the caller's headers that are passed on to it (``X-Acme-*``: all that begin so),
    ``body_allow`` the media types that are, of what stands in the caller's INVITE beside the description.
    ``call_id`` is ``new`` (it learns nothing of the caller's), ``correlate`` (the caller's is told in
    X-Call-ID) or ``keep`` (the caller's serves for both).
    ``redirect_hosts`` are where it may send a call on to (hosts, or ``host:port``), ``allow_refer`` whether
    it may transfer a call that is up.  ``peer_addresses`` (addresses and networks) and ``peer_trunk_ids`` say
    from where else its PBX speaks to us, and so may take its calls over.
    """

    transport: Literal["udp", "tcp", "tls"] | None = None
    codecs: Annotated[tuple[Codec, ...], Field(max_length=20)] | None = None
    options_interval_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    from_user: UriPart | None = None
    from_host: UriPart | None = None
    contact_user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+_.!~*'-]{1,64}$")] | None = None
    ruri_host: UriPart | None = None
    number_format: NumberFormat = "e164_plus"
    tech_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{0,16}$")] = ""
    trusted: bool = False
    remote_party_id: bool = False
    diversion: Passing = "none"
    history_info: Passing = "none"
    header_allow: HeaderAllow = ("User-to-User",)
    body_allow: BodyAllow = ()
    call_id: CallIdSetting = "new"
    redirect_hosts: Annotated[tuple[HostPort, ...], Field(max_length=50)] = ()
    allow_refer: bool = False
    peer_addresses: Annotated[tuple[Cidr, ...], Field(max_length=50)] = ()
    peer_trunk_ids: Annotated[tuple[Reference, ...], Field(max_length=20)] = ()


class RegisterSpec(Record):
    """Our registration with a carrier (RFC 3261 section 10): ``registrar`` is its SIP URI, without a user.

    ``expires_s`` is what we ask for; the registrar may grant another time.
    """

    registrar: Annotated[str, StringConstraints(pattern=r"^sips?:[^\s<>\"@\x00-\x1f]{1,250}$")]
    username: Username
    password: Password
    expires_s: Annotated[int, Field(ge=60, le=86_400)] = 3600
