"""Measures: declared with name, direction and what they need."""
