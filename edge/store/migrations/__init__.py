"""The schema's history, run by Alembic from ``edge.store.opening``."""
