"""The command line's commands, one file each; ``edge.cli`` gathers them.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
"""
