"""STIR/SHAKEN: is a caller's number what its carrier signed (RFC 8224, 8225, 8226, 8588)?

``passport`` reads what was signed, ``chain`` judges who signed it and ``revocation`` whether that was taken
back, all without IO; ``store`` finds the signer's certificate in a directory or on the web and ``lists`` the
revocation lists, ``verifier`` does it all for one call within its time.
"""
