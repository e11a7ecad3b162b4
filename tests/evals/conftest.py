"""A task over a miniature of its files, written by hand."""

import dataclasses
import gzip
import hashlib

import pytest

from bowerbird.evals.task import File
from bowerbird.evals.task import get as load
from bowerbird.kinds import checked


@pytest.fixture
def mini(tmp_path):
    """`mini(task name, {end of a file's path: its content})`: the task's records, and its cases by split.

    Runs both twice, since a task must give the same again, and checks each record as the catalog would.
    """

    def made(name, contents):
        task = load(name)
        files = []
        for end, content in contents.items():
            (file,) = [file for file in task.files if file.path.endswith("/" + end)]
            path = tmp_path / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content.encode()) if end.endswith(".gz") else content.encode())
            files.append(File(file.path, hashlib.sha256(path.read_bytes()).hexdigest()))
        data = dataclasses.replace(task, files=tuple(files)).data(tmp_path)
        found = list(task.records(data)), {split: list(task.cases(data, split)) for split in task.splits}
        assert found == (list(task.records(data)), {split: list(task.cases(data, split)) for split in task.splits})
        for record in found[0]:
            checked(record, record.scope)
        return found

    return made
