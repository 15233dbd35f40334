"""The program that serves TensorBoard for one driver, and ends with it.

    python -P -m hops.experiment.driver.view.serve_tensorboard <directory> <host> <mirror>

Reads the path below which it serves from the first line of its standard input, because the
arguments and the environment of a process can be read by others. Writes its address as one line to
standard output; everything else goes to standard error.

Ends when its standard input does: the driver holds the other end, and however the driver ends, the
kernel closes it. That works on every POSIX system, and no signal can be missed. The mirror, if one
is named, ends with it, because a driver that was killed could not remove it.
"""

import os
import sys
import threading
from pathlib import Path

from hops.experiment.driver.view.tensorboard import HOME_PREFIX

_NICENESS = 5  # watching must not slow down what is watched


def main(directory: str, host: str, mirror: str) -> None:
    """Serve *directory* until standard input ends.

    Args:
        directory: What TensorBoard calls the log directory.
        host: Address to listen on; the kernel chooses the port.
        mirror: Temporary directory to remove at the end; empty for none.
    """
    answer = os.dup(1)
    os.dup2(2, 1)
    os.nice(_NICENESS)
    prefix = sys.stdin.buffer.readline().decode().strip()
    watch = threading.Thread(target=_end_with_driver, args=[mirror], daemon=True)
    watch.start()
    if not prefix:
        watch.join()  # the driver has ended before it said a word
    os.write(answer, f"{_serve(directory, host, prefix)}\n".encode())
    os.close(answer)
    watch.join()


def _serve(directory: str, host: str, prefix: str) -> str:
    from importlib import import_module

    server = import_module("tensorboard.program").TensorBoard()
    flags = ["--logdir", directory, "--host", host, "--port", "0", "--path_prefix", prefix]
    # The fast reader opens a port of its own that the path prefix does not guard. The other one,
    # without multifile, waits for ever for the events of an attempt that was lost.
    flags += ["--load_fast", "false", "--reload_multifile", "true"]
    server.configure(["", *flags])
    url: str = server.launch()
    return url


def _end_with_driver(mirror: str) -> None:
    try:
        while os.read(0, 1024):
            pass
        remove_mirror(mirror)
    finally:
        os._exit(0)


def remove_mirror(path: str) -> None:
    """Remove the mirror at *path*; what is no mirror, by its name and its place, stays."""
    import shutil
    import tempfile

    home = Path(path)
    if home.parent == Path(tempfile.gettempdir()) and home.name.startswith(HOME_PREFIX):
        shutil.rmtree(home, ignore_errors=True)  # links are removed, not what they lead to


if __name__ == "__main__":
    main(*sys.argv[1:])
