"""Language models: `openai` (any compatible endpoint) and `local` (transformers, a white box). `choose.py` makes one from its name."""

TABLE: dict[str, str] = {
    "local": "bowerbird.llms.local:LocalLLM",
    "openai": "bowerbird.llms.openai:OpenAILLM",
}
