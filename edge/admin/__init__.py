"""The admin HTTP interface: aiohttp, JSON under ``/api/v1``, problem+json errors, OpenAPI 3.1.

``ports`` names what it asks of the services; ``routes`` is the decorator that ties a path to its
pydantic models; ``app.build`` makes the two applications (admin and public) and
``listener.Listener`` runs them.
"""
