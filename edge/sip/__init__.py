"""SIP (RFC 3261): a sans-IO core and a thin rim.  Imports nothing of media, routing, calls.

bytes -> ``parser`` -> ``message`` -> ``stack`` -> events, and back.  From the bottom up:

``timers``              FIFO queues, one a duration
``transaction``         what the four machines of section 17 share; the tables themselves are in
                        ``client_transaction`` and ``server_transaction``
``layer``               the transaction layer: tables, counters, the one way out for bytes
``dialog``              section 12: route set, remote target, order of requests
``core``                what all usages share
``exchange``            one request of ours within a dialog, digest challenges included
``unacked``, ``forks``  2xx until its ACK; what may still come after the first 2xx
``reoffer``             re-INVITE and UPDATE, glare
``invite``              a usage: what a leg holds; ``invite_server`` and ``invite_client`` set it up
``gate``                what a request must be before anything is done for it
``stack``               ties them together; no IO
``transport``, ``streams``, ``resolver``  sockets and names: the rim
``endpoint``            the asyncio pump around the stack
"""
