"""What every benchmark here shares: the machine in words, medians with spread, a table, and results as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Report", "data", "megabytes", "middle", "p95", "processor", "resident", "seconds", "spread", "trimmed"]


def data() -> Path:
    """The folder of real datasets: BOWERBIRD_DATA, or `../shared/data` beside the repository."""
    folder = Path(os.environ.get("BOWERBIRD_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()
    if not folder.is_dir():
        raise SystemExit(f"No datasets at {folder}; name their folder with BOWERBIRD_DATA.")
    return folder


class Report:
    """Collects rows of a benchmark, prints them as they come, and writes them as JSON where `out` says so."""

    def __init__(self, title: str, columns: Sequence[str], out: Path | None = None, packages: Sequence[str] = ()) -> None:
        self.title, self.columns, self.out = title, list(columns), out
        self.began = time.time()
        self.machine = {
            "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory()}",
            "system": platform.platform(),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
            "versions": {name: _version(name) for name in ("bowerbird", "numpy", "sqlalchemy", "qdrant-edge-py", *packages)},
        }
        self.rows: list[dict[str, Any]] = []
        print(f"# {title}")
        print(f"{self.machine['machine']}; {self.machine['system']}; Python {self.machine['python']}; load {self.machine['load']}")
        print(", ".join(f"{name} {number}" for name, number in self.machine["versions"].items()), flush=True)

    def add(self, *values: Any, **more: Any) -> None:
        """One row: a value a column; `more` goes only to the JSON."""
        self.rows.append({**dict(zip(self.columns, values, strict=True)), **more})
        print("  " + " · ".join(f"{name} {_shown(value)}" for name, value in zip(self.columns, values, strict=True)), flush=True)

    def close(self) -> None:
        """Print the table in Markdown, ready for the log; write the JSON."""
        cells = [self.columns, *([_shown(row[name]) for name in self.columns] for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(self.columns))]
        print()
        for number, line in enumerate(cells):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        if self.out:
            took = round(time.time() - self.began, 1)
            command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
            content = {"title": self.title, "command": command, **self.machine, "took_s": took, "columns": self.columns, "rows": self.rows}
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self.out.write_text(json.dumps(content, indent=1, default=str) + "\n", "utf-8")


def seconds(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """Wall-clock seconds of each call."""
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def middle(times: Sequence[float]) -> float:
    """The median."""
    return statistics.median(times)


def p95(times: Sequence[float]) -> float:
    """The 95th percentile (nearest rank)."""
    return sorted(times)[max(0, -(-95 * len(times) // 100) - 1)]


def trimmed(times: Sequence[float]) -> float:
    """Mean of the middle half: steadier than a median where values come in two clusters."""
    quarter = len(times) // 4
    return statistics.fmean(sorted(times)[quarter : len(times) - quarter])


def spread(times: Sequence[float], unit: str = "s") -> str:
    """Median and the range from the 5th to the 95th percentile, as text; `unit` is s or ms."""
    scale, digits = (1e3, 2) if unit == "ms" else (1.0, 3)
    low = sorted(times)[len(times) // 20]
    return f"{scale * middle(times):.{digits}f} {unit} ({scale * low:.{digits}f} to {scale * p95(times):.{digits}f}, n={len(times)})"


def processor() -> float:
    """Seconds of processor time, user and system, of this process with all its threads and of its ended children."""
    return math.fsum(found.ru_utime + found.ru_stime for found in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def resident(what: str = "VmRSS") -> float:
    """Memory of this process in MB: VmRSS now, VmHWM at its most, RssAnon without mapped files."""
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


def megabytes(*paths: Path) -> float:
    """Disk blocks in use below `paths`, in MB: holes in files do not count."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(512 * file.stat().st_blocks for file in files if file.is_file()) / 2**20


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "" if value is None else str(value)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model name")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory() -> str:
    return f"{int(Path('/proc/meminfo').read_text().split('MemTotal:')[1].split()[0]) / 2**20:.0f} GiB"
