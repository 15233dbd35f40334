import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hops.experiment.worker.output import LAST_LINE, PENDING_BYTES, READS, TrialOutput

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d: ")


class FullDisk:
    """A file that takes some bytes, and then no more."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.written = b""

    def write(self, data: bytes) -> int:
        """Write what there is room for."""
        if not self.room_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = bytes(data[: self.room_bytes])
        self.written += taken
        self.room_bytes -= len(taken)
        return len(taken)

    def close(self) -> None:
        """Fail, as a network file system does that finds out late."""
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return where the log is to be."""
    return tmp_path / "output.log"


@pytest.fixture
def output(log: Path) -> Iterator[TrialOutput]:
    """Return the output of a trial that has just begun."""
    output = TrialOutput(log)
    with output._file:  # noqa: SLF001 - not every test ends the log
        yield output


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the two ends of a pipe, which does not block whom it is read by."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with os.fdopen(read_end, "rb", buffering=0), os.fdopen(write_end, "wb", buffering=0):
        yield read_end, write_end


def lines(log: Path) -> list[bytes]:
    """Return the lines of the log; each must have its time."""
    found = log.read_bytes().split(b"\n")
    assert found.pop() == b"", "the last line has no end"
    assert all(STAMP.match(line) for line in found)
    return [STAMP.sub(b"", line, count=1) for line in found]


def test_lines_are_kept_and_passed_on(output: TrialOutput, log: Path) -> None:
    """Each line is in the file with its time, and waits to be passed on, once."""
    output.add(b"one\ntwo\n\nthree\n")

    assert output.is_waiting
    assert output.waiting() == (["one", "two", "", "three"], 0)
    assert not output.is_waiting
    assert output.waiting() == ([], 0)
    assert lines(log) == [b"one", b"two", b"", b"three"]


def test_a_line_in_pieces_is_one_line(output: TrialOutput, log: Path) -> None:
    """It is kept when its end has come."""
    for piece in (b"o", b"n", b"e\ntw", b"", b"o"):
        output.add(piece)

    assert output.waiting() == (["one"], 0)
    output.add(b"\n")
    assert output.waiting() == (["two"], 0)
    assert lines(log) == [b"one", b"two"]


def test_a_character_in_pieces_is_one_character(output: TrialOutput) -> None:
    """A letter of more than one byte may be cut between two reads."""
    for byte in "Ä日🙂\n".encode():
        output.add(bytes([byte]))

    assert output.waiting() == (["Ä日🙂"], 0)


def test_the_end_of_the_log(output: TrialOutput, log: Path) -> None:
    """What has no end of line is kept and passed on as well, and the last line is ours."""
    output.add(b"no end")
    output.note("Traceback\n  boom \ud800\r\nend")
    output.close()

    assert output.waiting() == (["no end"], 0)
    assert lines(log) == [
        b"no end",
        b"Traceback",
        b"  boom \\ud800",
        b"end",
        LAST_LINE.encode(),
    ]


def test_an_empty_log_has_its_last_line(output: TrialOutput, log: Path) -> None:
    """A trial that wrote nothing has a log that says that it is over."""
    output.close()

    assert output.waiting() == ([], 0)
    assert lines(log) == [LAST_LINE.encode()]


def test_a_log_is_continued(log: Path) -> None:
    """What is there is not overwritten."""
    last_line = LAST_LINE.encode()
    for text in (b"one\n", b"two\n"):
        output = TrialOutput(log)
        output.add(text)
        output.close()

    assert lines(log) == [b"one", last_line, b"two", last_line]


def test_what_is_no_text_is_kept_as_it_is(output: TrialOutput, log: Path) -> None:
    """The file has the bytes; what is passed on has a sign in their place."""
    output.add(b"a\xff\xfeb\0\n")

    assert output.waiting() == (["a\ufffd\ufffdb\0"], 0)
    assert lines(log) == [b"a\xff\xfeb\0"]


def test_a_huge_line_is_kept_whole(output: TrialOutput, log: Path) -> None:
    """It is never held back as a whole, nor passed on; only counted."""
    piece = b"x" * 65_536
    for _ in range(160):
        output.add(piece)
    output.add(b"\nshort\n")

    kept, skipped = output.waiting()
    assert sum(map(len, kept)) <= PENDING_BYTES
    assert skipped > 0
    assert b"".join(lines(log)) == piece * 160 + b"short"


def test_too_many_lines_are_counted(output: TrialOutput, log: Path) -> None:
    """What waits has a limit; the rest is in the file, and the next time there is room again."""
    output.add(b"123456789\n" * 10_000)

    kept, skipped = output.waiting()
    assert len(kept) + skipped == 10_000
    assert len(kept) == PENDING_BYTES // 10
    assert len(lines(log)) == 10_000
    output.add(b"next\n")
    assert output.waiting() == (["next"], 0)


def test_empty_lines_take_room_too(output: TrialOutput) -> None:
    """A million of them would be a long message as well."""
    output.add(b"\n" * 100_000)

    kept, skipped = output.waiting()
    assert len(kept) == PENDING_BYTES
    assert len(kept) + skipped == 100_000


def test_only_counted_lines_wait_as_well(output: TrialOutput) -> None:
    """The driver is to hear that there were some."""
    output.add(b"x" * (PENDING_BYTES + 1) + b"\n")

    assert output.is_waiting
    assert output.waiting() == ([], 1)


@pytest.mark.parametrize("room_bytes", [0, 7, 100])
def test_a_full_disk_fails_nothing(
    output: TrialOutput, monkeypatch: pytest.MonkeyPatch, room_bytes: int
) -> None:
    """The user is told once; lines are passed on nevertheless, and the end is as ever."""
    disk = FullDisk(room_bytes)
    monkeypatch.setattr(output, "_file", disk)

    output.add(b"one\n" + b"x" * 100 + b"\n")
    output.add(b"two\n")
    output.note("note")
    output.close()

    kept, _ = output.waiting()
    assert kept[0].startswith("hops: the log cannot be written any further:")
    assert kept[1:] == ["one", "x" * 100, "two"]
    assert len(disk.written) == room_bytes


def test_a_pipe_is_taken_as_far_as_it_goes(
    output: TrialOutput, log: Path, pipe: tuple[int, int]
) -> None:
    """An empty pipe is no end; a closed one is none either."""
    read_end, write_end = pipe
    output.drain(read_end)
    os.write(write_end, b"one\ntwo\nhalf")
    output.drain(read_end)
    output.drain(read_end)

    assert lines(log) == [b"one", b"two"]
    os.write(write_end, b" and half\n")
    os.dup2(read_end, write_end)  # the other end is closed now
    output.drain(read_end)
    output.drain(read_end)
    assert output.waiting() == (["one", "two", "half and half"], 0)


def test_one_call_takes_all_that_a_pipe_holds(
    output: TrialOutput, log: Path, pipe: tuple[int, int]
) -> None:
    """So that nothing is missing which was written before the trial said that it is done."""
    read_end, write_end = pipe
    size_bytes = 1 << 20
    with suppress(AttributeError, PermissionError):  # not on macOS, not in every container
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, size_bytes)
    os.set_blocking(write_end, False)
    written = os.write(write_end, b"123456789\n" * (size_bytes // 10))
    output.drain(read_end)
    output.close()

    assert len(b"\n".join(lines(log)[:-1])) in {written - 1, written}


def test_a_trial_that_writes_without_end_does_not_hold_us(
    output: TrialOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that is faster than we are leaves time for everything else."""
    reads = []

    def read(_descriptor: int, size: int) -> bytes:
        reads.append(size)
        return b"line\n" * 100

    monkeypatch.setattr(os, "read", read)
    output.drain(0)
    monkeypatch.undo()

    assert len(reads) == READS


def test_a_progress_bar_is_shown_while_it_moves(output: TrialOutput, log: Path) -> None:
    """A line that is redrawn with carriage returns is passed on as it stands, once per state."""
    output.add(b"\r 10%\r 20%")
    assert output.waiting() == (["20%"], 0)
    assert output.waiting() == ([], 0)

    output.add(b"\r 30%\r")
    assert output.waiting() == (["30%"], 0)

    output.add(b"100%\ndone\n")
    assert output.waiting()[0][-1] == "done"
    assert lines(log) == [b"\r 10%\r 20%\r 30%\r100%", b"done"]


def test_a_long_line_is_whole_in_the_log(output: TrialOutput, log: Path) -> None:
    """A line that is shown in parts has one time, and no break, in the file."""
    for _ in range(10):
        output.add(b"A" * 10_000)
    output.add(b"\nnext\n")

    assert lines(log) == [b"A" * 100_000, b"next"]
