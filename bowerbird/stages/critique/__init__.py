"""Judging an answer: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "citations": "bowerbird.stages.critique.citations:Citations",
}
