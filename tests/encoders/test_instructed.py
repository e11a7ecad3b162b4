"""Vectors behind instructions are other vectors: they have an id of their own, and a folder can say that it wants them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bowerbird.encoders.weights import OWN, Weights
from bowerbird.errors import ModelMissing
from bowerbird.kinds import kinds


def test_a_folder_says_that_it_was_trained_with_instructions(tmp_path: Path) -> None:
    found = Weights(tmp_path, "mine", "0123456789abcdef")
    assert not found.instructed
    (tmp_path / OWN).write_text('{"instructed": true}')
    assert found.instructed == frozenset(kinds())
    assert found.tag(found.instructed) == "mine@01234567+i" != found.tag(()) == found.id
    (tmp_path / OWN).write_text('{"instructed": ["tool", "example"]}')
    assert found.instructed == {"example", "tool"}
    assert found.tag(found.instructed) == "mine@01234567+example+tool"
    (tmp_path / OWN).write_text('{"instructed": "tool"}')
    assert found.instructed == {"tool"}
    for damaged in ("[", "[]", '{"instructed": 3}', '{"instructed": [["tool"]]}', '{"instructed": ["tols"]}'):
        (tmp_path / OWN).write_text(damaged)
        with pytest.raises(ModelMissing, match=r"bowerbird\.json is damaged"):
            _ = found.instructed


@pytest.mark.parametrize("name", ["openvino", "sentence_transformers"])
def test_the_id_of_an_encoder_tells_both_apart(name: str) -> None:
    pytest.importorskip(name, reason="needs the extra 'openvino'")
    from bowerbird import table

    made = table.load("encoders", name)
    try:
        plain, told, some = made().id, made(instructed=True).id, made(instructed=["example"]).id
    except ModelMissing as error:
        pytest.skip(str(error))
    assert told == plain + "+i"
    assert some == plain + "+example"
