"""Tasks: name -> "module:TASK". One file a dataset."""

TABLE: dict[str, str] = {}
