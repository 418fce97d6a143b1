"""What the API and the command line may ask for: configuration edits, calls, tokens, prompts, readiness.

Services answer with records and raise the errors of ``edge.services.errors``; they know no HTTP.
"""
