"""What a trial writes to its descriptors 1 and 2: kept in `output.log`, and passed on live."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

PENDING_BYTES = 32 * 1024
"""Most that waits to be passed on; more is counted only, and is in the file."""

READS = 16
"""Most reads of 64 KiB in a row: more than a pipe holds, so that what was written before is all
taken, and few enough that a trial that writes without end does not keep the agent from the rest."""

LAST_LINE = "Finished running task"
"""As hops-util-py ended the log."""


class TrialOutput:
    """The log of one trial."""

    def __init__(self, path: Path) -> None:
        """Begin the log at *path*."""
        self._file = path.open("ab", buffering=0)
        self._rest = b""
        self._begun = False
        self._drawn = b""
        self._lines: list[str] = []
        self._pending_bytes = 0
        self._skipped = 0
        self._broken = False

    def drain(self, descriptor: int) -> None:
        """Take all that the trial has written so far. A full disk loses lines, never the trial."""
        for _ in range(READS):
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return
            if not data:
                return
            self.add(data)

    def add(self, data: bytes) -> None:
        """Add what the trial wrote; a line without an end waits for the rest of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        shown = lines[1:] if self._begun and lines[:1] == [b""] else lines
        self._write(lines)
        for line in shown:
            self._pass_on(line)
        if len(self._rest) > PENDING_BYTES:  # shown in parts, and whole in the file
            self._write([self._rest], ended=False)
            self._pass_on(self._rest)
            self._rest = b""

    def note(self, text: str) -> None:
        """Add lines of our own to the file alone, behind what the trial wrote."""
        if self._rest or self._begun:
            self.add(b"\n")
        self._write(text.encode("utf-8", errors="backslashreplace").splitlines())

    def waiting(self) -> tuple[list[str], int]:
        """Return the lines to pass on, and how many more were only counted; forget both."""
        lines, skipped = self._lines or self._progress(), self._skipped
        self._lines, self._pending_bytes, self._skipped = [], 0, 0
        return lines, skipped

    def _progress(self) -> list[str]:
        """Return how a progress bar stands that redraws its line, if it has moved."""
        drawn = self._rest.rstrip(b"\r").rpartition(b"\r")[2] if b"\r" in self._rest else b""
        if drawn.strip() in (b"", self._drawn):
            return []
        self._drawn = drawn.strip()
        return [self._drawn.decode("utf-8", errors="replace")]

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to pass on."""
        return bool(self._lines or self._skipped)

    def close(self) -> None:
        """End the log."""
        self.note(LAST_LINE)
        with suppress(OSError):  # of a network file system, that is full
            self._file.close()

    def _write(self, lines: list[bytes], *, ended: bool = True) -> None:
        if not lines or self._broken:
            return
        stamp = datetime.now().astimezone().isoformat(timespec="milliseconds").encode() + b": "
        text = b"".join(b"%b%b\n" % (stamp, line) for line in lines)
        data = memoryview(text[len(stamp) if self._begun else 0 : None if ended else -1])
        self._begun = not ended
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._broken = True
            self._pass_on(f"hops: the log cannot be written any further: {error}".encode())

    def _pass_on(self, line: bytes) -> None:
        self._pending_bytes += len(line) + 1  # empty lines are to be counted, too
        if self._pending_bytes > PENDING_BYTES:
            self._skipped += 1
        else:
            self._lines.append(line.decode("utf-8", errors="replace"))
