"""TensorBoard from the user's side: where a trial logs, and looking at a finished run.

A running experiment shows its own TensorBoard; nothing has to be called for it.
"""

from hops.tensorboard.directory import logdir
from hops.tensorboard.viewer import TensorBoardError, TensorBoardUrl, visualize

__all__ = [
    "TensorBoardError",
    "TensorBoardUrl",
    "logdir",
    "visualize",
]
