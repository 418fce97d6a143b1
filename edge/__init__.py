"""Edge: a SIP edge server for call tracking and pay-per-call routing.

Glossary (the same word in code, API, logs and documents): *trunk* who sends or takes calls by
SIP; *number* a DID we own; *campaign* a number's parent; *target* where a call may be bridged to;
*candidate* a target in one call's order; *call* ours, end to end; *leg* one side of it; *dialog*
RFC 3261 section 12; *transaction* section 17; *attempt* one dial of one candidate; *bridge* two
legs talking; *schedule*, *cap*, *window*, *reservation* (taken capacity); *refusal*; *outcome*
(of an attempt); *disposition* (of a call).  ``docs/architecture.md`` shows the rooms.
"""

__version__ = "0.1.0"
