"""Adding an unchanged folder again, then one with a changed, a new and a removed file.

    python benchmarks/reingest.py --files 1000

Files are Markdown with three sections of real prose, in folders of fifty. Every `add` opens the bower anew, as a command would, and the
time includes that. `--encoder auto` shows whether an encoder is loaded needlessly.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from corpora import windows
from report import Report, middle, spread

import bowerbird
from bowerbird.ingest.intake import Report as Intake
from bowerbird.testing.encoders import HashEncoder


def write(folder: Path, files: int) -> None:
    texts = windows(3 * files, words=80)
    for number in range(files):
        path = folder / f"part{number // 50:03}" / f"page{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        sections = (f"## Section {i}\n\n{texts[3 * number + i]}\n" for i in range(3))
        path.write_text(f"# Page {number}\n\n" + "\n".join(sections), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--encoder", choices=("hash", "auto"), default="hash")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    encoder = HashEncoder(384) if given.encoder == "hash" else "auto"
    columns = ["add", "seconds", "added", "updated", "unchanged", "removed", "skipped files", "spread"]
    report = Report(f"Re-adding {given.files:,} files, encoder {given.encoder}", columns, given.out)
    folder = Path(tempfile.mkdtemp())
    try:
        write(folder / "docs", given.files)

        def add(times: int = 1) -> tuple[list[float], Intake]:
            took = []
            for _ in range(times):
                began = time.perf_counter()
                with bowerbird.open(folder / "bower", "acme", encoder=encoder, llm=None) as bird:
                    done = bird.add(folder / "docs")
                took.append(time.perf_counter() - began)
            return took, done

        for name, times in (("first", 1), ("unchanged", given.repeats)):
            took, done = add(times)
            counts = (done.added, done.updated, done.unchanged, done.removed, done.skipped)
            report.add(name, middle(took), *counts, spread(took), times=took)
        (folder / "docs/part000/page00001.md").unlink()
        changed = folder / "docs/part000/page00002.md"
        changed.write_text(changed.read_text("utf-8").replace("Section 1", "Another section"), "utf-8")
        (folder / "docs/new.md").write_text("# New\n\nA page that was not there before.\n", "utf-8")
        took, done = add()
        report.add("three files", middle(took), done.added, done.updated, done.unchanged, done.removed, done.skipped, spread(took))
        report.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
