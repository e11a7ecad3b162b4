"""ExpertQA: is a claim of a cited answer supported by the evidence it cites, judged by experts of the field.

The experts read the pages that an answer named; of two of the six systems the file holds their addresses alone, and nothing of what
was read there. Those claims are left out: no check could tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_CHOICES = ("complete", "partial", "incomplete")
_ADDRESS = re.compile(r"https?://\S+|\[\d+\]")


def _says(evidence: Sequence[str]) -> bool:
    """Whether there is a word in it beside addresses and citation marks."""
    return any(_ADDRESS.sub("", text).strip() for text in evidence)


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row, item in enumerate(rows.json_lines(data.path("rand_val.jsonl.gz"))):
        for system, answer in item["answers"].items():
            for number, claim in enumerate(answer["claims"]):
                label = (claim["support"] or "").lower()
                if label not in _CHOICES or not _says(claim["evidence"]):
                    continue
                facts = {
                    "question": item["question"],
                    "claim": claim["claim_string"],
                    "evidence": claim["evidence"],
                    "human": label,
                    "system": system,
                }
                yield Case(
                    f"{row}-{system}-{number}",
                    claim["claim_string"],
                    answers=(label,),
                    choices=_CHOICES,
                    scope=labelled.SCOPE,
                    category=item["metadata"]["field"],
                    facts=facts,
                )


TASK = Task(
    name="expertqa",
    kind="answers",
    about="Is a claim supported by the evidence that it cites, for an expert of the field.",
    source="https://github.com/chaitanyamalaviya/ExpertQA",
    revision="1aa7ba81bd4c083c12ef1aa2fee338f6cb60fa87",
    licence="MIT",
    citation="Malaviya et al., ExpertQA: Expert-Curated Questions and Attributed Answers, NAACL 2024",
    protocols=("agree",),
    measures=("accuracy", "macro-F1", "kappa"),
    splits=("rand_val",),
    files=(File("citations/expertqa/rand_val.jsonl.gz", "91863037b3afcbaffd099952c812ede86052e6c2f897f914109fdd981d4c94fe"),),
    records=_records,
    cases=_cases,
    dropped=(
        "216 claims without any evidence",
        "228 claims with an address alone as evidence",
        "52 claims whose support nobody could judge (N/A or empty)",
    ),
)
