import importlib
import math
import sqlite3
from dataclasses import replace

import pytest

from bowerbird import kinds
from bowerbird.errors import CapabilityMissing, InvalidInput, LLMError, UnknownName
from bowerbird.evals.cache import CallCache, ModelFailed, cached
from bowerbird.learn import rewards
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.likelihood import Likelihood
from bowerbird.learn.rewards.metric import Metric
from bowerbird.learn.rewards.prompts import TEMPLATES, cut, template
from bowerbird.learn.rewards.rank_aware import RankAware
from bowerbird.learn.rewards.reward import NotANumber
from bowerbird.learn.rewards.smooth import smooth
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM


def group(query="where does Ann live", texts=("Ann lives in Lisbon", "Bob likes tea"), answers=("Lisbon",), kind="passage", labels=None):
    labels = labels or [0.0] * len(texts)
    candidates = tuple(Candidate(f"c{i}", text, label) for i, (text, label) in enumerate(zip(texts, labels, strict=True)))
    return Group(query, kind, "made", candidates, answers)


def raws(scored):
    return [candidate.raw for candidate in scored.candidates]


class Counting(ScoringLLM):
    """Remembers the pairs that it scored; fails at a call if told so."""

    def __init__(self, *args, fail_at=None, value=None, **settings):
        super().__init__(*args, **settings)
        self.asked, self.times, self.fail_at, self.value = [], 0, fail_at, value

    def loglikelihood(self, pairs):
        self.times += 1
        if self.times == self.fail_at:
            raise LLMError("the model died")
        self.asked += pairs
        found = super().loglikelihood(pairs)
        return (
            found
            if self.value is None
            else [(self.value, n) if "Bob" in prompt else (t, n) for (prompt, _), (t, n) in zip(pairs, found, strict=True)]
        )


# --- the table and the prompts ----------------------------------------------------------------------------------------


def test_the_table_lists_what_is_there():
    for name, target in rewards.TABLE.items():
        module, _, attribute = target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert (found.name, module.rsplit(".", 1)[-1]) == (name, name)
        assert found.powers
        assert found.__doc__


def test_every_kind_has_a_template_with_an_id_of_its_own():
    assert {row.name for row in kinds.TABLE} == set(TEMPLATES)
    assert len({one.id for one in TEMPLATES.values()} | {template("recipe").id}) == len(TEMPLATES) + 1


def test_a_prompt_has_the_candidate_in_front_and_text_stays_as_it_is():
    words = template("passage")
    assert words.prompt("who {x}?", "Ann % {query}") == "Passage: Ann % {query}\n\nQuestion: who {x}?\nAnswer:"
    assert words.prompt("who?") == "Question: who?\nAnswer:"
    assert words.output("  Ann ") == " Ann"


def test_cut_keeps_the_longest_beginning_that_fits():
    llm = ScriptedLLM()
    assert cut("one two three four", 4, llm) == "one two three four"
    shorter = cut("one two three four", 2, llm)
    assert shorter.strip() == "one two"
    assert llm.count([shorter]) == [2]


# --- likelihood -------------------------------------------------------------------------------------------------------


def test_likelihood_is_the_mean_log_probability_of_the_gold_output_alone():
    scored = Likelihood().score([group(answers=("Lisbon Portugal", "Lisbon"))], ScoringLLM(name="double"))[0]
    assert raws(scored) == [(-0.5 - 4) / 2, -4.0]
    assert scored.nothing == -4.0
    assert scored.about == {"reward": "likelihood", "model": "double", "template": "passage-1", "answers": "first", "tokens": [2]}
    assert [candidate.reward for candidate in scored.candidates] == [None, None]


def test_several_answers_best_and_mean():
    given = [group(answers=("Lisbon Portugal", "Lisbon"))]
    assert raws(Likelihood(answers="best").score(given, ScoringLLM())[0]) == [-0.5, -4.0]
    mean = Likelihood(answers="mean").score(given, ScoringLLM())[0]
    assert raws(mean) == [pytest.approx((-2.25 - 0.5) / 2), -4.0]
    assert mean.about["tokens"] == [2, 1]
    with pytest.raises(UnknownName, match="best"):
        Likelihood(answers="bset")


def test_candidates_are_cut_and_named_and_shown_as_asked():
    long = group(texts=("tea " * 20 + "Lisbon", "Lisbon"))
    scored = Likelihood(tokens=10).score([long], ScoringLLM())[0]
    assert raws(scored) == [-4.0, -0.5]
    assert scored.about["cut"] == ["c0"]
    shown = Likelihood(show=lambda group, candidate: f"{candidate.text} ({candidate.key}: Lisbon)").score([group()], ScoringLLM())[0]
    assert raws(shown) == [-0.5, -0.5]
    with pytest.raises(InvalidInput, match="tokens=0"):
        Likelihood(tokens=0)


def test_pairs_of_all_groups_that_begin_alike_reach_the_model_side_by_side_and_none_twice():
    llm, seen = Counting(), []
    groups = [group(query=f"question {n}") for n in range(400)]
    scored = Likelihood().score([*groups, groups[0]], llm, lambda *said: seen.append(said))
    assert [one.query for one in scored] == [one.query for one in [*groups, groups[0]]]
    assert seen == [("reward likelihood", 1024, 1200), ("reward likelihood", 1200, 1200)]
    assert llm.times == 2
    assert llm.asked == sorted(set(llm.asked))
    assert len(llm.asked) == 3 * 400
    assert groups[0].candidates[0].raw is None


def test_a_model_without_the_power_is_refused_before_it_is_asked():
    llm = ScriptedLLM()
    for reward in (Likelihood(), RankAware()):
        with pytest.raises(CapabilityMissing, match="log-likelihood; scripted has completion"):
            reward.score([group()], llm)
    with pytest.raises(CapabilityMissing, match="completion"):
        Metric().score([group()], object())
    assert llm.calls == ()


def test_groups_that_cannot_be_scored_are_refused_before_the_model_is_asked():
    llm = Counting()
    for answers in ((), ("",), ("Lisbon", " ")):
        with pytest.raises(InvalidInput, match="gold output"):
            Likelihood().score([group(), group(query="no answer here", answers=answers)], llm)
    assert llm.times == 0
    assert Likelihood().score([], llm) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_names_its_candidate(value):
    for reward in (Likelihood(), RankAware(samples=1)):
        if reward.name == "rank_aware" and not math.isnan(value):
            continue  # an infinite log-probability has a rank
        with pytest.raises(NotANumber, match=r"'c1'.*where does Ann live"):
            reward.score([group()], Counting("tea", value=value))


def test_a_run_that_died_goes_on_where_it_stopped(tmp_path):
    groups = [group(query=f"question {n}") for n in range(8)]  # 24 pairs
    expected = Likelihood().score(groups, ScoringLLM())
    dying, fresh = Counting(fail_at=3), Counting()
    calls = CallCache(tmp_path / "calls.sqlite")
    with pytest.raises(ModelFailed, match="goes on from there"):
        Likelihood().score(groups, cached(dying, calls, together=10), None)
    assert len(dying.asked) == 20
    assert Likelihood().score(groups, cached(fresh, calls, together=10)) == expected
    assert len(fresh.asked) == 4
    assert not set(fresh.asked) & set(dying.asked)
    calls.close()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_not_kept(value, tmp_path):
    broken, mended = Counting("tea", value=value), Counting("tea")
    calls = CallCache(tmp_path / "calls.sqlite")
    with pytest.raises(NotANumber):
        Likelihood().score([group()], cached(broken, calls))
    assert Likelihood().score([group()], cached(mended, calls)) == Likelihood().score([group()], Counting("tea"))
    assert [prompt for prompt, _ in mended.asked if "Bob" not in prompt] == [], "what was a number is kept"
    assert len(mended.asked) == 1
    calls.close()


def test_a_number_that_is_none_and_was_kept_is_asked_anew(tmp_path):
    calls, llm = CallCache(tmp_path / "calls.sqlite"), Counting("tea")
    cached(llm, calls).loglikelihood([("a", "b")])
    other = sqlite3.connect(tmp_path / "calls.sqlite")
    other.execute("UPDATE calls SET value = '[NaN, 1]'")
    other.commit()
    assert cached(llm, calls).loglikelihood([("a", "b")]) == llm.loglikelihood([("a", "b")])
    other.close()
    calls.close()


# --- rank_aware -------------------------------------------------------------------------------------------------------


class Sampling(Counting):
    """Gives another sample for each seed."""

    said = ("Porto", "Lisbon.", "Madrid", "Porto", "", "tea")

    def complete(self, prompts, *, max_tokens, temperature=0.0, stop=(), seed=0):
        assert (temperature, stop) == (1.0, ("\n",))
        done = super().complete(prompts, max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed)
        return [replace(one, text=self.said[seed % len(self.said)]) for one in done]


def test_rank_aware_is_the_reciprocal_rank_of_the_gold_output_among_samples():
    given = group(texts=("Ann lives in Lisbon", "Porto, Madrid and tea", "Porto or Lisbon", "nothing of it"))
    llm = Sampling()
    scored = RankAware(samples=6).score([given], llm)[0]
    assert raws(scored) == [1.0, 1 / 4, 1 / 1.5, 1 / 2.5]  # level with one rival: half a place; with three: one and a half
    assert scored.nothing == 1 / 2.5
    assert scored.about == {
        "reward": "rank_aware", "model": "scripted", "template": "passage-1", "rivals": 3, "samples": 6, "seed": 0, "tokens": [1],
    }  # fmt: skip
    assert len(llm.calls) == 6  # once a query, whatever the number of candidates
    assert all("Passage" not in prompt.text for prompt in llm.prompts)


def test_rank_aware_without_rivals_says_nothing_and_settings_are_checked():
    scored = RankAware(samples=2).score([group()], ScoringLLM("LISBON"))[0]
    assert (raws(scored), scored.nothing, scored.about["rivals"]) == ([1.0, 1.0], 1.0, 0)
    with pytest.raises(InvalidInput, match="samples=0"):
        RankAware(samples=0)


# --- metric -----------------------------------------------------------------------------------------------------------


def reader(prompt):
    return " Lisbon" if "Lisbon" in prompt.text else " in Porto\nQuestion: more"


def test_metric_is_the_measure_of_what_is_written():
    llm = ScriptedLLM(reader)
    scored = Metric(measure="EM").score([group()], llm)[0]
    assert (raws(scored), scored.nothing) == ([1.0, 0.0], 0.0)
    assert scored.about["measure"] == "EM"
    assert scored.about["tokens"] == [2, 1, 2]
    assert {call.temperature for call in llm.calls} == {0.0}
    f1 = Metric(measure="F1").score([group(answers=("Porto city",))], llm)[0]
    assert raws(f1) == [0.0, pytest.approx(0.5)]


def test_accuracy_among_closed_choices():
    given = group(kind="example", answers=("blue",), texts=("sea", "blood"))
    llm = ScriptedLLM(lambda prompt: "it is blue" if "sea" in prompt.text else "red")
    assert raws(Metric(measure="accuracy", choices=("red", "blue")).score([given], llm)[0]) == [1.0, 0.0]


def test_ndcg_of_what_is_found_with_the_output():
    given = group(answers=(), labels=[1.0, 0.0])
    found = Metric(measure="nDCG@10", use=lambda group, output: ("c0", "c1") if output == "Lisbon" else ("c1", "c0"))
    scored = found.score([given], ScriptedLLM(reader))[0]
    assert raws(scored) == [1.0, pytest.approx(1 / math.log2(3))]
    with pytest.raises(InvalidInput, match="known to help"):
        found.score([group(answers=())], ScriptedLLM(reader))


def test_metric_settings_are_checked():
    with pytest.raises(InvalidInput, match="use"):
        Metric(measure="nDCG@10")
    with pytest.raises(InvalidInput, match="use"):
        Metric(measure="EM", use=lambda group, output: ())
    with pytest.raises(InvalidInput, match="AUC"):
        Metric(measure="AUC")
    with pytest.raises(UnknownName, match="F1"):
        Metric(measure="F2")


# --- smooth -----------------------------------------------------------------------------------------------------------


def with_raw(*values):
    made = group(texts=[f"text {n}" for n in range(len(values))])
    return replace(made, candidates=tuple(replace(c, raw=value) for c, value in zip(made.candidates, values, strict=True)))


def test_smooth_is_a_softmax_and_keeps_the_raw_values():
    done = smooth([with_raw(-1.0, -2.0, -3.0)], temperature=0.5)[0]
    expected = [math.exp(2 * value) for value in (-1, -2, -3)]
    assert [c.reward for c in done.candidates] == pytest.approx([value / sum(expected) for value in expected])
    assert raws(done) == [-1.0, -2.0, -3.0]
    assert done.about["smooth"] == {"temperature": 0.5, "margin": 0.1, "keep": None}
    assert smooth([done], temperature=0.5) == [done]  # from the raw values, so again is the same
    assert [c.reward for c in smooth([with_raw(-2000.0, -1.0)])[0].candidates] == [0.0, 1.0]


def test_smooth_leaves_out_groups_that_say_nothing():
    groups = [with_raw(-1.0, -1.05), with_raw(-1.0, -1.5), with_raw(), with_raw(-1.0)]
    assert smooth(groups) == smooth(groups[1:2])
    assert len(smooth(groups, margin=0.0)) == 3
    assert smooth([]) == []


def test_smooth_keeps_the_best_and_breaks_ties_by_key():
    done = smooth([with_raw(-1.0, -3.0, -1.0, -1.0)], keep=2)[0]
    assert [c.reward for c in done.candidates] == [0.5, 0.0, 0.5, 0.0]


def test_smooth_refuses_what_it_cannot_use():
    with pytest.raises(InvalidInput, match="'c1'"):
        smooth([replace(with_raw(-1.0, -2.0), candidates=(Candidate("c0", "a", raw=1.0), Candidate("c1", "b")))])
    for settings in ({"temperature": 0}, {"temperature": math.nan}, {"margin": -1}, {"keep": 0}):
        with pytest.raises(InvalidInput):
            smooth([], **settings)
