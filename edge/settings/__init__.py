"""The server's settings: one TOML file, every key also as ``EDGE_SECTION__KEY``.

Order, the later wins: the defaults here, the file (``--config``, else ``EDGE_CONFIG``, else
``./config/edge.toml`` if present), the environment.  Unknown keys and misspelt variables are
refused.  A secret may come from a file: ``EDGE_ADMIN_TOKEN_FILE``, or a systemd credential named
``EDGE_ADMIN_TOKEN``.  Durations are seconds and end in ``_s``.
"""

from edge.settings.addresses import Address, SipAddress, host_port, port_range, sip_address
from edge.settings.load import Problem, Settings, SettingsError, config_file, keys, load

__all__ = [
    "Address", "Problem", "Settings", "SettingsError", "SipAddress",
    "config_file", "host_port", "keys", "load", "port_range", "sip_address",
]  # fmt: skip
