"""The report's part about trained components: their cards in words, training as a picture, every kind before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bowerbird.errors import InvalidInput, NotFound
from bowerbird.evals.compare import compare
from bowerbird.evals.report import gather, write_report

EVIL = '<script>broken = 1</script>"><img src=x onerror=pwn()>'


def card(gain: float = 0.08, **more: Any) -> dict[str, Any]:
    """A card as training leaves it."""
    before = {name: {f"q{i}": 0.4 + (i % 7) / 20 for i in range(n)} for name, n in (("tool", 90), ("memory", 40))}
    after = {name: {id: score + gain + (int(id[1:]) % 5 - 2) / 40 for id, score in of.items()} for name, of in before.items()}
    kinds = {name: asdict(compare(before[name], after[name])) for name in before}
    mean = asdict(compare({**before["tool"], **before["memory"]}, {**after["tool"], **after["memory"]}))
    curve = [
        {"step": 0.0, "dev": 0.41},
        *({"step": float(s), "loss": 1 / (1 + s / 40), "dev": 0.41 + s / 2000} for s in range(20, 201, 20)),
    ]
    return {
        "component": "adapter",
        "parent": "adapter@1",
        "scope": "acme/ann",
        "ledger_upto": 4321,
        "seed": 7,
        "encoder": "all-MiniLM-L6-v2@53aa5117",
        "llm": None,
        "options": {"rank": 16},
        "groups": {"train": 700, "dev": 100, "test": 200},
        "sources": {"tool/ledger": 600, "memory/ledger": 400},
        "data_sha256": "ab" * 32,
        "before": {},
        "after": {},
        "doubt": None,
        "verdict": {"publish": True, "why": "Better: +0.08 on the mean over kinds.", "kinds": kinds, "mean": mean},
        "curve": curve,
        "about": {},
        **more,
    }


def kept(folder: Path, card: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_a_component_is_shown_with_its_card_its_training_and_every_kind(tmp_path: Path) -> None:
    folder = kept(tmp_path / "artifacts" / "adapter" / "2", card())
    html, data, marked = (path.read_text("utf-8") for path in write_report([folder], tmp_path / "r.html"))
    for piece in (
        "Trained: adapter@2",
        "may serve",
        "adapter@1",
        "4,321",
        "train 700, dev 100, test 200",
        "rank 16",
        "ab" * 32,
        "Better: +0.08",
    ):
        assert piece in html
    assert "1 trained component" in html
    assert html.count('role="img"') == 3  # before and after, loss, dev
    found = json.loads(data)["learned"][0]
    tool = found["verdict"]["kinds"]["tool"]
    seen = f"+{tool['difference']['value']:.3f} (+{tool['difference']['low']:.3f} to +{tool['difference']['high']:.3f})"
    assert seen in html
    assert f"| tool | {tool['a']:.3f} | {tool['b']:.3f} | {seen} | {tool['p']:.2g} | 90 |" in marked
    assert (found["name"], found["ledger_upto"], len(found["curve"])) == ("adapter@2", 4321, 11)
    assert "| 20 | 0.667 | 0.420 |" in marked
    assert "| 0 |  | 0.410 |" in marked, "no loss before the first step"


def test_a_folder_of_artifacts_stands_for_all_that_were_kept(tmp_path: Path) -> None:
    for component, version in (("gate", 1), ("adapter", 10), ("adapter", 9)):
        kept(tmp_path / "artifacts" / component / str(version), card(component=component))
    kept(tmp_path / "artifacts" / ".adapter-0f", card())  # killed while it was kept
    assert [one["name"] for one in gather([tmp_path / "artifacts"])["learned"]] == ["adapter@9", "adapter@10", "gate@1"]
    with pytest.raises(NotFound, match=r"trained component.*card\.json"):
        gather([tmp_path])


def test_what_was_not_published_says_why_and_what_was_not_compared_has_no_picture(tmp_path: Path) -> None:
    verdict = {"publish": False, "why": "Not published: 5 held-out queries are too few to tell.", "kinds": {}, "mean": None}
    folder = kept(tmp_path / "one", card(verdict=verdict, curve=[], parent=None))
    html, _, marked = (path.read_text("utf-8") for path in write_report([folder], tmp_path / "r.html"))
    assert "not published" in html
    assert "5 held-out queries are too few" in html
    assert 'role="img"' not in html
    assert "| Kind |" not in marked


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"component": "adapter"}', json.dumps({**card(), "verdict": {}})])
def test_a_damaged_card_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"card\.json is no card of a trained component"):
        gather([tmp_path])


def test_nothing_on_a_card_is_markup(tmp_path: Path) -> None:
    good = card()
    kinds = {EVIL: good["verdict"]["kinds"]["tool"]}
    verdict = {**good["verdict"], "why": EVIL, "kinds": kinds}
    names = dict.fromkeys(("parent", "scope", "encoder", "data_sha256"), EVIL)
    evil = card(verdict=verdict, options={EVIL: EVIL}, sources={EVIL: 1}, component=f"\u202e{EVIL}", **names)
    html, _, marked = (path.read_text("utf-8") for path in write_report([kept(tmp_path / "x", evil)], tmp_path / "r.html"))
    assert "<img" not in html
    assert html.count("<script") == 1
    assert "\u202e" not in html + marked
    assert "<script" not in "".join(line for line in marked.splitlines() if "`" not in line)
