"""RouteLLM on MMLU: which of 10,785 multiple-choice questions Mixtral 8x7B gets right, and which GPT-4.

Dollars are estimates: the question's characters / 4 as prompt tokens and one answer token, at list prices.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import routed, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_BASE = "models/routellm/mmlu"
_HASHES = {
    "mmlu_abstract_algebra.csv": "67e564eea42e71fbfcaf616972df952c316e5538376da1c16d691177458b96b9",
    "mmlu_anatomy.csv": "53ebea8257805eeecc25713728264b8235cffad7b720962a3eafc92fd27ef537",
    "mmlu_astronomy.csv": "49915ece9dfe8aadbd351f221ada2ea86b6f832ce49fa64d1622a0f066c19794",
    "mmlu_clinical_knowledge.csv": "5ea37709bfbad4df7a3fcbd8973413f7645a2adfef9772490f09d3f293ffe882",
    "mmlu_college_biology.csv": "c38620db5b9f6f1b0fde7bc8d8299b8e2305c4dacbb1567c904cd51618d627d5",
    "mmlu_college_chemistry.csv": "78ca6ba22ff25c8fdb93e1c6e84384e72522106c73ed5ee9fed620928ce395ce",
    "mmlu_college_mathematics.csv": "3f22f42779c48509c66e21d7d1fc3054eb0256c1b5b772bb6d9a3af1b253238b",
    "mmlu_college_medicine.csv": "63d71d29e630fc6538e1705a51f4267bdbbdea0fa7ee85056ad7d6f8f10d3987",
    "mmlu_college_physics.csv": "8162a0660d4ef7b963088e0a176d4b8630096127a0d0b5ed003f649cbad34455",
    "mmlu_conceptual_physics.csv": "ea40473704b64cb60d564ffe91962848ec6fc3106b40089d08cebc98d5c7226d",
    "mmlu_econometrics.csv": "927b4d877cec8697f3b8378bb7e7c7a279babaea2edacf350ea50908701907b9",
    "mmlu_electrical_engineering.csv": "de2fb7c2e9addb4808f5b3f7c79efbfdfb86216235bb7dc28ab70bc53664f11e",
    "mmlu_formal_logic.csv": "094a462626468569ad595c03e66e73a299188cfa175248b499dba94e005506e6",
    "mmlu_global_facts.csv": "6f75ddf7d6eb94ac0471529a85ff7f8b738c9f4055185b3114eed26393222d06",
    "mmlu_high_school_biology.csv": "444982fc2c750ab8cbc6942a0c0267040aa5023c1d2364247d20e2a28b4e325d",
    "mmlu_high_school_computer_science.csv": "d156d9448a6e899f7f976a0afac148a928bf709a2baa573f0c407854a25bdb11",
    "mmlu_high_school_european_history.csv": "c64afd6c5e30ef0cd5c10beab961ac05e7ba55d6b48cd93bf6ad0a45f90515bf",
    "mmlu_high_school_geography.csv": "21b12044be4a6b9813880ad46372006dc0846e7f85fa46883bb73dbd90fba30a",
    "mmlu_high_school_macroeconomics.csv": "73b931a2a06ba74a5c9f1e005d45a25004e36be5d075d98f8ebcf89b3fda367b",
    "mmlu_high_school_mathematics.csv": "151b2a736981b7b20f3bad99de6a573e4692d68cf87020e943b601b70bb37390",
    "mmlu_high_school_microeconomics.csv": "f7ea151efb4c9d96374db3358ac7e97e4d8349e26715f61dac98bc9d854ca046",
    "mmlu_high_school_psychology.csv": "d11604f2c7a2425258d5b9a285ef71737c011cc3a91456890f088a0ee4c55212",
    "mmlu_high_school_statistics.csv": "de6642bcd93d7a80e7bbd73d987a44d67b6e537b47749ddc518122fd582703bb",
    "mmlu_high_school_us_history.csv": "a71186d143363e203b2f216d78c9d21f10cca51de455ef176c9c01b77f546592",
    "mmlu_human_aging.csv": "0d6c4109b4f61f138781ce50bbc60ff2e90dd451694d3926a088be5a5bd88aa8",
    "mmlu_human_sexuality.csv": "20916037e3012731883f926738daf47ed994f74ba25518fdb7f0df72a81143fd",
    "mmlu_international_law.csv": "e389b886e3e1570bfdf798f6f56dc3c675350200c5baf0f41a0766294ff312eb",
    "mmlu_logical_fallacies.csv": "fa2d94cd2e901621aaebd0a7e64560b5dbbe4249086795398533eed2561c0c1e",
    "mmlu_machine_learning.csv": "9301e928481be6e20b3541e1ac112b25a4a71338b21592978c0d219cb6240020",
    "mmlu_management.csv": "a00b12ab0265918f9335a85ce02303ddaea0491a7b099f88a05986eeac4aa4fb",
    "mmlu_medical_genetics.csv": "7c830f87dcbc0029137b3400cf361931831cb57dda55717a64e72ad74663d5df",
    "mmlu_miscellaneous.csv": "c2e1a5b0394a8429f55b6340e1865166ac17ec6b3571523005e413b3b2843b9f",
    "mmlu_moral_disputes.csv": "8b2b973b1987b724f39fd10970604d7f1150747a0db9ce766c193bd978c9d0c4",
    "mmlu_nutrition.csv": "ba197fbf4b6c5034414d66ea7747211056cf5f709f83d919d2d856245720cc51",
    "mmlu_philosophy.csv": "2f30ad01ab529ddea00dff4ff87e950fef838a78754c94f6884120628a7d0591",
    "mmlu_prehistory.csv": "afc816d4b78814627bae9b8c3730a9bb72bd958ff6259fd36c981777cfe83753",
    "mmlu_professional_law.csv": "60a4308df4f481ff8840590b29061835207b50a9f06a9fc68baf12b114f7e2e0",
    "mmlu_professional_medicine.csv": "6fda30b523e4e2ce8b1f18e871a0722190a4ac81ec377a75fbba4a63e0b510f7",
    "mmlu_professional_psychology.csv": "bfb3a7fb653e2b195d3fa258894af64d3f1c3dbd4059c1e0feb728131d20f9b3",
    "mmlu_security_studies.csv": "1354bb17649f95b7dd8ef3179e22329abe6bef84e639d63370ae9e80b2509905",
    "mmlu_sociology.csv": "903ba6259b13f2877607abef22b7b19cb575104268d4ced615e3129d3caafb47",
    "mmlu_us_foreign_policy.csv": "f1c1d266753a3f161e2018c16c6948fb78c7f5e506a10b4fc0441049962a6c69",
    "mmlu_world_religions.csv": "49dc00d44e069ecaac6a7f7e2188f4a8bce5df56ee91bb15f55519d07f64af8e",
}


def _records(data: TaskData) -> Iterator[Record]:
    return routed.records(routed.PAIR)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name in _HASHES:
        subject = name.removeprefix("mmlu_").removesuffix(".csv")
        for row, item in enumerate(rows.table_rows(data.path(name))):
            case = f"{subject}-{row}"
            if routed.drawn(f"routellm_mmlu {case}", split):
                scores = {model.key: float(item[model.key] == "True") for model in routed.PAIR}
                costs = {model.key: model.dollars(len(item["prompt"]) / 4, 1) for model in routed.PAIR}
                yield routed.case(case, item["prompt"], scores, costs, subject.replace("_", " "))


TASK = Task(
    name="routellm_mmlu",
    kind="model",
    about="Which multiple-choice questions need the strong model.",
    source=f"https://github.com/{routed.REPOSITORY}",
    revision=routed.REVISION,
    licence="Apache-2.0",
    citation="Ong et al., RouteLLM: Learning to Route LLMs with Preference Data, arXiv 2406.18665",
    protocols=("route",),
    measures=("APGR", "CPT@50", "CPT@80", "quality", "regret", "CostAt@95"),
    splits=routed.SPLITS,
    files=tuple(
        File(f"{_BASE}/{name}", sha256, rows.github(routed.REPOSITORY, routed.REVISION, f"routellm/evals/mmlu/responses/{name}"))
        for name, sha256 in _HASHES.items()
    ),
    records=_records,
    cases=_cases,
    dropped=("14 of 57 subjects are not in this copy",),
)
