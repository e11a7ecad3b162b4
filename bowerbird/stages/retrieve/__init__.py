"""Finding records: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "dense": "bowerbird.stages.retrieve.dense:Dense",
    "bm25": "bowerbird.stages.retrieve.bm25:BM25",
    "recency": "bowerbird.stages.retrieve.recency:Recency",
    "random": "bowerbird.stages.retrieve.random:Random",
    "keys": "bowerbird.stages.retrieve.keys:Keys",
    "router": "bowerbird.stages.retrieve.router:Router",
    "none": "bowerbird.stages.retrieve.none:Nothing",
}
