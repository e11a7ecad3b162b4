"""RouterBench, zero-shot, three of its tasks: scores and dollars of eleven models on 2,212 questions.

Scores and dollars are the source's; the prices of the records are the ones that these dollars imply. The prompts of ARC
and Winogrande begin with the same solved examples, 1,000 to 2,000 characters long, in which an encoder would drown: they are
left off the query.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from bowerbird.evals import routed, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "shuhao02/RouterDC", "0e63989c5bf4363330b8a4616386e3f7f116d9f8"
_MODELS = (
    routed.Model("gpt-4-1106-preview", "OpenAI GPT-4 Turbo of November 2023", 10.0, 30.0),
    routed.Model("gpt-3.5-turbo-1106", "OpenAI GPT-3.5 Turbo of November 2023", 1.0, 2.0),
    routed.Model("claude-v2", "Anthropic Claude 2", 8.0, 24.0),
    routed.Model("claude-v1", "Anthropic Claude 1", 8.0, 24.0),
    routed.Model("claude-instant-v1", "Anthropic Claude Instant 1", 0.8, 2.4),
    routed.Model("meta/llama-2-70b-chat", "Meta Llama 2 70B Chat", 0.9, 0.9),
    routed.Model("mistralai/mixtral-8x7b-chat", "Mistral Mixtral 8x7B, tuned for chat", 0.6, 0.6),
    routed.Model("zero-one-ai/Yi-34B-Chat", "01.AI Yi 34B Chat", 0.8, 0.8),
    routed.Model("WizardLM/WizardLM-13B-V1.2", "WizardLM 13B", 0.3, 0.3),
    routed.Model("meta/code-llama-instruct-34b-chat", "Meta Code Llama 34B, tuned for instructions", 0.776, 0.776),
    routed.Model("mistralai/mistral-7b-chat", "Mistral 7B, tuned for chat", 0.2, 0.2),
)
_SOLVED = re.compile(r"Answer:\s*[A-E]\s*\n\n")  # the end of a solved example
_HASHES = {
    "arc_challenge_train.csv.gz": "23050bd1992bc028711b1fe466770ceba07df46e70192fc8e5e8268296c52667",
    "mbpp_train.csv.gz": "ccc47aa71b54fde1ba2d80720eb64819eb80720b8cd6672c0e08303ebdb26065",
    "winograde_train.csv.gz": "d86183f8b39a00c234892b109ef5a029b3a25fe7cbb19243a4feb3f5ee8a0f6a",
}


def _records(data: TaskData) -> Iterator[Record]:
    return routed.records(_MODELS)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name in _HASHES:
        # A few samples stand in two rows, each with the scores of other models.
        samples: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
        for item in rows.table_rows(data.path(name)):
            samples[item["sample_id"]].append(item)
        for sample, parts in samples.items():
            scored = {model.key: part for part in parts for model in _MODELS if part[model.key]}
            if len(scored) == len(_MODELS) and routed.drawn(f"routerbench {sample}", split):
                prompt = "\n".join(ast.literal_eval(parts[0]["prompt"]))  # a list of messages, as Python prints it
                scores = {model.key: float(scored[model.key][model.key]) for model in _MODELS}
                costs = {model.key: float(scored[model.key][f"{model.key}|total_cost"]) for model in _MODELS}
                yield routed.case(sample, _SOLVED.split(prompt)[-1], scores, costs, parts[0]["eval_name"])


TASK = Task(
    name="routerbench",
    kind="model",
    about="Which of eleven models answers a question well for the least money.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="not stated",
    citation="Hu et al., RouterBench: A Benchmark for Multi-LLM Routing System, arXiv 2403.12031",
    protocols=("route",),
    measures=("quality", "regret", "cost", "APGR", "CPT@50", "CPT@80", "CostAt@95"),
    splits=routed.SPLITS,
    files=tuple(File(f"models/routerbench/{name}", sha256) for name, sha256 in _HASHES.items()),
    records=_records,
    cases=_cases,
    dropped=(
        "6 ARC samples without a score of every model",
        "only the training parts of ARC-challenge, MBPP and Winogrande are in this copy",
    ),
)
