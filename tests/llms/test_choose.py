import pytest

from bowerbird.errors import InvalidInput, LLMError, UnknownName
from bowerbird.llms import TABLE
from bowerbird.llms.budgeted import Budgeted
from bowerbird.llms.choose import choose
from bowerbird.ports import Prompt
from bowerbird.table import names
from bowerbird.testing.llm_suite import LLMSuite
from bowerbird.testing.llms import ScriptedLLM


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in ("BOWERBIRD_LLM", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_named_is_no_model_even_with_a_key_about(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert choose() is None
    assert choose("none") is None
    assert choose("") is None


def test_names(monkeypatch):
    assert choose("local").name == "gemma-3-270m"
    assert choose("local:Qwen/Qwen3-0.6B").name == "Qwen/Qwen3-0.6B"
    llm = choose("openai:llama3@8b@http://localhost:11434/v1")
    assert llm.name == "llama3@8b"
    assert "localhost:11434" in repr(llm)
    monkeypatch.setenv("BOWERBIRD_LLM", "local")
    assert choose().name == "gemma-3-270m"
    assert choose("none") is None


def test_wrong_names():
    with pytest.raises(UnknownName, match="local"):
        choose("locl")
    with pytest.raises(InvalidInput, match="names no model"):
        choose("openai")
    with pytest.raises(InvalidInput, match="OPENAI_API_KEY"):
        choose("openai:gpt-x")


def test_the_table_is_installed_as_an_entry_point():
    assert {name: target for name, (target, _) in names("llms").items()}.items() >= TABLE.items()


class TestBudgeted(LLMSuite):
    @pytest.fixture
    def llm(self):
        return Budgeted(ScriptedLLM(lambda prompt: f"Well, {prompt.text}, and so on"), max_tokens_total=10_000)


def ask(llm, words=3, max_tokens=3):
    return llm.complete([Prompt(text="word " * words)], max_tokens=max_tokens)


def test_tokens_are_never_passed():
    inner = ScriptedLLM("a b c")
    llm = Budgeted(inner, max_tokens_total=13)
    ask(llm)
    ask(llm)
    with pytest.raises(LLMError, match="13 tokens"):
        ask(llm)
    assert len(inner.calls) == 2
    assert (llm.spent.calls, llm.spent.prompt_tokens, llm.spent.completion_tokens) == (2, 6, 6)


def test_seconds_and_dollars():
    llm = Budgeted(ScriptedLLM("a b c", price_in=1e6), max_cost=3)
    ask(llm)
    assert llm.spent.cost == pytest.approx(3)
    with pytest.raises(LLMError, match="3 dollars"):
        ask(llm)
    with pytest.raises(LLMError, match="0 seconds"):
        ask(Budgeted(ScriptedLLM("a"), max_seconds=0))
    with pytest.raises(InvalidInput, match="max_cost"):
        Budgeted(ScriptedLLM("a"), max_cost=-1)


def test_a_failed_call_gives_its_tokens_back():
    llm = Budgeted(ScriptedLLM("a b c", fail=[LLMError("down")]), max_tokens_total=6)
    with pytest.raises(LLMError, match="down"):
        ask(llm)
    assert llm.spent.calls == 1
    assert ask(llm)[0].text == "a b c"
