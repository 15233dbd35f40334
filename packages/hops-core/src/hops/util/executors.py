"""How many executors the program has."""

from hops.core import spark


def num_executors() -> int:
    """Count the executors that the program has, or with dynamic allocation may have.

    Without Spark the answer is 1, this machine; so it is in executors themselves and in processes
    that hops starts, because the question is about the Spark session of this process. Nothing is
    started, and a session of Spark Connect counts as none.

    Returns:
        What `hops.core.spark.count_executors()` says of each kind of cluster. On a standalone
        cluster without dynamic allocation it is 0 until the first executor has registered.
    """
    context = spark.find_context()
    return 1 if context is None else spark.count_executors(context)
