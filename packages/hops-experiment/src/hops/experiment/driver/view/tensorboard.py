"""One TensorBoard per run: what it is shown, and the process that shows it.

TensorBoard looks at a `Mirror`: a temporary directory with a link for each trial. A link leads to
where the trial writes now, and is turned to where it is kept once it is accepted, so the browser
sees one run that stays, and the directories of attempts stay hidden.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hops.experiment.driver.view.environment import clean_environment
from hops.experiment.driver.view.hparams import is_installed
from hops.experiment.driver.view.text import clean

if TYPE_CHECKING:
    import subprocess
    from typing import IO

HOME_PREFIX = "hops-tensorboard-"
"""How the name of a mirror's temporary directory starts; no other is ever removed."""

INSTALL = "TensorBoard is not installed: pip install 'hops-experiment[tensorboard]'"

_SERVER = "hops.experiment.driver.view.serve_tensorboard"
_STOP_S = 5.0
_ERROR_BYTES = 4096
_ADDRESS_BYTES = 4096


class Mirror:
    """A directory of links to where the trials' event files are, for TensorBoard to look at."""

    def __init__(self) -> None:
        """Make the directory, readable by this user only.

        Raises:
            OSError: There is no place for temporary files.
        """
        import tempfile

        self.home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX))
        """The temporary directory that holds all of it."""
        self.directory = self.home / "runs"
        """What TensorBoard is given."""
        self.directory.mkdir()

    def show(self, name: str, directory: str | os.PathLike[str]) -> None:
        """Show *directory* as the run *name*; one that is shown already is turned to it at once.

        Args:
            name: Of the trial; `/` makes groups, and empty, the name of a run of one trial, is
                shown as `trial`.
            directory: Absolute; it may be made later.

        Raises:
            OSError: The link could not be made.
            ValueError: *name* would leave the mirror.
        """
        link = self.directory / (name or "trial")
        if ".." in link.parts or not link.is_relative_to(self.directory):
            message = f"{name!r} is no name of a trial: it would leave TensorBoard's directory."
            raise ValueError(message)
        link.parent.mkdir(parents=True, exist_ok=True)
        # Made outside of what TensorBoard looks at, which would keep the passing name for ever.
        fresh = self.home / "next"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(directory)
        fresh.replace(link)

    def close(self) -> None:
        """Remove the links and their directory; what they lead to stays."""
        import shutil

        shutil.rmtree(self.home, ignore_errors=True)


class TensorBoard:
    """A TensorBoard process of our own that ends with this one.

    Nothing here waits for it: `url` and `problem` say what is known when they are asked.
    """

    def __init__(self) -> None:
        """Prepare; no process is started."""
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._url: str | None = None
        self._heard = b""
        self._problem: str | None = None

    def start(
        self,
        directory: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        home: str | os.PathLike[str] = "",
    ) -> None:
        """Let a TensorBoard over *directory* start; without the package, nothing is started.

        Args:
            directory: A mirror's, or a finished run's.
            host: Address to listen on; from elsewhere than this host it can be reached only where
                the cluster gives the driver an address for it.
            home: Of the mirror, to be removed when this process is killed; empty for none.
        """
        if not is_installed():
            self._problem = INSTALL
            return
        import secrets
        import subprocess
        import tempfile

        command = [sys.executable, "-P", "-m", _SERVER, os.fspath(directory), host, os.fspath(home)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=clean_environment(os.environ),
                start_new_session=True,  # the user's Ctrl-C is the driver's to handle
            )
        except OSError as error:
            self._problem = f"TensorBoard could not be started: {error}"
            self.stop()
            return
        os.set_blocking(self._out.fileno(), False)
        self._tell(f"/{secrets.token_urlsafe(16)}\n".encode())

    def url(self) -> str | None:
        """Return the address; `None` as long as, or if, there is none."""
        self._listen()
        return self._url

    def wait(self, timeout_s: float) -> str | None:
        """Return the address, waiting for it at most that long; `None` if none came."""
        import selectors
        import time

        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            if self._process is not None:
                selector.register(self._out, selectors.EVENT_READ)
            while self.url() is None and self._process is not None and self.problem() is None:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    break
        return self._url

    def problem(self) -> str | None:
        """Return in one line why there is no TensorBoard; `None` while all is well."""
        process = self._process
        if self._problem is None and process is not None and process.poll() is not None:
            said = self._last_error()
            self._problem = f"TensorBoard ended with status {process.returncode}: {said}"
        return self._problem

    def stop(self) -> None:
        """End the process, and what it has started; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            _end_group(process)
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    @property
    def _out(self) -> "IO[bytes]":
        if self._process is None or self._process.stdout is None:
            message = "TensorBoard is not running."
            raise RuntimeError(message)
        return self._process.stdout

    def _tell(self, line: bytes) -> None:
        """Write to the process's standard input: arguments and variables can be read by others."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already: `problem` says how
                os.write(self._process.stdin.fileno(), line)

    def _listen(self) -> None:
        if self._url is not None or self._process is None:
            return
        with suppress(BlockingIOError):
            self._heard += os.read(self._out.fileno(), _ADDRESS_BYTES)
        line, ended, _ = self._heard.partition(b"\n")
        if ended:
            self._url = line.decode()

    def _last_error(self) -> str:
        if self._errors is None:
            return ""
        size_bytes = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size_bytes - _ERROR_BYTES))
        lines = self._errors.read().decode(errors="replace").splitlines()
        return next((clean(line) for line in reversed(lines) if line.strip()), "it said nothing")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    import signal
    from subprocess import TimeoutExpired

    if process.poll() is not None:
        return  # its group may be another's by now; a data server has ended with its input
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(TimeoutExpired):
            process.wait(_STOP_S)
            return
