TABLE: dict[str, str] = {}
