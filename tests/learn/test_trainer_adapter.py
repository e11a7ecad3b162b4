"""The adapter's trainer: it learns what a made world hides, keeps what it cannot improve, and stops when it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.learn.elsewhere import QUESTIONS
from bowerbird.learn.encoded import Known
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Setting, TooLittle, gain_at
from bowerbird.learn.trainers.adapter import AdapterTrainer
from bowerbird.testing.encoders import HashEncoder

pytest.importorskip("torch")
SIGNS = ["aries", "taurus", "gemini", "cancer", "leo", "virgo", "libra", "scorpio", "sagittarius", "capricorn", "aquarius", "pisces"]
NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
TOOLS = [f"tool number {name}" for name in NUMBERS.split(" ")]
PADS = ["please", "kindly", "now", "today", "quickly", "again", "maybe", "then"]


class Bower:
    """Holds vectors of some keys, and counts who asks for them."""

    def __init__(self, held: dict[str, str] | None = None) -> None:
        self.held, self.asked = held or {}, 0

    def vectors(self, encoder: str, texts, scope=None):
        self.asked += 1
        same = [key for key, text in texts.items() if self.held.get(key) == text]
        return dict(zip(same, HashEncoder().encode([texts[key] for key in same]), strict=True)) if same else {}


class Counting(HashEncoder):
    """Remembers what it encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode(self, texts):
        self.texts += texts
        return super().encode(texts)


def groups(kind: str = "tool", rewarded: bool = False, shift: int = 0) -> list[Group]:
    """A sign asks for a tool that shares no word with it; with rewards, the next tool is worth a little as well."""
    made = []
    for place, sign in enumerate(SIGNS):
        for pad in PADS:
            right, near, far = ((place + shift + step) % 12 for step in (0, 1, 5))
            if rewarded:
                candidates = tuple(Candidate(str(i), TOOLS[i], reward=r) for i, r in ((right, 0.7), (near, 0.25), (far, 0.05)))
            else:
                candidates = (Candidate(str(right), TOOLS[right], 1.0),)
            made.append(Group(f"{sign} {pad}", kind, "made", candidates))
    return made


def setting(**options) -> Setting:
    return Setting(Bower(), HashEncoder(), options={"steps": 400, "batch": 32, **options})  # type: ignore[arg-type]


def top(adapter, sign: str, kind: str = "tool") -> str:
    encoder = HashEncoder()
    return TOOLS[int((encoder.encode(TOOLS) @ adapter.apply(encoder.encode([f"{sign} please"]), kind)[0]).argmax())]


@pytest.mark.parametrize("options", [{}, {"rank": 16, "rate": 0.01}])
@pytest.mark.parametrize("rewarded", [False, True])
def test_it_learns_what_words_do_not_say(options, rewarded) -> None:
    fit = AdapterTrainer().fit(groups(rewarded=rewarded), (), setting(**options))
    right = [top(fit.component, sign) == tool for sign, tool in zip(SIGNS, TOOLS, strict=True)]
    assert sum(right) >= 11
    assert fit.curve[0]["dev"] < 0.6 < 0.9 < max(row["dev"] for row in fit.curve)
    assert fit.about["groups"] == 86
    assert set(fit.component.maps) == {"tool"}


def test_kinds_share_a_part_and_keep_their_own() -> None:
    fit = AdapterTrainer().fit([*groups(), *groups("memory", shift=3)], (), setting(steps=600))
    assert set(fit.component.maps) == {"", "tool", "memory"}
    assert (top(fit.component, "leo"), top(fit.component, "leo", "memory")) == (TOOLS[4], TOOLS[7])


def test_same_groups_and_seed_same_numbers_whatever_their_order() -> None:
    one = AdapterTrainer().fit(groups(), (), setting(steps=60))
    two = AdapterTrainer().fit(groups()[::-1], (), setting(steps=60))
    assert one.curve == two.curve
    assert (one.component.maps["tool"][0] == two.component.maps["tool"][0]).all()


def test_what_cannot_be_improved_stays() -> None:
    """Queries that are the keys' own words are served as well as can be: no change is the best look at dev."""
    same = [Group(tool, "tool", "made", (Candidate(tool, tool, 1.0),)) for tool in TOOLS]
    fit = AdapterTrainer().fit(same, same, setting())
    assert fit.about["change"]["tool"] == pytest.approx(0.0, abs=1e-6)
    assert not np.any(fit.component.maps["tool"][0])


def test_a_class_names_more_than_a_group_can() -> None:
    """Of two examples of one label neither is a negative for a query of that label."""
    of_label = [Group(f"q{i}", "example", "made", (Candidate(str(i), TOOLS[i], 1.0),), ("label",)) for i in range(4)]
    known = Known(of_label, of_label[:1], setting(), None)
    assert all(len(row.alike) == 4 for row in [*known.train, *known.dev])
    assert known.dev[0].gain(10, known.train[1].own + known.train[2].own) == pytest.approx(gain_at(10, [1.0, 1.0], [1.0] * 4))


def test_what_the_bower_holds_is_not_encoded_again() -> None:
    """A record that has changed since is, and nothing else comes out differently."""
    held = {str(place): tool for place, tool in enumerate(TOOLS)} | {"3": "now it says something else"}
    encoder, bower = Counting(), Bower(held)
    given = {"steps": 60, "batch": 32}
    owned = [replace(group, scope="acme/ann") for group in groups()]
    fit = AdapterTrainer().fit(owned, (), Setting(bower, encoder, options=given))  # type: ignore[arg-type]
    assert [text for text in encoder.texts if text.startswith("tool")] == [TOOLS[3]]
    assert bower.asked == 1
    plain = AdapterTrainer().fit(groups(), (), setting(**given))
    np.testing.assert_allclose(fit.component.maps["tool"][0], plain.component.maps["tool"][0], atol=1e-5)


def test_little_time_leaves_groups_out_and_still_gives_an_adapter() -> None:
    fit = AdapterTrainer().fit(groups(), groups()[:3], Setting(Bower(), HashEncoder(), seconds=0.0))  # type: ignore[arg-type]
    assert len(fit.curve) == 1
    assert not np.any(fit.component.maps["tool"][0])


def test_bad_input_is_named() -> None:
    with pytest.raises(UnknownName, match="rank"):
        AdapterTrainer().fit(groups(), (), setting(rang=3))
    for wrong in ({"rank": 1.5}, {"rate": "fast"}, {"steps": -1}, {"batch": True}):
        with pytest.raises(InvalidInput, match=f"Option {next(iter(wrong))}="):
            AdapterTrainer().fit(groups(), (), setting(**wrong))
    with pytest.raises(InvalidInput, match="none is set up"):
        AdapterTrainer().fit(groups(), (), Setting(None, None))  # type: ignore[arg-type]
    with pytest.raises(TooLittle, match="there are 0"):
        AdapterTrainer().check([Group("q", "tool", "made", (Candidate("a", "x"),))])


def test_a_threshold_lets_no_more_questions_from_elsewhere_through_than_before() -> None:
    fit = AdapterTrainer().fit(groups(), (), setting(steps=60, batch=32))
    asked, keys = HashEncoder().encode(QUESTIONS), HashEncoder().encode(TOOLS)
    plain = (asked @ keys.T).max(1)
    adapted = (fit.component.apply(asked, "tool") @ keys.T).max(1)
    assert np.abs(adapted - plain).max() > 0.01, "otherwise there is nothing to hold back"
    levelled = [score for _, score in fit.component.levelled(list(enumerate(adapted.tolist())), "tool")]
    for share in (0.5, 0.7, 0.8, 0.9, 0.96):
        assert np.quantile(levelled, share) <= np.quantile(plain, share) + 1e-3
