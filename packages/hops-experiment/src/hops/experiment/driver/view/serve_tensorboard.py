"""The program that serves TensorBoard for one driver, and ends with it.

    python -P -m hops.experiment.driver.view.serve_tensorboard <directory> <host> <path prefix>

Writes its address as one line to standard output; everything else goes to standard error. Ends when
its standard input does: the driver holds the other end, and however the driver ends, the kernel
closes it. That works on every POSIX system, and no signal can be missed.
"""

import os
import sys
import threading

_NICENESS = 5  # watching must not slow down what is watched


def main(directory: str, host: str, prefix: str) -> None:
    """Serve *directory* until standard input ends.

    Args:
        directory: What TensorBoard calls the log directory.
        host: Address to listen on; the kernel chooses the port.
        prefix: Path below which everything is served, beginning with a slash.
    """
    answer = os.dup(1)
    os.dup2(2, 1)
    os.nice(_NICENESS)
    watch = threading.Thread(target=_end_with_driver, daemon=True)
    watch.start()
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


def _end_with_driver() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
