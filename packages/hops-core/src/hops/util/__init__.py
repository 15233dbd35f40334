"""The calls of `hops.util` of the old library that programs use; today one of them."""

from hops.util.executors import num_executors

__all__ = ["num_executors"]
