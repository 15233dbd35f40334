"""Features, written once, read for training and serving.

There is nothing to call yet.
"""

__all__: list[str] = []
