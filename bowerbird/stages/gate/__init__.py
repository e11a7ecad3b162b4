"""Deciding whether outside help is needed: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "always": "bowerbird.stages.gate.always:Always",
    "never": "bowerbird.stages.gate.never:Never",
    "learned_gate": "bowerbird.stages.gate.learned_gate:LearnedGate",
    "small_talk": "bowerbird.stages.gate.small_talk:SmallTalk",
}
