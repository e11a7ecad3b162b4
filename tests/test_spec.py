"""Specs print and parse back; whatever does not parse is one error of ours with a sentence that helps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird import table
from bowerbird.errors import BowerbirdError, InvalidInput, SpecError, UnknownName
from bowerbird.flow import Branch, Chain, Fan, Loop, leaves
from bowerbird.roles import Fuse, Gate
from bowerbird.spec import _syntax, parse
from bowerbird.stage import settings as settings_of
from bowerbird.stages.fuse.rrf import RRF
from bowerbird.stages.fuse.weighted import Weighted
from bowerbird.stages.gate.small_talk import SmallTalk
from bowerbird.stages.rerank.mmr import MMR
from bowerbird.stages.retrieve.bm25 import BM25
from bowerbird.stages.retrieve.dense import Dense
from bowerbird.stages.retrieve.none import Nothing

CLASSES = {name: table.load("stages", name) for name, (target, _) in table.names("stages").items() if target.startswith("bowerbird.")}
MINE = ("retrieve", "fuse", "rerank", "gate")


def _made(cls):
    """A strategy for stages of `cls` with any settings that it takes."""
    values = {}
    for field in settings_of(cls):
        if field.name == "weights":
            continue
        low = 1 if field.name == "k" and cls.role == "retrieve" else 0
        kinds = {bool: st.booleans(), int: st.integers(low, 10**6), float: st.floats(0, 1), str: st.text(max_size=20)}
        if type(field.default) in kinds:
            values[field.name] = kinds[type(field.default)]
    return st.fixed_dictionaries({}, optional=values).map(lambda chosen: cls(**chosen))


GATES = st.one_of([_made(cls) for cls in CLASSES.values() if issubclass(cls, Gate)])
FUSERS = st.one_of([_made(cls) for cls in CLASSES.values() if issubclass(cls, Fuse)])
LEAVES = st.one_of([_made(cls) for cls in CLASSES.values() if cls.role in MINE and not issubclass(cls, Fuse)])
PIPELINES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda stages: Chain(tuple(stages))),
        st.builds(lambda arms, fuser: Fan(tuple(arms), fuser), st.lists(inner, min_size=1, max_size=3), FUSERS),
        st.builds(Branch, GATES, inner, inner),
        st.builds(Loop, inner, st.integers(1, 100), st.none() | GATES),
    ),
    max_leaves=12,
)


@given(PIPELINES)
@settings(max_examples=200, deadline=None)
def test_every_pipeline_prints_and_parses_back(pipeline):
    assert parse(str(pipeline)) == pipeline
    assert str(parse(str(pipeline))) == str(pipeline)
    assert [str(leaf) for leaf in leaves(parse(str(pipeline)))] == [str(leaf) for leaf in leaves(pipeline)]


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("dense", Dense()),
        ("dense()", Dense()),
        (" dense ( k = 5 ) ", Dense(k=5)),
        ("dense(k=50)", Dense()),
        ("none", Nothing()),
        ("mmr(lam=1)", MMR(lam=1.0)),
        ("rrf(bm25, dense)", Fan((BM25(), Dense()), RRF())),
        ("rrf(bm25 >> mmr, dense, k=10)", Fan((Chain((BM25(), MMR())), Dense()), RRF(k=10))),
        ("weighted(bm25, dense, weights=[1, 2.5])", Fan((BM25(), Dense()), Weighted(weights=(1, 2.5)))),
        ("(bm25 >> dense) >> (mmr >> none)", Chain((BM25(), Dense(), MMR(), Nothing()))),
        ("branch(small_talk, dense, none)", Branch(SmallTalk(), Dense(), Nothing())),
        ("loop(dense, until=small_talk, times=3)", Loop(Dense(), 3, SmallTalk())),
        ("dense(k=5)  # the meaning\n  >> mmr  # apart\n", Chain((Dense(k=5), MMR()))),
        ("\n\trrf(\n  bm25,\n  dense,\n)\n", Fan((BM25(), Dense()), RRF())),
    ],
)
def test_what_specs_mean(text, stage):
    assert parse(text) == stage


def test_canonical_text_leaves_defaults_out():
    assert str(parse("rrf( bm25(k=50),dense(k = 9,each=False) , k=60)>>mmr(lam=0.5,top=3)")) == "rrf(bm25, dense(k=9)) >> mmr(top=3)"


DEEP = 5_000
BAD = [
    ("", SpecError, "A spec is a text such as"),
    ("   \n ", SpecError, "A spec is a text such as"),
    (None, SpecError, "got None"),
    (7, SpecError, "got 7"),
    ("dence", UnknownName, "Did you mean 'dense'"),
    ("rff(bm25, dense)", UnknownName, "Did you mean 'rrf'"),
    ("brunch(small_talk, dense, none)", UnknownName, "Did you mean 'branch'"),
    ("dense(top_k=5)", UnknownName, "Unknown setting of dense 'top_k'.*Known: each, k"),
    ("mmr(lamb=0.5)", UnknownName, "Did you mean 'lam'"),
    ("dense(encoder=5)", UnknownName, "Unknown setting of dense 'encoder'"),
    ("loop(dense, tmes=3)", UnknownName, "Did you mean 'times'"),
    ("dense(50)", SpecError, r"given by name. Write dense\(k=50\)"),
    ("dense(bm25)", SpecError, "given by name"),
    ("dense(*x)", SpecError, "given by name"),
    ("dense(**x)", SpecError, "has no place in dense"),
    ("dense(k='5')", InvalidInput, r"k takes int \(default 50\); got str '5'"),
    ("dense(k=5.0)", InvalidInput, "k takes int"),
    ("dense(k=True)", InvalidInput, "k takes int.*got bool"),
    ("dense(k=None)", InvalidInput, "k takes int"),
    ("dense(each=1)", InvalidInput, "each takes bool"),
    ("mmr(lam='x')", InvalidInput, "lam takes float"),
    ("mmr(lam=1e999)", InvalidInput, "lam=inf must be a finite number"),
    ("weighted(bm25, weights=(1e999,))", InvalidInput, "finite number"),
    (f"mmr(lam={'9' * 400})", InvalidInput, "too large"),
    ("dense(k=0)", InvalidInput, "k=0 must be at least 1"),
    ("dense(k=-3)", InvalidInput, "k=-3 must be at least 1"),
    ("mmr(top=-1)", InvalidInput, "top=-1 must be at least 1, or 0"),
    ("dense(k=x)", SpecError, "k='x' must be a plain value"),
    ("dense(k=1+1)", SpecError, "must be a plain value"),
    ("dense(k={[]: 1})", SpecError, "must be a plain value"),
    ("dense(k=2**99999999)", SpecError, "must be a plain value"),
    ("dense(k=lambda: 5)", SpecError, "must be a plain value"),
    ("dense(k=f'{1}')", SpecError, "must be a plain value"),
    ("dense(k=open('x'))", SpecError, "must be a plain value"),
    ("dense(k=1, k=2)", SpecError, "dense is given k twice"),
    ("loop(dense, times=1, times=2)", SpecError, "loop is given times twice"),
    ("loop(dense, times=0)", InvalidInput, "times=0 must be a whole number from 1 to 100"),
    ("loop(dense, times=101)", InvalidInput, "from 1 to 100"),
    ("loop(dense, times=True)", InvalidInput, "whole number"),
    ("loop(dense, times='3')", InvalidInput, "whole number"),
    ("loop(dense, times={[]: 1})", SpecError, "must be a plain value"),
    ("loop(dense, **{})", UnknownName, "setting of loop"),
    ("loop()", SpecError, "loop takes one stage"),
    ("loop", SpecError, "loop takes one stage"),
    ("loop(dense, bm25)", SpecError, "loop takes one stage"),
    ("loop(dense, until=bm25)", SpecError, "loop needs a gate .* bm25 is none"),
    ("branch(dense, bm25, none)", SpecError, "branch needs a gate .* dense is none"),
    ("branch(small_talk, dense)", SpecError, "branch takes three stages"),
    ("branch(small_talk, yes=dense, no=none)", SpecError, "branch takes three stages"),
    ("rrf", InvalidInput, r"needs stages to merge, as in rrf\(bm25, dense\)"),
    ("rrf()", InvalidInput, "needs stages to merge"),
    ("rrf(5)", SpecError, "'5' is no stage"),
    ("rrf(*[bm25])", SpecError, "is no stage"),
    ("dense | bm25", SpecError, "is no stage"),
    ("dense << bm25", SpecError, "is no stage"),
    ("dense, bm25", SpecError, "is no stage"),
    ("dense > > bm25", SpecError, "does not parse at line 1, character"),
    ("dense >>", SpecError, "does not parse"),
    ("dense(", SpecError, "does not parse"),
    ("dense)", SpecError, "does not parse"),
    ("rrf)(bm25", SpecError, "closes a parenthesis that it did not open"),
    ("dense) >> (bm25", SpecError, "closes a parenthesis that it did not open"),
    ("dense; bm25", SpecError, "does not parse"),
    ("dense = bm25", SpecError, "does not parse"),
    ("# only a comment", SpecError, "is no stage"),
    ("__import__('os').system('true')", SpecError, "is no stage"),
    ("__import__('os')", UnknownName, "Unknown stage '__import__'"),
    ("eval", UnknownName, "Unknown stage 'eval'"),
    ("(lambda: dense)()", SpecError, "is no stage"),
    ("lambda: dense", SpecError, "is no stage"),
    ("f'{dense}'", SpecError, "is no stage"),
    ("[dense for x in y]", SpecError, "is no stage"),
    ("(x := dense)", SpecError, "is no stage"),
    ("dense.k", SpecError, "is no stage"),
    ("dense[0]", SpecError, "is no stage"),
    ("await dense", SpecError, "is no stage|does not parse"),
    ("dénse", UnknownName, "Did you mean 'dense'"),
    ("密集", UnknownName, "Unknown stage '密集'"),
    ("dense → bm25", SpecError, "does not parse"),
    ("dense(κ=5)", UnknownName, "Unknown setting of dense"),
    ("dense\x00", SpecError, "null bytes"),
    ("dense\ud800", SpecError, "cannot stand in one"),
    ("dense\u202e", SpecError, "does not parse"),
    ("loop(" * DEEP + "dense" + ")" * DEEP, SpecError, "is the most"),
    ("loop(" * 900 + "dense" + ")" * 900, SpecError, "nested too deeply|too many nested"),
    ("(" * DEEP + ")" * (DEEP - 1), SpecError, "nested too deeply|too many nested|does not parse"),
    ("dense(k=" + "-" * 9_000 + "1)", SpecError, "nested too deeply|does not parse"),
    (">>".join(["none"] * 1_600), SpecError, "nested too deeply"),
    ("dense >> " * 120_000 + "dense", SpecError, "1,080,005 characters; 10,000 is the most"),
    (f"dense(k={'9' * 6_000})", SpecError, "does not parse"),
    ("x" * 9_999, UnknownName, "Unknown stage"),
]


@pytest.mark.parametrize(("text", "error", "said"), BAD, ids=lambda value: repr(value)[:40])
def test_bad_specs_say_what_is_wrong(text, error, said):
    with pytest.raises(error, match=f"(?s){said}") as caught:
        parse(text)
    assert str(caught.value).rstrip()[-1] in ".)"
    if "x" * 500 not in str(text):
        assert len(str(caught.value)) < 1_000


@given(st.text(max_size=60) | st.text(alphabet="densbm25rf(),=>k1 '\"\n#*[]{}:-.", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_pipeline_or_an_error_of_ours(text):
    try:
        stage = parse(text)
    except BowerbirdError:
        return
    assert parse(str(stage)) == stage


@given(st.text(max_size=40))
@settings(deadline=None)
def test_text_settings_survive(value):
    """Newlines, quotes and hashes inside a text setting are its own business."""
    [keyword] = _syntax(f"dense(k={value!r}) # note").keywords
    assert keyword.value.value == value


def test_the_longest_error_stays_short():
    with pytest.raises(SpecError) as caught:
        parse("dense(" + "k=1," * 2_000 + " +)")
    assert len(str(caught.value)) < 400
