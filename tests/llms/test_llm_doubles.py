import pytest

from bowerbird.errors import LLMError
from bowerbird.ports import Prompt, capabilities
from bowerbird.testing.llm_suite import LLMSuite
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM


class TestScripted(LLMSuite):
    @pytest.fixture
    def llm(self):
        return ScriptedLLM(lambda prompt: f"You said: {prompt.text[:20]}, and so on and on it goes.")


class TestScoring(LLMSuite):
    @pytest.fixture
    def llm(self):
        return ScoringLLM(lambda prompt: f"Well, {prompt.text}")


def test_replies_in_order_then_an_error_and_calls_are_kept():
    llm = ScriptedLLM(["one", "two"])
    assert llm.complete([Prompt(text="a")], max_tokens=5)[0].text == "one"
    assert llm.complete([Prompt(text="b")], max_tokens=5, stop=["o"])[0].text == "tw"
    with pytest.raises(LLMError, match="2 replies"):
        llm.complete([Prompt(text="c")], max_tokens=5)
    assert [prompt.text for prompt in llm.prompts] == ["a", "b", "c"]
    assert llm.calls[1].stop == ("o",)


def test_fails_on_script_and_costs():
    llm = ScriptedLLM("yes it is", fail=[None, LLMError("down")], price_in=1.0, price_out=2.0)
    done = llm.complete([Prompt(text="is it so?")], max_tokens=2)[0]
    assert (done.text, done.finish, done.prompt_tokens, done.completion_tokens) == ("yes it", "length", 4, 2)
    assert done.cost == pytest.approx((4 * 1 + 2 * 2) / 1e6)
    with pytest.raises(LLMError, match="down"):
        llm.complete([Prompt(text="x")], max_tokens=2)
    assert llm.complete([Prompt(text="x")], max_tokens=2)
    with pytest.raises(LLMError):
        ScriptedLLM(fail=LLMError("always")).complete([Prompt(text="x")], max_tokens=2)


def test_scores_prefer_what_the_prompt_holds():
    llm = ScoringLLM()
    (near, n), (far, m) = llm.loglikelihood([("the bower is blue", "blue bower"), ("the bower is blue", "red nest")])
    assert near > far
    assert n == m == 2
    assert "log-likelihood" in capabilities(llm)
    assert "log-likelihood" not in capabilities(ScriptedLLM())
