"""The routing decision: pure functions over a snapshot; no clock, no chance, no IO.

``admit(facts, snapshot, counts)`` -> Refuse | Announce | Proceed; ``choose(...)`` -> ordered
candidates; ``recheck(...)`` before each dial.  Counts are advice, the reservation is the judge.
"""
