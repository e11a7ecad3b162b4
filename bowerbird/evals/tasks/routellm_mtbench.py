"""RouteLLM on MT-bench: GPT-4's marks (1 to 10) for the answers of Mixtral 8x7B and GPT-4 to 80 open questions.

A score is the mean of the marks of both turns. A router sees the first turn, as in the paper. Dollars are estimates:
characters / 4 as tokens of the questions, and of the answers as they stand in the judge's prompt of the second turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bowerbird.evals import routed, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]


def _records(data: TaskData) -> Iterator[Record]:
    return routed.records(routed.PAIR)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    marks: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    shown: dict[tuple[str, str], int] = {}
    for item in rows.json_lines(data.path("judgements.jsonl")):
        place = (str(item["question_id"]), item["model"])
        marks[place].append(float(item["score"]))
        if item["turn"] == 2:
            shown[place] = len(item["user_prompt"])
    for item in rows.json_lines(data.path("question.jsonl")):
        number = str(item["question_id"])
        if routed.drawn(f"routellm_mtbench {number}", split):
            asked = sum(map(len, item["turns"]))
            scores = {model.key: sum(marks[number, model.key]) / len(marks[number, model.key]) for model in routed.PAIR}
            costs = {model.key: model.dollars(asked / 4, max(0, shown[number, model.key] - asked) / 4) for model in routed.PAIR}
            yield routed.case(f"question-{number}", item["turns"][0], scores, costs, item["category"])


TASK = Task(
    name="routellm_mtbench",
    kind="model",
    about="Which open questions need the strong model.",
    source=f"https://github.com/{routed.REPOSITORY}",
    revision=routed.REVISION,
    licence="Apache-2.0",
    citation="Ong et al., RouteLLM, arXiv 2406.18665; Zheng et al., Judging LLM-as-a-Judge, NeurIPS 2023",
    protocols=("route",),
    measures=("APGR", "CPT@50", "CPT@80", "quality", "regret", "CostAt@95"),
    splits=routed.SPLITS,
    files=(
        File(
            "models/routellm/mt_bench/judgements.jsonl",
            "ffd1d44e7af835c810d35ebd420b88a47acd8aac850f46b149b9889964ae4478",
            rows.github(routed.REPOSITORY, routed.REVISION, "routellm/evals/mt_bench/judgements.jsonl"),
        ),
        File(
            "models/routellm/mt_bench/question.jsonl",
            "119565adbab82227089cefdb44c8d7e2cf04dc0a0ec233634c82e7d4e2a944f7",
            rows.github(routed.REPOSITORY, routed.REVISION, "routellm/evals/mt_bench/question.jsonl"),
        ),
    ),
    records=_records,
    cases=_cases,
)
