"""Where the running trial logs for TensorBoard."""

import os

from hops.core import environment
from hops.experiment.context import current_trial


def logdir() -> str | None:
    """Return the directory that the running trial writes its event files to.

    Always local, and made already, because TensorFlow cannot write to HDFS any more; what is in it
    is kept in the trial's directory of the project.

    Returns:
        An absolute path; `None` outside of a trial. Threads of a trial, and programs that it
        starts, get the trial's.

    Example:
        >>> logdir() is None
        True
    """
    trial = current_trial.get()
    # A thread that the trial has started is in no context of ours.
    return os.environ.get(environment.HOPS_LOGDIR) if trial is None else trial.logdir
