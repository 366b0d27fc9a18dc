"""The data dictionary: one Arrow schema per table, settings, path text and named errors.

Nothing here reads a photo, starts Ray or knows a model; every other room may import it.
"""
