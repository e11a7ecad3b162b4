"""RouterDC: scores of seven open models of 7 to 8 billion parameters on 7,598 questions of six benchmarks.

The models cost about the same to run, so no dollars are given: what is judged is the quality of the choice.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import routed, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "shuhao02/RouterDC", "0e63989c5bf4363330b8a4616386e3f7f116d9f8"
_MODELS = (
    routed.Model("mistralai/Mistral-7B-v0.1", "Mistral 7B, base model"),
    routed.Model("meta-math/MetaMath-Mistral-7B", "Mistral 7B tuned on mathematics"),
    routed.Model("itpossible/Chinese-Mistral-7B-v0.1", "Mistral 7B trained further on Chinese"),
    routed.Model("HuggingFaceH4/zephyr-7b-beta", "Mistral 7B tuned for chat (Zephyr)"),
    routed.Model("cognitivecomputations/dolphin-2.6-mistral-7b", "Mistral 7B tuned on instructions and code (Dolphin 2.6)"),
    routed.Model("meta-llama/Meta-Llama-3-8B", "Llama 3 8B, base model"),
    routed.Model("cognitivecomputations/dolphin-2.9-llama3-8b", "Llama 3 8B tuned on instructions and code (Dolphin 2.9)"),
)
_HASHES = {
    "arc_challenge_train.json": "5ec50e9cd61caf0e3f116b48d00996a3d88ee52b3a0f04797cdfde8e21f8b610",
    "arc_easy_train.json": "25bc2be5a33afbdf950466ad34f388b6ede63e59d7139a916c0dd7be649ccfae",
    "cmmlu_train.json": "6cc4cdba7f5bf9ca6cbb303bac87efded70d3807c17ecbe54424a74d9410b11e",
    "gsm8k-train.json": "63528cfd7b1860f03bae35e16d4964fe61d4abd3133386c92b22f433a4d4cd75",
    "humaneval_train.json": "c98f4160c135bfb2e6ee21bed16e23a8e5700148c3ea6f49092ce64c5a8d8de0",
    "mmlu_train.json": "f07315933421304572fde4a2751c131757a7a3913ad5dad302390d4ee00e5d7d",
}


def _records(data: TaskData) -> Iterator[Record]:
    return routed.records(_MODELS)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name in _HASHES:
        benchmark = name.replace("-", "_").removesuffix("_train.json")
        for row, item in enumerate(rows.json_value(data.path(name))):
            case = f"{benchmark}-{row}"
            if routed.drawn(f"routerdc {case}", split):
                scores = {model.key: float(item["scores"][model.key]) for model in _MODELS}
                yield routed.case(case, item["question"], scores, {}, benchmark)


TASK = Task(
    name="routerdc",
    kind="model",
    about="Which of seven open models answers a question best.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="not stated",
    citation="Chen et al., RouterDC: Query-Based Router by Dual Contrastive Learning for Assembling LLMs, NeurIPS 2024",
    protocols=("route",),
    measures=("quality", "regret"),
    splits=routed.SPLITS,
    files=tuple(File(f"models/routerdc-7models/{name}", sha256) for name, sha256 in _HASHES.items()),
    records=_records,
    cases=_cases,
    dropped=("only training parts are in this copy",),
)
