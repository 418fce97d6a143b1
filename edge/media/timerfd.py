"""A timer that epoll can wait for, to the microsecond (timerfd_create(2); in ``os`` from Python 3.13)."""

import ctypes
import os
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class Timer:
    """One deadline on the monotonic clock; readable from then until it is set again."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._set = library.timerfd_settime
        self.fd = int(library.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._spec = _Spec()
        self._reference = ctypes.byref(self._spec)

    def set(self, milliseconds: int) -> None:
        """Due at that many milliseconds of the monotonic clock (at once if that is past)."""
        seconds, rest = divmod(milliseconds, 1000)
        self._spec.value_s, self._spec.value_ns = seconds, rest * 1_000_000
        self._set(self.fd, _ABSOLUTE, self._reference, None)

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self.fd)
