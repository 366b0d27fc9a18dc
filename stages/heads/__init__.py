"""Concept heads: what tells from a photo's features whether a concept is in it. No image is touched here."""
