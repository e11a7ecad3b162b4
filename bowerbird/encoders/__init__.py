"""Encoders: texts to dense or sparse vectors, and pairs to scores. They know no store, no record and no stage."""

TABLE: dict[str, str] = {
    "openvino": "bowerbird.encoders.openvino:OpenVINOEncoder",
    "sentence_transformers": "bowerbird.encoders.sentence_transformers:SentenceTransformerEncoder",
    "bm25": "bowerbird.encoders.bm25:BM25Encoder",
    "cross_encoder": "bowerbird.encoders.cross_encoder:CrossEncoderScorer",
}
