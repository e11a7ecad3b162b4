"""BEGIN: is a reply of a dialogue model borne out by the text it was given, in three corpora.

A generic reply says nothing that could be borne out; people gave it a label of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "google/BEGIN-dataset", "6e65f0d5a1ed1b9574643a7640ff1678d4e979b5"
_CHOICES = ("fully attributable", "not fully attributable", "generic")
_CORPORA = {"wow": "wow", "tc": "topicalchat", "cmu": "cmu-dog"}
_HASHES = {
    "begin_dev_cmu.tsv": "9482294df23cf08a976773ca73203b84f7178534ecab1a206eaade365e97071c",
    "begin_dev_tc.tsv": "d799a8cb3635de41b7f284dcfc872544ddeadcbae0c2ffd684270cce671f7711",
    "begin_dev_wow.tsv": "2ebfc95a1ff267e12dcce3250da4d158e1811c62e9e1a0d56f110efc9ace0178",
}


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for short, corpus in _CORPORA.items():
        for row, item in enumerate(rows.table_rows(data.path(f"begin_dev_{short}.tsv"), "\t")):
            label = item["begin_label"].lower()
            facts = {
                "claim": item["response"],
                "evidence": [item["knowledge"]],
                "message": item["message"],
                "human": label,
                "system": item["model_name"],
            }
            name = f"{corpus}-{row}"
            yield Case(name, item["response"], answers=(label,), choices=_CHOICES, scope=labelled.SCOPE, category=corpus, facts=facts)


TASK = Task(
    name="begin",
    kind="answers",
    about="Is a reply borne out by the text that the model was given.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="CC BY 4.0 (wow, cmu-dog), CDLA-Sharing 1.0 (topicalchat)",
    citation="Dziri et al., Evaluating Attribution in Dialogue Systems: The BEGIN Benchmark, TACL 2022",
    protocols=("agree",),
    measures=("accuracy", "macro-F1", "kappa", "AUC"),
    splits=("dev",),
    files=tuple(
        File(
            f"citations/begin/{name}",
            sha256,
            rows.github(_REPOSITORY, _REVISION, f"{_CORPORA[name.split('_')[2].removesuffix('.tsv')]}/{name}"),
        )
        for name, sha256 in _HASHES.items()
    ),
    records=_records,
    cases=_cases,
)
