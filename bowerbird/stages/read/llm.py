"""`llm`: the language model answers from the context, and its marks become citations.

It knows how to ask and how to read marks, not whether what was said is true: `citations` checks that afterwards. Where
nothing relevant was found it says so without asking the model.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import LLM, Completion, Prompt, Streams, capabilities
from bowerbird.roles import Read
from bowerbird.stage import part
from bowerbird.stages.asking import completions
from bowerbird.stages.read.attribute import attributed
from bowerbird.stages.read.marks import cited
from bowerbird.stages.read.quote import citation, nowhere
from bowerbird.types import Answer, Block, Message, Turn

__all__ = ["NOTHING_FOUND", "ReadLLM", "abstained", "with_citations"]

NOTHING_FOUND = "I found nothing relevant to this in what I keep."
_MESSAGE_TOKENS = 8  # what a chat template adds to a message, generously


@dataclass(frozen=True)
class ReadLLM(Read):
    """One call for the batch. `max_tokens` and `temperature` go to the model. `attribute`: an answer without a single mark, as
    small models write them, gets marks by its words (`attribute.py`).

    A turn whose context has no blocks although retrieval was wanted abstains, with no call; one whose gate said no, or whose
    budget is 0, is answered without context. What does not fit into the model's window is left away: oldest history first,
    then the last blocks. A model that fails or says nothing leaves `Answer.text` empty and says why in the trace (`error`): the
    context is kept, and no other turn of the batch suffers for it (`asking.py`).
    """

    name: ClassVar[str] = "llm"
    waits: ClassVar[bool] = True
    max_tokens: int = 200
    temperature: float = 0.0
    attribute: bool = True
    llm: LLM = part("llm")

    def __post_init__(self) -> None:
        if isinstance(self.max_tokens, bool) or not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise InvalidInput(f"llm: max_tokens={self.max_tokens!r} must be a whole number, at least 1.")
        if not 0 <= self.temperature <= 2:
            raise InvalidInput(f"llm: temperature={self.temperature!r} must be from 0 to 2.")

    def read(self, turns: Sequence[Turn]) -> list[tuple[Answer, Mapping[str, Any]]]:
        done: dict[int, tuple[Answer, Mapping[str, Any]]] = {}
        asked: dict[int, tuple[Prompt, Mapping[str, Any]]] = {}
        for i, turn in enumerate(turns):
            said = abstained(turn)
            if said is not None:
                done[i] = said
                continue
            try:
                asked[i] = self._prompt(turn)
            except LLMError as error:
                done[i] = self._failed(error)
        prompts = [prompt for prompt, _ in asked.values()]
        outcomes = completions(self.llm, prompts, max_tokens=self.max_tokens, temperature=self.temperature, stop=self._stop)
        for (i, (_, info)), outcome in zip(asked.items(), outcomes, strict=True):
            answer, told = self._answer(turns[i], outcome) if isinstance(outcome, Completion) else self._failed(outcome)
            done[i] = answer, {**info, **told}
        return [done[i] for i in range(len(turns))]

    def stream(self, turn: Turn) -> Generator[str, None, tuple[Answer, Mapping[str, Any]]]:
        """The answer to one turn as it grows, and at last what `read` gives for it. A model that cannot stream says it whole."""
        if abstained(turn) is not None or not isinstance(self.llm, Streams):
            ((answer, info),) = self.read([turn])
            yield answer.text
            return answer, info
        text = ""
        try:
            prompt, cut = self._prompt(turn)
            for piece in self.llm.stream(prompt, max_tokens=self.max_tokens, temperature=self.temperature, stop=self._stop):
                text += piece
                yield piece
        except LLMError as error:
            return self._failed(error)
        sizes = self.llm.count([*(message.content for message in prompt.messages), text])
        answer, info = self._answer(turn, Completion(text, sum(sizes[:-1]), sizes[-1]))
        return answer, {**cut, **info}

    @property
    def _stop(self) -> tuple[str, ...]:
        """A base model goes on with a dialogue of its own after its first line."""
        return () if "chat" in capabilities(self.llm) else ("\n",)

    def _prompt(self, turn: Turn) -> tuple[Prompt, Mapping[str, Any]]:
        """The messages, cut to the window, and what of them was cut. Raises `LLMError` where the question alone is too long."""
        context = turn.context
        chat = "chat" in capabilities(self.llm)
        if context is None or not context.blocks:
            system: tuple[Message, ...] = ()
            body: list[str] = []
        else:
            # A base model follows no instruction and repeats what it sees most, so it is shown the records' words alone.
            system = (Message("system", context.prefix),) if context.prefix and chat else ()
            body = [block.text if chat else _inside(block) for block in context.blocks if not (block.pinned and chat)]
        history = list(turn.history)
        sizes = self.llm.count([message.content for message in (*system, *history)] + body + [turn.query])
        fixed = sum(sizes[: len(system)]) + sizes[-1] + _MESSAGE_TOKENS * (len(system) + 1)
        past = [size + _MESSAGE_TOKENS for size in sizes[len(system) : len(system) + len(history)]]
        shown = [size + 1 for size in sizes[len(system) + len(history) : -1]]
        room = self.llm.context_window - min(self.max_tokens, self.llm.context_window // 2) - fixed
        if room < 0:
            raise LLMError(
                f"The question and what always goes with it need {fixed:,} tokens; {self.llm.name} has a window of "
                f"{self.llm.context_window:,}, {self.max_tokens:,} of them for the answer. Ask more briefly, or lower max_tokens."
            )
        before = len(history), len(body)
        while history and sum(past) + sum(shown) > room:
            history.pop(0)
            past.pop(0)
        while body and sum(shown) > room:
            body.pop()
            shown.pop()
        cut = {name: n for name, n in (("history", before[0] - len(history)), ("blocks", before[1] - len(body))) if n}
        asked = "\n\n".join(["\n".join(body), turn.query] if body else [turn.query])
        return Prompt((*system, *history, Message("user", asked))), {"cut": cut} if cut else {}

    def _answer(self, turn: Turn, said: Completion) -> tuple[Answer, Mapping[str, Any]]:
        info: dict[str, Any] = {
            "model": self.llm.name,
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.completion_tokens,
            "cost": said.cost,
            "finish": said.finish,
        }
        text = said.text.strip()
        if not text:
            return Answer("", model=self.llm.name), {**info, "error": f"{self.llm.name} answered with nothing (finish: {said.finish})."}
        blocks = turn.context.blocks if turn.context else ()
        if self.attribute and blocks and not cited(text, [block.mark for block in blocks]):
            text, info["attributed"] = attributed(text, blocks)
        answer = with_citations(turn, text, self.llm.name)
        return answer, {**info, "citations": len(answer.citations), "unknown_marks": len(answer.dropped)}

    def _failed(self, error: LLMError) -> tuple[Answer, Mapping[str, Any]]:
        return Answer("", model=self.llm.name), {"model": self.llm.name, "error": str(error)}


def _inside(block: Block) -> str:
    """What stands between the delimiters of a block."""
    return "\n".join(block.text.splitlines()[1:-1])


def with_citations(turn: Turn, text: str, model: str | None) -> Answer:
    """`text` as the answer to `turn`: marks of its context become citations, marks of nothing stand in `dropped`."""
    blocks = {block.mark: block for block in turn.context.blocks} if turn.context else {}
    found = cited(text, blocks)
    known = tuple(citation(one, text, blocks[one.mark], blocks) for one in found if one.mark in blocks)
    return Answer(text, known, tuple(nowhere(one) for one in found if one.mark not in blocks), model=model)


def abstained(turn: Turn) -> tuple[Answer, Mapping[str, Any]] | None:
    """The answer to a turn that wanted records and has none to show; None where there is something to say."""
    context = turn.context
    if context is None or context.blocks or not turn.retrieves or context.budget == 0:
        return None
    if context.left_out:
        text = f"What I found does not fit into the budget of {context.budget:,} tokens."
        return Answer(text, abstained=True), {"abstained": text}
    return Answer(NOTHING_FOUND, abstained=True), {"abstained": "nothing relevant was found"}
