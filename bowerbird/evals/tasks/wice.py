"""WiCE: is a claim of Wikipedia supported by the page that it cites, judged by people in three steps."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_CHOICES = ("supported", "partially supported", "not supported")


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for item in rows.json_lines(data.path("dev.jsonl.gz")):
        label = item["label"].replace("_", " ")
        facts = {
            "claim": item["claim"],
            "evidence": item["evidence"],
            "human": label,
            "supporting": item["supporting_sentences"],
        }
        name = item["meta"]["id"]
        yield Case(name, item["claim"], answers=(label,), choices=_CHOICES, scope=labelled.SCOPE, category=label, facts=facts)


TASK = Task(
    name="wice",
    kind="answers",
    about="Is a claim supported by the page that it cites.",
    source="https://github.com/ryokamoi/wice",
    revision="ddeb6c183665e2a20c5f03c5aa07f03888b9870f",
    licence="ODC-BY (annotations); CC BY-SA and Common Crawl terms (texts)",
    citation="Kamoi et al., WiCE: Real-World Entailment for Claims in Wikipedia, EMNLP 2023",
    protocols=("agree",),
    measures=("accuracy", "macro-F1", "kappa"),
    splits=("dev",),
    files=(File("citations/wice/dev.jsonl.gz", "50683504bac1ced1d035f2afcdf31421fa756c9b800849cff0d1075a55987a4a"),),
    records=_records,
    cases=_cases,
)
