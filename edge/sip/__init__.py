"""SIP (RFC 3261): a sans-IO core and a thin rim.

bytes -> ``parser`` -> ``message`` -> ``transaction`` (section 17 tables) -> ``invite`` (dialogs,
section 12-15) -> events.  ``stack`` ties them together and does no IO; ``transport`` owns sockets
and ``endpoint`` is the asyncio pump around the stack.  Imports nothing of media, routing, calls.
"""
