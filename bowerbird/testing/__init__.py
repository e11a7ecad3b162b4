"""Conformance suites and doubles, for our tests and for those of packages that add parts."""
