"""Media: SDP offer and answer, RTP relay and playback in worker processes.

``engine`` is the port that the calls room knows; ``local`` serves it with our own ``worker``
processes over a Unix socket.  Imports nothing of sip, routing, calls.
"""
