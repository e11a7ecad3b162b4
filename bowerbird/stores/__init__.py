"""Stores: what searches points. The table is name -> "module:Class"; nothing is imported before it is asked for."""

TABLE: dict[str, str] = {
    "reference": "bowerbird.stores.reference:ReferenceStore",
    "edge": "bowerbird.stores.edge:EdgeStore",
    "qdrant": "bowerbird.stores.qdrant:QdrantStore",
}
