"""Scoring given candidates anew: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "cross_encoder": "bowerbird.stages.rerank.cross_encoder:CrossEncoder",
    "error_memory": "bowerbird.stages.rerank.error_memory:ErrorMemory",
    "feature_ranker": "bowerbird.stages.rerank.feature_ranker:FeatureRanker",
    "mmr": "bowerbird.stages.rerank.mmr:MMR",
    "neighbours": "bowerbird.stages.rerank.neighbours:Neighbours",
}
