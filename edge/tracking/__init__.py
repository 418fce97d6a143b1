"""Number pools as rules: who holds which number, what a visit says of a call.

A *lease* ties a number to an *impression* (one visit of a visitor) for a while.  Its state is a function of
the instant and of stored stamps, never of a timer that has fired.  Pure: no IO, no clock, no chance.
Rule: number pools.
"""
