"""How long `import bowerbird` takes in a fresh process, and that it brings nothing heavy.

    python benchmarks/imports.py

Three steps, because people meet all three: the package alone (what `bowerbird --help` pays), the engine, an empty bower opened.
Each is the median of fresh processes; the time is that of the statement, without the start of Python itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from report import Report, middle, spread

HEAVY = ("torch", "transformers", "sentence_transformers", "openvino", "qdrant_edge", "qdrant_client", "openai", "pyarrow", "pypdf", "docx")
STEPS = {
    "import bowerbird": "import bowerbird",
    "from bowerbird import open": "from bowerbird import open",
    "open an empty bower": "import bowerbird, tempfile; bowerbird.open(tempfile.mkdtemp(), 'a', llm=None).close()",
}
PROGRAM = """
import json, sys, time
began = time.perf_counter()
{step}
took = time.perf_counter() - began
print(json.dumps([took, [name for name in {heavy} if name in sys.modules], len(sys.modules)]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report = Report("Import", ["statement", "median s", "spread", "modules", "heavy"], given.out)
    for name, step in STEPS.items():
        times, heavy, modules = [], set(), 0
        for _ in range(given.repeats + 1):
            command = [sys.executable, "-c", PROGRAM.format(step=step, heavy=HEAVY)]
            took, found, modules = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            times.append(took)
            heavy.update(found)
        times = times[1:]  # the first fills the page cache
        report.add(name, middle(times), spread(times), modules, ", ".join(sorted(heavy)) or "none", times=times)
    report.close()


if __name__ == "__main__":
    main()
