"""STIR/SHAKEN: is a caller's number what its carrier signed (RFC 8224, 8225, 8226, 8588)?

``passport`` reads what was signed and ``chain`` judges who signed it, both without IO; ``store`` finds the
signer's certificate in a directory or on the web, ``verifier`` does it all for one call within its time.
"""
