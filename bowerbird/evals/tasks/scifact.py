"""SciFact: claims of biomedicine and the abstracts that support or contradict them, as BEIR uses it. Knows no labels."""

from __future__ import annotations

from bowerbird.evals.rows import github
from bowerbird.evals.task import File, Task
from bowerbird.evals.tasks import beir

__all__ = ["TASK"]

_QRELS = "moorateeahtashil/Information-Retrieval", "00b74e83a48f52e6588946861a3bd6cfe9f7fede"
_AT = "knowledge/scifact/beir"

TASK = Task(
    name="scifact",
    kind="passage",
    about="5,183 abstracts, 1,109 claims: find the abstracts that bear on a claim (BEIR)",
    source="https://github.com/sumithra-p-v/claimverifier, https://github.com/moorateeahtashil/Information-Retrieval",
    revision="b42f1c3444b28884ddcfadffafbfe223646c6c37, 00b74e83a48f52e6588946861a3bd6cfe9f7fede",
    licence="not stated",
    citation="Wadden et al., Fact or Fiction: Verifying Scientific Claims, EMNLP 2020; Thakur et al., BEIR, NeurIPS 2021",
    protocols=("rank",),
    measures=("nDCG@10", "Recall@100", "MRR@10"),
    splits=("test", "train"),
    files=(
        File(f"{_AT}/corpus.jsonl.gz", "c1f4a15feff4e451cf166518cc26c1487bcb196e9f7cbd744d531e6a0e691149"),
        File(f"{_AT}/queries.jsonl", "90af8c425d13ebd619fb26f8da4cd46c8aa261e5122ae997fce08f858bef3122"),
        File(
            f"{_AT}/qrels/test.tsv",
            "0864bb985e0ca2367ba217977e72004d549054b2b06666ed9d4825ac7c21284c",
            github(*_QRELS, "scifact/qrels/test.tsv"),
        ),
        File(
            f"{_AT}/qrels/train.tsv",
            "a53f2114831916c096b6c37d9e54da68cef4efdcdbd5ed46533601af972acf1d",
            github(*_QRELS, "scifact/qrels/train.tsv"),
        ),
    ),
    records=lambda data: beir.records(data.path("corpus.jsonl.gz")),
    cases=lambda data, split: beir.cases(data.path("queries.jsonl"), data.path(f"qrels/{split}.tsv")),
)
