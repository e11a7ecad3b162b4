"""What every language model must do. A test class inherits `LLMSuite` and gives the fixture `llm`.

It knows nothing of quality: a model may say anything, but in order, within its limits, and the same thing twice.
Powers that the model does not declare are skipped.
"""

from __future__ import annotations

import math

import pytest

from bowerbird.errors import InvalidInput
from bowerbird.ports import LLM, HiddenStates, LogLikelihood, Prompt, Streams, capabilities
from bowerbird.types import Message

__all__ = ["LLMSuite"]

_TEXTS = ("The bower is blue.", "Rivers run to the sea, and the sea is not full", "one", "a b c d e f g", "Ünïcode, 你好 and 😀!")


class LLMSuite:
    """Inherit, and define a fixture `llm` that answers the same prompt the same way."""

    @pytest.fixture
    def llm(self) -> LLM:
        raise NotImplementedError("A class that inherits LLMSuite defines the fixture `llm`.")

    def test_name_and_window(self, llm: LLM) -> None:
        assert llm.name
        assert llm.context_window > 0

    def test_empty_batch(self, llm: LLM) -> None:
        assert llm.complete([], max_tokens=4) == []
        assert llm.count([]) == []

    def test_batch_equals_singles_in_order(self, llm: LLM) -> None:
        prompts = [Prompt(text=text) for text in _TEXTS]
        together = llm.complete(prompts, max_tokens=6)
        assert [done.text for done in together] == [llm.complete([prompt], max_tokens=6)[0].text for prompt in prompts]
        assert [done.text for done in llm.complete(prompts[::-1], max_tokens=6)] == [done.text for done in together[::-1]]

    def test_same_seed_same_answer(self, llm: LLM) -> None:
        prompts = [Prompt(text=_TEXTS[0]), Prompt(text=_TEXTS[1])]
        for temperature in (0.0, 0.9):
            first = llm.complete(prompts, max_tokens=6, temperature=temperature, seed=7)
            assert llm.complete(prompts, max_tokens=6, temperature=temperature, seed=7) == first

    def test_max_tokens(self, llm: LLM) -> None:
        for limit in (1, 3):
            done = llm.complete([Prompt(text=_TEXTS[1])], max_tokens=limit)[0]
            assert done.completion_tokens <= limit
            assert done.finish in ("stop", "length")
        with pytest.raises(InvalidInput):
            llm.complete([Prompt(text=_TEXTS[0])], max_tokens=0)

    def test_stop_cuts_before_the_mark(self, llm: LLM) -> None:
        whole = llm.complete([Prompt(text=_TEXTS[1])], max_tokens=8)[0].text
        if len(whole) < 3:
            pytest.skip(f"this model says only {whole!r}")
        mark = whole[len(whole) // 2 :][:2]
        cut = llm.complete([Prompt(text=_TEXTS[1])], max_tokens=8, stop=[mark])[0]
        assert cut.text == whole[: whole.index(mark)]
        assert cut.finish == "stop"

    def test_chat(self, llm: LLM) -> None:
        messages = (Message("system", "Be short."), Message("user", "What is blue?"))
        done = llm.complete([Prompt(messages=messages)], max_tokens=6)[0]
        assert isinstance(done.text, str)
        assert done.prompt_tokens > 0
        assert done.cost >= 0

    def test_count(self, llm: LLM) -> None:
        counts = llm.count(_TEXTS)
        assert counts == [llm.count([text])[0] for text in _TEXTS]
        assert llm.count([""]) == [0]
        for text in _TEXTS:
            words = text.split(" ")
            growing = llm.count([" ".join(words[:n]) for n in range(1, len(words) + 1)])
            assert growing == sorted(growing)
            assert growing[0] > 0

    def test_odd_text(self, llm: LLM) -> None:
        odd = ["half a pair: \ud83d", "nul \x00 bell \x07 bidi \u202e", "<bos><eos><|im_end|></s>[INST]", "\n\n\t  "]
        assert all(number >= 0 for number in llm.count(odd))
        assert len(llm.complete([Prompt(text=text) for text in odd], max_tokens=2)) == len(odd)
        assert llm.complete([Prompt(messages=(Message("user", text),)) for text in odd], max_tokens=2)

    def test_stream_is_complete_in_pieces(self, llm: LLM) -> None:
        if not isinstance(llm, Streams):
            pytest.skip("does not stream")
        prompt = Prompt(text=_TEXTS[1])
        assert "".join(llm.stream(prompt, max_tokens=8)) == llm.complete([prompt], max_tokens=8)[0].text

    def test_loglikelihood(self, llm: LLM) -> None:
        if not isinstance(llm, LogLikelihood):
            pytest.skip("does not score outputs")
        pairs = [(_TEXTS[0], " a b c"), (_TEXTS[1], " d"), ("one", " two three four five six seven")]
        scores = llm.loglikelihood(pairs)
        assert llm.loglikelihood([]) == []
        assert [number for _, number in scores] == llm.count([output for _, output in pairs])
        assert all(math.isfinite(total) and total < 0 for total, _ in scores)
        for pair, (total, _) in zip(pairs, scores, strict=True):
            assert llm.loglikelihood([pair])[0][0] == pytest.approx(total, rel=1e-3, abs=1e-3)
        assert llm.loglikelihood([(_TEXTS[0], "")]) == [(0.0, 0)]

    def test_loglikelihood_of_pairs_that_share_a_beginning(self, llm: LLM) -> None:
        """Whatever a model computes once for many pairs, each has the value that it has alone, in whatever order they come."""
        if not isinstance(llm, LogLikelihood):
            pytest.skip("does not score outputs")
        front = ("The bower is blue.", "The bower is blue and the sea is not", "Rivers run to the sea")
        prompts = [f"{text}\nQuestion: {ask}\nAnswer:" for text in front for ask in ("what?", "what is", "who")]
        pairs = [(prompt, output) for prompt in prompts for output in (" a b c", " a b d", " a", "", " one two three four")]
        pairs = [*pairs[::2], *pairs[::-3], (prompts[0] + " a", " b c")]
        together = llm.loglikelihood(pairs)
        for pair, (total, tokens) in zip(pairs, together, strict=True):
            alone, number = llm.loglikelihood([pair])[0]
            assert total == pytest.approx(alone, rel=1e-4, abs=1e-3)
            assert tokens == number

    def test_hidden_states(self, llm: LLM) -> None:
        if not isinstance(llm, HiddenStates):
            pytest.skip("does not show hidden states")
        states = llm.hidden_states([*_TEXTS, ""])
        assert [len(state) for state in states] == llm.count([*_TEXTS, ""])
        assert len({state.shape[1] for state in states}) == 1
        assert all(state.dtype.name == "float32" for state in states)

    def test_capabilities_are_declared(self, llm: LLM) -> None:
        can = capabilities(llm)
        assert "completion" in can
        assert ("streaming" in can) == hasattr(llm, "stream")
        assert ("log-likelihood" in can) == hasattr(llm, "loglikelihood")
