"""Things to records."""
