"""Dropping hits, and shortening what of them is shown: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "cutoff": "bowerbird.stages.refine.cutoff:Cutoff",
}
