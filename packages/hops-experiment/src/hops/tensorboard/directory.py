"""Where the running trial logs for TensorBoard."""

from hops.experiment.context import current_trial


def logdir() -> str | None:
    """Return the directory that the running trial writes its event files to.

    Always local, and made already, because TensorFlow cannot write to HDFS any more; what is in it
    is kept in the trial's directory of the project.

    Returns:
        An absolute path; `None` outside of a trial.

    Example:
        >>> logdir() is None
        True
    """
    trial = current_trial.get()
    return None if trial is None else trial.logdir
