"""Queries written by a language model for a cold start: from a few examples and the records themselves, filtered by retrieval."""
