"""Changing the question before the search: name -> "module:Class"."""

TABLE: dict[str, str] = {
    "clauses": "bowerbird.stages.rewrite.clauses:Clauses",
    "history": "bowerbird.stages.rewrite.history:History",
    "llm_rewrite": "bowerbird.stages.rewrite.llm_rewrite:LLMRewrite",
}
