"""Components: what training makes and serving uses. Each computes in numpy, and is kept as safetensors and JSON.

A component is one file here with a class (`save`, `load`), one line in the table, and a trainer in `learn/trainers/`. Components
know no store, no ledger and no stage.
"""

TABLE: dict[str, str] = {
    "adapter": "bowerbird.components.adapter:QueryAdapter",
    "ranker": "bowerbird.components.ranker:FeatureRanker",
    "gate": "bowerbird.components.gate:NeedGate",
    "router": "bowerbird.components.router:Router",
    "cross_encoder": "bowerbird.encoders.cross_encoder:CrossEncoderScorer",
    "encoder": "bowerbird.encoders.trained:TrainedEncoder",
}
