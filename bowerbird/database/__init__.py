"""The SQL database that holds the truth: one schema, numbered migrations, connections. Knows nothing of records as values."""
