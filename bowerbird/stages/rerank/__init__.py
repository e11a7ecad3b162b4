"""Scoring given candidates anew: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "cross_encoder": "bowerbird.stages.rerank.cross_encoder:CrossEncoder",
    "mmr": "bowerbird.stages.rerank.mmr:MMR",
}
