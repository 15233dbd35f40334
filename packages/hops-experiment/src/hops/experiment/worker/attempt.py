"""One attempt at a trial on this machine: its directory, its log, its way into the project."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hops.experiment import record
from hops.experiment.worker.output import TrialOutput

if TYPE_CHECKING:
    from hops.hdfs.store import Store


class Attempt:
    """Where an attempt writes: in the project itself where it is a directory, else beside it."""

    def __init__(self, store: "Store", lease: dict[str, Any], scratch: Path) -> None:
        """Make the attempt's directory, begin its log, and write down its parameters.

        Raises:
            OSError: The directory cannot be written.
        """
        self._store = store
        self._path: str = lease["directory"]
        local = store.local_path(self._path)
        self._is_local = local is not None
        self.directory = local or scratch / self._path.replace("/", "_")
        self.directory.mkdir()
        if lease["hparams"] is not None:
            hparams = record.dumps(lease["hparams"])
            (self.directory / record.HPARAMS_FILE).write_bytes(hparams)
        self.output = TrialOutput(self.directory / record.LOG_FILE)

    def finish(self, report: dict[str, Any]) -> None:
        """End the log with what went wrong, and bring the files into the project.

        Raises:
            OSError: They cannot be brought there.
        """
        if report["error"]:
            self.output.note(report["traceback"] or report["error"])
        self.output.close()
        if not self._is_local:
            self._upload()

    def _upload(self) -> None:
        for root, _, files in os.walk(self.directory):
            for name in files:
                source = Path(root, name)
                if not source.is_file():  # a socket, a pipe, a link to nowhere
                    continue
                target = source.relative_to(self.directory).as_posix()
                self._store.publish_file(f"{self._path}/{target}", source)
        import shutil

        shutil.rmtree(self.directory)
