"""Calls: where SIP, media, routing and the store meet.

``access`` says who may talk to us, ``intake`` turns an INVITE into facts, ``switch`` owns the live
calls, ``call`` is the story of one, ``leg`` joins its SIP and its media, ``bridge`` is two legs
talking, ``record`` what remains.
"""
