"""Prompts that rewards are measured with: one template a kind, with an id that is written beside every reward.

A candidate stands before the query, as in LLM-Embedder's (arXiv 2310.07554, section 3; the words are ours): what stands in front is what a
decoder can compute once for many queries. Plain text, since the default model is a base model. It knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bowerbird.ports import LLM

__all__ = ["TEMPLATES", "Template", "cut", "template"]


@dataclass(frozen=True, slots=True)
class Template:
    """`before` candidate, empty line, `ask` query `lead`; then comes the output. A change of words is a new `id`."""

    id: str
    before: str
    ask: str
    lead: str

    def prompt(self, query: str, candidate: str | None = None) -> str:
        """The text in front of the output; None = the run without any candidate."""
        asked = f"{self.ask}{query}\n{self.lead}"
        return asked if candidate is None else f"{self.before}{candidate}\n\n{asked}"

    def output(self, answer: str) -> str:
        """An answer as it follows the prompt."""
        return f" {answer.strip()}"


TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "passage": Template("passage-1", "Passage: ", "Question: ", "Answer:"),
        "memory": Template("memory-1", "Said before: ", "Message: ", "Reply:"),
        "example": Template("example-1", "", "Input: ", "Output:"),  # a shown example reads `Input: … Output: …` itself
        "tool": Template("tool-1", "Tool: ", "Request: ", "Call:"),
        "user": Template("user-1", "About the user: ", "Request: ", "Reply:"),
        "item": Template("item-1", "Item: ", "Wish: ", "Recommended:"),
        "model": Template("model-1", "Model: ", "Request: ", "Reply:"),
    }
)
_OTHER = Template("any-1", "", "Question: ", "Answer:")


def template(kind: str) -> Template:
    """The template of a kind; kinds of other packages have one of their own in common."""
    return TEMPLATES.get(kind, _OTHER)


def cut(text: str, tokens: int, llm: LLM) -> str:
    """The longest beginning of `text` that `llm` counts as at most `tokens`; a text that fits is given back as it is."""
    if llm.count([text])[0] <= tokens:
        return text
    fits, over = 0, len(text)  # characters
    while over - fits > 1:
        middle = (fits + over) // 2
        if llm.count([text[:middle]])[0] <= tokens:
            fits = middle
        else:
            over = middle
    return text[:fits]
