import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.llms.tokens import EstimatedTokens, FileTokens

# Gemma 3's own counts.
KNOWN = {"Hello world": 2, "a\n\nb\n\n\nc": 5, "1234567": 7, "antidisestablishmentarianism": 5, "Question: What?\nAnswer:": 7}


def test_near_the_truth_and_rather_above():
    guesses = EstimatedTokens().count(list(KNOWN))
    assert all(true <= guess <= true * 1.5 for guess, true in zip(guesses, KNOWN.values(), strict=True))


@given(st.text(), st.text())
def test_grows_with_the_text(a, b):
    whole, left, right = EstimatedTokens().count([a + " " + b, a, b])
    assert max(left, right) <= whole
    assert EstimatedTokens().count([""]) == [0]


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_counts_as_it_does_beside_other_text(text):
    alone, beside = EstimatedTokens().count([text, text + "\u4e2d"])
    assert beside == alone + 1


def test_counts_by_a_file(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="the extra 'local' is not installed")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    counter = FileTokens(tmp_path)
    assert counter.count(["a b a", "", "zzz \ud83d"]) == [3, 0, 2]
    assert counter.name == tmp_path.name
    with pytest.raises(InvalidInput, match="no file"):
        FileTokens(tmp_path / "nothing.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidInput, match="no tokenizer"):
        FileTokens(tmp_path / "bad.json")
