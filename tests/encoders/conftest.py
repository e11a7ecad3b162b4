"""A tiny model made on the spot, and the default one where its weights are installed."""

from __future__ import annotations

import os
import warnings

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

WORDS = ["the", "cat", "bird", "bower", "blue", "thing", "satin", "of", "and", "builds", "[", "]", "(", ")", ".", ",", "?", ":"]


def _tokenizer(folder):
    from transformers import BertTokenizerFast

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [str(d) for d in range(10)]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(c for c in letters if c not in WORDS), *("##" + c for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    return BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=64), len(vocab)


def _config(size):
    from transformers import BertConfig

    return BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=1,
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with a random 2-layer BERT of width 32 as a sentence-transformers model (64 tokens, mean pooling)."""
    torch = pytest.importorskip("torch")
    st = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        bert, folder = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("models") / "tiny"
        tokenizer, size = _tokenizer(bert)
        BertModel(_config(size)).save_pretrained(bert)
        tokenizer.save_pretrained(bert)
        transformer = Transformer(str(bert), max_seq_length=64)
        st.SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_cross(tmp_path_factory):
    """A folder with a random 2-layer BERT that scores pairs."""
    torch = pytest.importorskip("torch")
    from transformers import BertForSequenceClassification

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("cross") / "tiny-cross"
        folder.mkdir()
        tokenizer, size = _tokenizer(folder)
        BertForSequenceClassification(_config(size)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
