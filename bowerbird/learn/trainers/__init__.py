"""Trainers, one file for each component: the rungs of the ladder, cheapest first."""

TABLE: dict[str, str] = {
    "adapter": "bowerbird.learn.trainers.adapter:AdapterTrainer",
    "ranker": "bowerbird.learn.trainers.ranker:RankerTrainer",
    "gate": "bowerbird.learn.trainers.gate:GateTrainer",
    "router": "bowerbird.learn.trainers.router:RouterTrainer",
    "cross_encoder": "bowerbird.learn.trainers.cross_encoder:CrossEncoderTrainer",
    "encoder": "bowerbird.learn.trainers.encoder:EncoderTrainer",
}
