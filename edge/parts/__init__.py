"""The server's parts, opened in order: ``ground``, then ``calling``, then ``serving``.

Each puts what it opens on the ground's stack: what was opened last is closed first.
"""
