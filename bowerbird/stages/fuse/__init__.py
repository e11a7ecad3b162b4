"""Merging lists of hits: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "rrf": "bowerbird.stages.fuse.rrf:RRF",
    "dbsf": "bowerbird.stages.fuse.dbsf:DBSF",
    "weighted": "bowerbird.stages.fuse.weighted:Weighted",
}
