"""ALCE: how useful people found cited answers of four systems each on ASQA and ELI5, from 1 to 5.

The file holds the answers without their marks and without the passages that they cite, so a check of citations says nothing of
them; what is judged is a judge of the answers (protocol `grade`). `automatic`: what ALCE's own measure of correctness said.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "princeton-nlp/ALCE", "246c476a4edfc564266b7346b6e29ef4861ae937"
_FILE = "human_eval_utility_completed.json"
_CHOICES = ("1", "2", "3", "4", "5")


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for dataset, systems in rows.json_value(data.path(_FILE)).items():
        for system, answers in systems.items():
            for name, item in answers.items():
                if name == "overall_results":  # the automatic scores of the system, no answer
                    continue
                facts = {
                    "question": item["question"],
                    "answer": item["output"],
                    "human": item["utility_score"],
                    "automatic": item["automatic_correctness_scores"],
                    "system": system,
                }
                yield Case(
                    f"{system}-{name}",
                    item["question"],
                    answers=(str(item["utility_score"]),),
                    choices=_CHOICES,
                    scope=labelled.SCOPE,
                    category=dataset,
                    facts=facts,
                )


TASK = Task(
    name="alce_human",
    kind="answers",
    about="How useful people find a cited answer, from 1 to 5.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MIT",
    citation="Gao et al., Enabling Large Language Models to Generate Text with Citations, EMNLP 2023",
    protocols=("grade",),
    measures=("Spearman",),
    splits=("human",),
    files=(
        File(
            f"citations/alce-human-eval/{_FILE}",
            "1d84b8a96a4ff29dc0678b35e33ea535e9f22d2313a212e41c4ce06d7a58e5ff",
            rows.github(_REPOSITORY, _REVISION, f"human_eval/{_FILE}"),
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("8 rows that hold a system's overall scores instead of an answer",),
)
