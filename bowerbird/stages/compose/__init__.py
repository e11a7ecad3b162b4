"""Order and phrase what goes to the model, under the token budget. Name -> "module:Class"."""

TABLE: dict[str, str] = {
    "budget": "bowerbird.stages.compose.budget:Budget",
}
