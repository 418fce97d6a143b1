"""Fuzz harness of the SDP parser and of what is made from its results."""

from edge.media import negotiate, plans, sdp

_HERE = negotiate.Here("192.0.2.1", 20_000, 1)


def check(data: bytes) -> None:
    """Raises only if something is wrong with us.

    Either ``SdpError``, or a description from which every answer can be made and read again.
    """
    try:
        offer = sdp.parse(data)
    except sdp.SdpError:
        return
    answer = negotiate.answer_locally(offer, _HERE)
    relayed = negotiate.relay_offer(offer, _HERE)
    for ours in filter(None, (answer, relayed)):
        read = sdp.parse(ours.to_bytes())
        assert [m.codecs for m in read.media if m.port] == [m.codecs for m in ours.media if m.port]
        plans.plan_for(ours, offer, offer)
    if answer is not None:
        assert [m.kind for m in answer.media] == [m.kind for m in offer.media]
