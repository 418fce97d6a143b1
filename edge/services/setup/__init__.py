"""The whole set-up as one document: written, compared, applied, and taken back to an earlier version.

``document``: objects as plain values and back.  ``plan``: what a document would change, judged by
the rules of single edits.  ``service``: asks for both beside the loop, and stores the outcome.
"""
