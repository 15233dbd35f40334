"""What the user sees while a run lives: the console, the result table, TensorBoard, HParams.

Nothing here may fail a run, or make one wait. Each module stands alone; the coordinator calls them
from its main thread.
"""
