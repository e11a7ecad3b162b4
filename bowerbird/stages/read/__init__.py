"""Turning context into an answer: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "llm": "bowerbird.stages.read.llm:ReadLLM",
    "extractive": "bowerbird.stages.read.extractive:Extractive",
}
