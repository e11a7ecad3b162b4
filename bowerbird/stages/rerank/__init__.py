"""Scoring given candidates anew: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "cross_encoder": "bowerbird.stages.rerank.cross_encoder:CrossEncoder",
    "error_memory": "bowerbird.stages.rerank.error_memory:ErrorMemory",
    "mmr": "bowerbird.stages.rerank.mmr:MMR",
}
