"""What a run makes of SIGINT and SIGTERM."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def orderly_signals() -> Iterator[None]:
    """Let SIGTERM end the program as `sys.exit` does, and SIGINT as Python does.

    So the run's record says how it ended. Handlers of the user's stay; that of pyspark, which
    cancels every job on SIGINT, would end the trials that Ctrl-C lets finish. A thread other than
    the main one cannot set any.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                stack.enter_context(_handled(signal.SIGTERM, _leave))
            if _is_of_pyspark(signal.getsignal(signal.SIGINT)):
                stack.enter_context(_handled(signal.SIGINT, signal.default_int_handler))
        yield


@contextmanager
def _handled(number: signal.Signals, handler: Callable[[int, Any], Any]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _is_of_pyspark(handler: object) -> bool:
    return str(getattr(handler, "__module__", "")).partition(".")[0] == "pyspark"
