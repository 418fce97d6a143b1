"""The only SQL: the embedded database, its migrations, the call path's writer, repositories.

``opening.prepare`` brings the file to this program's schema; ``writer.Writer`` runs the call
path's commands in group commits; ``repository`` and ``calls`` serve configuration and lists.
"""
