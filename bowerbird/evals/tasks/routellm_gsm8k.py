"""RouteLLM on GSM8K: which of 660 word problems Mixtral 8x7B solves, and which GPT-4.

Dollars are estimates: characters / 4 as tokens of the question and of each model's own answer, at list prices.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import routed, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]


def _records(data: TaskData) -> Iterator[Record]:
    return routed.records(routed.PAIR)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row, item in enumerate(rows.table_rows(data.path("gsm8k_responses.csv"))):
        if routed.drawn(f"routellm_gsm8k {row}", split):
            asked = len(item["prompt"]) / 4
            scores = {model.key: float(item[model.key] == "True") for model in routed.PAIR}
            costs = {model.key: model.dollars(asked, len(item[f"{model.key}_response"]) / 4) for model in routed.PAIR}
            yield routed.case(f"problem-{row}", item["prompt"], scores, costs)


TASK = Task(
    name="routellm_gsm8k",
    kind="model",
    about="Which word problems need the strong model.",
    source=f"https://github.com/{routed.REPOSITORY}",
    revision=routed.REVISION,
    licence="Apache-2.0",
    citation="Ong et al., RouteLLM: Learning to Route LLMs with Preference Data, arXiv 2406.18665",
    protocols=("route",),
    measures=("APGR", "CPT@50", "CPT@80", "quality", "regret", "CostAt@95"),
    splits=routed.SPLITS,
    files=(
        File(
            "models/routellm/gsm8k/gsm8k_responses.csv",
            "79fb02d3fccbe78b1cc3fd1c9807f31d8fcf535818300d62c8fb0618d2135b08",
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("every second problem is not in this copy",),
)
