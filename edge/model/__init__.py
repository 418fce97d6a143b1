"""The product's nouns as frozen records: configuration, call facts, decisions, store commands.

Everything here is data and its validation; nothing here decides, stores or sends.
"""
