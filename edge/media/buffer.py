"""The buffer that all legs receive in: the worker has one thread and no packet outlives its handler."""

from typing import Final

SIZE: Final = 2048
BUFFER: Final = bytearray(SIZE)
VIEW: Final = memoryview(BUFFER)
FIRST: Final = [VIEW[:length] for length in range(SIZE + 1)]
"""The first so many octets: a slice of its own would cost each packet an allocation."""
