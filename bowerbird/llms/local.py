"""A language model in this process, through transformers: a white box that also scores outputs and shows its last layer.

It reads any causal language model with a fast tokenizer (see `weights.py` for where from). It knows nothing of networks,
prices or records. Text that a prompt brings along is never read as a control token: `<eos>` in a passage is five characters.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.errors import InvalidInput, LLMError, ModelMissing
from bowerbird.llms.answer import Answer, drawn
from bowerbird.llms.prefix import LEAST, begun, cache_argument, computed
from bowerbird.llms.scoring import branches, packs, scored
from bowerbird.llms.tokens import whole
from bowerbird.llms.weights import DEFAULT_MODEL, folder_of
from bowerbird.need import need
from bowerbird.ports import Completion, Prompt, Vectors
from bowerbird.types import Message

__all__ = ["LocalLLM"]

_DTYPES = ("float32", "bfloat16", "float16")
_ROWS = 16  # prompts answered together at most
_ALIKE = 4  # prompts that begin alike go through the model apart from others, if they are so many
_TOKENS = 4096  # padded prompt tokens that go through the model together, unless a single prompt has more
_ZERO_WIDTH_SPACE = "\u200b"

PLAIN_STOP = ("\n\n", "\nQuestion:")  # where a base model's answer ends, as it never ends by itself


class LocalLLM:
    """A transformers model: completion, chat, streaming, log-likelihood, hidden states.

    `model`: "gemma-3-270m" (default), a folder, or a hub name. `dtype`: float32, bfloat16 or float16 weights; scores are
    computed in float32 either way. `threads`: of torch, for the whole process (None leaves torch's own). `device`: "cpu",
    "cuda"; None takes CUDA when there is one. Nothing is read before it is needed: counting reads the tokenizer alone
    (no torch), the first completion the weights. `on_progress` hears what takes long. Safe in threads, which take turns
    token by token.

    Costs, Gemma 3 270M in float32 on two cores: see docs/llms.md.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        dtype: str = "float32",
        threads: int | None = None,
        device: str | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        if dtype not in _DTYPES:
            raise InvalidInput(f"dtype={dtype!r}: one of {', '.join(_DTYPES)}.")
        if threads is not None and threads < 1:
            raise InvalidInput(f"threads={threads!r}: at least 1, or None for torch's own choice.")
        self._model, self._dtype, self._threads, self._device, self._on_progress = model, dtype, threads, device, on_progress
        self._reading, self._busy = threading.RLock(), threading.Lock()
        self._parts: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"LocalLLM({self._model!r}, dtype={self._dtype!r})"

    @property
    def name(self) -> str:
        """The model's name; of a folder its last part."""
        return Path(self._model).name if Path(self._model).is_dir() else self._model

    @property
    def context_window(self) -> int:
        """Tokens of prompt and answer together that the model was made for."""
        return int(self._part("config").max_position_embeddings)

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """One completion a prompt: greedy at temperature 0, else drawn with a generator of its own a prompt, so that an
        answer does not depend on what else is in the batch. What prompts have in common at their beginning is computed once
        (`prefix.py`), so give many at a time. A prompt that leaves no room in the window raises `LLMError`."""
        rows = [self._row(prompt, max_tokens) for prompt in prompts]
        heads = Counter(tuple(row.prompt[:LEAST]) for row in rows)
        alike: dict[tuple[int, ...], list[int]] = {}
        for i in sorted(range(len(rows)), key=lambda i: len(rows[i].prompt)):
            head = tuple(rows[i].prompt[:LEAST])
            alike.setdefault(head if heads[head] >= _ALIKE else (), []).append(i)
        for order in alike.values():
            while order:
                batch = _taken(order, [row.prompt for row in rows], _ROWS, share=True)
                for _ in self._decode([rows[i] for i in batch], temperature, stop, seed):
                    pass
        return [Completion(row.text, len(row.prompt), len(row.ids), 0.0, row.finish) for row in rows]

    def stream(
        self, prompt: Prompt, *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> Iterator[str]:
        """The completion as it grows; the pieces joined are what `complete` gives. What may be the beginning of a stop
        string or of a character is held back."""
        row, given = self._row(prompt, max_tokens), 0
        for _ in self._decode([row], temperature, stop, seed):
            safe = row.settled(stop)
            if safe > given:
                yield row.text[given:safe]
                given = safe

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """(sum of ln p, number of tokens) of each output after its prompt. Prompt and output are tokenised apart, so that
        the number is that of `count` and does not hang on the prompt's end. What the pairs of a call have in common at their
        beginning is computed once, in whatever order they come (`scoring.py`), so give many at a time.
        A pair longer than the window raises `LLMError`; an empty output scores (0.0, 0)."""
        rows = []
        for prompt, output in pairs:
            before, after = self._begin() + self._ids(prompt), self._ids(output)
            if after and not before:
                raise LLMError(f"{self.name} has no token that begins a text: give a prompt that is not empty.")
            self._fits(len(before) + len(after))
            rows.append((before, after))
        totals = [0.0] * len(rows)
        if any(after for _, after in rows):
            model = self._part("model")
            for pack in packs(rows, together=branches(model)):
                with self._busy:
                    found = scored(model, pack)
                for pair, total in found:
                    totals[pair] = total
        return [(total, len(after)) for total, (_, after) in zip(totals, rows, strict=True)]

    def hidden_states(self, texts: Sequence[str]) -> list[Vectors]:
        """(tokens, width) float32 of the last layer after its norm, one row a token of `count`."""
        torch = need("torch", "local")
        model = self._part("model")
        begin, rows = self._begin(), [self._ids(text) for text in texts]
        states: list[Vectors] = [np.zeros((0, model.config.hidden_size), np.float32) for _ in rows]
        for row in rows:
            self._fits(len(begin) + len(row))
        order = sorted((i for i, row in enumerate(rows) if row), key=lambda i: len(rows[i]))
        with self._busy, torch.inference_mode():
            while order:
                batch = _taken(order, [begin + row for row in rows], len(rows))
                ids, mask, positions = self._padded([begin + rows[i] for i in batch])
                last = model.base_model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
                for place, i in enumerate(batch):
                    states[i] = last[place, -len(rows[i]) :].float().cpu().numpy()
        return states

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as it stands, without those that the model puts around a prompt."""
        return [
            len(encoding.ids)
            for encoding in self._part("tokenizer").encode_batch_fast([whole(text) for text in texts], add_special_tokens=False)
        ]

    # --- tokens -------------------------------------------------------------------------------------------------------

    def _ids(self, text: str) -> list[int]:
        return list(self._part("tokenizer").encode(whole(text), add_special_tokens=False).ids)

    def _begin(self) -> list[int]:
        """What the model's texts begin with: `<bos>` or nothing."""
        return list(self._part("tokenizer").encode("").ids)

    def _row(self, prompt: Prompt, max_tokens: int) -> Answer:
        if max_tokens < 1:
            raise InvalidInput(f"max_tokens={max_tokens!r}: ask for at least one token.")
        if not prompt.messages:
            ids = self._begin() + self._ids(prompt.text)
        elif self._part("template"):
            ids = self._chat(prompt.messages)
        else:
            ids = self._begin() + self._ids(plain(prompt.messages))
        if not ids:
            raise LLMError(f"{self.name} has no token that begins a text: give a prompt that is not empty.")
        self._fits(len(ids) + 1)
        chat = bool(prompt.messages)
        return Answer(ids, min(max_tokens, self.context_window - len(ids)), chat, PLAIN_STOP if chat and not self._part("template") else ())

    def _chat(self, messages: Sequence[Message]) -> list[int]:
        """By the model's own template. Control tokens that a message spells out are broken with a zero-width space."""
        chat, special = self._part("chat"), self._part("special")

        def harmless(text: str) -> str:
            return str(special.sub(lambda found: found[0][0] + _ZERO_WIDTH_SPACE + found[0][1:], whole(text)))

        said = [{"role": message.role, "content": harmless(message.content)} for message in messages]
        try:
            return list(chat.apply_chat_template(said, add_generation_prompt=True, tokenize=True, return_dict=False))
        except Exception as error:  # a template is a program of the model's own and may refuse roles or their order in any way
            roles = ", ".join(message.role for message in messages)
            raise LLMError(
                f"The chat template of {self.name} refuses messages of these roles, in this order: {roles}. It says: {error}"
            ) from error

    def _fits(self, tokens: int) -> None:
        if tokens > self.context_window:
            raise LLMError(f"{tokens} tokens do not fit into the {self.context_window} of {self.name}: give it a smaller budget.")

    # --- the model ----------------------------------------------------------------------------------------------------

    def _part(self, name: str) -> Any:
        """A part of the model, read when it is first asked for."""
        found = self._parts.get(name)
        if found is None:
            with self._reading:
                if name not in self._parts:
                    self._parts[name] = getattr(self, f"_read_{name}")()
                found = self._parts[name]
        return found

    def _read_folder(self) -> Path:
        return folder_of(self._model, self._on_progress)

    def _read_tokenizer(self) -> Any:
        tokenizers = need("tokenizers", "local")
        tokenizer = tokenizers.Tokenizer.from_file(str(self._part("folder") / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # whatever a text spells out is text
        return tokenizer

    def _read_special(self) -> re.Pattern[str]:
        added = self._part("tokenizer").get_added_tokens_decoder().values()
        words = sorted((token.content for token in added if token.special and len(token.content) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, words)) or r"(?!)")

    @property
    def chat(self) -> bool:
        """Whether the model was trained to chat: it has a chat template. A base model gets messages as plain text."""
        return bool(self._part("template"))

    def _read_template(self) -> bool:
        folder = self._part("folder")
        settings = folder / "tokenizer_config.json"
        return (folder / "chat_template.jinja").is_file() or (settings.is_file() and '"chat_template"' in settings.read_text("utf-8"))

    def _read_chat(self) -> Any:
        return need("transformers", "local").AutoTokenizer.from_pretrained(self._part("folder"))

    def _read_config(self) -> Any:
        config = need("transformers", "local").AutoConfig.from_pretrained(self._part("folder"))
        return config.get_text_config()

    def _read_model(self) -> Any:
        torch, transformers = need("torch", "local"), need("transformers", "local")
        if self._on_progress:
            self._on_progress(f"loading {self.name}")
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            with _silent(transformers):
                model = transformers.AutoModelForCausalLM.from_pretrained(self._part("folder"), dtype=getattr(torch, self._dtype))
            return model.to(device).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelMissing(f"Model {self._model!r} in {self._part('folder')} cannot be used: {error}") from error

    def _ends(self) -> set[int]:
        """Tokens that end an answer."""
        model = self._part("model")
        ends = [getattr(source, "eos_token_id", None) for source in (model.generation_config, model.config)]
        return {token for end in ends if end is not None for token in (end if isinstance(end, (list, tuple)) else [end])}

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any, Any]:
        """(ids, mask, positions), each (rows, longest) int64, padded on the left so that every row ends in the last column."""
        torch = need("torch", "local")
        longest = max(map(len, rows))
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, longest - len(row) :] = torch.tensor(row, dtype=torch.long)
            mask[i, longest - len(row) :] = 1
        device = self._part("model").device
        return ids.to(device), mask.to(device), (mask.cumsum(1) - 1).clamp(min=0).to(device)

    def _decode(self, rows: Sequence[Answer], temperature: float, stop: Sequence[str], seed: int) -> Iterator[None]:
        """Write the rows' answers token by token; stands still after each, and is over when every row has an end."""
        torch = need("torch", "local")
        model, tokenizer, ends = self._part("model"), self._part("tokenizer"), self._ends()
        draws = [torch.Generator().manual_seed(seed) for _ in rows]
        ids, mask, positions = self._padded([row.prompt for row in rows])
        name = cache_argument(model)
        with self._busy, torch.inference_mode():
            cache, own = begun(model, [row.prompt for row in rows])
        ids, positions = ids[:, -own:], positions[:, -own:]
        while True:
            with self._busy, torch.inference_mode():
                out = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1, **{name: cache})
                cache, logits = getattr(out, name), out.logits[:, -1].float()
                if temperature > 0:
                    chosen = drawn(logits / temperature, draws)
                else:
                    chosen = logits.argmax(-1).tolist()
                ids = torch.tensor(chosen, device=mask.device)[:, None]
                mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
                positions = positions[:, -1:] + 1
            for row, token in zip(rows, chosen, strict=True):
                if not row.finish:
                    row.add(token, tokenizer, ends, stop)
            yield
            if all(row.finish for row in rows):
                return


@contextlib.contextmanager
def _silent(transformers: Any) -> Iterator[None]:
    """No progress bar of transformers' own: what is shown is up to the caller."""
    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def plain(messages: Sequence[Message]) -> str:
    """Messages as one text that a base model goes on from with an answer.

    System text stands as it is. Of a user's message the last paragraph is the question, and what comes before is what it is
    about. Of eight shapes tried on Gemma 3 270M none did better (docs/llms.md); asking for a short answer did worse.
    """
    parts: list[str] = []
    for message in messages:
        if message.role == "user":
            about, border, question = message.content.strip().rpartition("\n\n")
            asked = question if question.startswith("Question:") else f"Question: {question}"
            parts.append(f"{about}{border}{asked}\nAnswer:")
        elif message.role == "assistant" and parts and parts[-1].endswith("Answer:"):
            parts[-1] += f" {message.content.strip()}"
        else:
            parts.append(message.content.strip())
    text = "\n\n".join(part for part in parts if part)
    return text if text.endswith("Answer:") else f"{text}\nAnswer:"


def _taken(order: list[int], rows: Sequence[list[int]], most: int, share: bool = False) -> list[int]:
    """Cut off the front of `order` as many rows as go through the model together; with `share`, what they begin with counts once."""
    size = 1
    while size < min(most, len(order)):
        batch = [rows[i] for i in order[: size + 1]]
        shared, own = computed(batch) if share else (0, max(map(len, batch)))
        if shared + len(batch) * own > _TOKENS:
            break
        size += 1
    taken, order[:] = order[:size], order[size:]
    return taken
