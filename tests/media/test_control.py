"""The control protocol says the same on both sides, and refuses what is cut short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media import control
from edge.media.engine import LegCounters, Plan

octet = st.integers(0, 127)
address = st.none() | st.tuples(st.ip_addresses().map(str), st.integers(1, 65535))
plans = st.builds(
    Plan,
    address,
    address,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.dictionaries(octet, octet, max_size=20),
    st.none() | octet,
    st.sampled_from([None, "PCMU", "PCMA"]),
    octet,
    st.integers(1, 200),
    st.booleans(),
    st.sampled_from([8000, 16000, 48000]),
)


@given(st.integers(0, 65535), plans)
def test_a_plan_arrives_whole(port: int, plan: Plan) -> None:
    ((kind, body),) = control.frames(control.encode_update(port, plan))
    assert (kind, control.decode_update(body)) == (control.UPDATE, (port, plan))


def test_counters_arrive_whole() -> None:
    counters = LegCounters(1, 2, 2**40, 4, 5, 6, 7, 8.5, 9, 10, 11)
    ((_, body),) = control.frames(control.encode_counters(20000, counters, final=True))
    assert control.decode_counters(body) == (20000, counters, True)


def test_a_configuration_arrives_whole() -> None:
    config = control.WorkerConfig(("127.0.0.1", "::1"), 16384, 32767, 3, 4, 60.0, 3.0, 5.0)
    ((_, body),) = control.frames(control.encode_configure(config))
    assert control.decode_configure(body) == config


def test_many_frames_are_packed_in_order_into_messages_of_bounded_size() -> None:
    said = [control.encode_bridge(n, n + 1) for n in range(30000)]
    messages = control.pack(said)
    assert max(map(len, messages)) <= control.MAX_PACKET
    heard = [control.decode_bridge(body) for message in messages for _, body in control.frames(message)]
    assert heard == [(n, n + 1) for n in range(30000)]


@pytest.mark.parametrize("cut", [1, 2, 4, 6])
def test_a_message_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(control.ProtocolError):
        list(control.frames(control.encode_bridge(1, 2)[:cut]))
