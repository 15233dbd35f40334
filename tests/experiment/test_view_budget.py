from hops.experiment.driver.view.budget import Budget


def test_a_burst_then_a_rate() -> None:
    """The burst is there at once, more comes back with time, and never more than the burst."""
    now = 100.0
    budget = Budget(burst=10, per_s=2, clock=lambda: now)

    assert [budget.take(7), budget.take(7), budget.take()] == [7, 3, 0]
    now += 1.4
    assert budget.take(7) == 2
    now += 0.1
    assert budget.take(7) == 1, "0.8 was left before, and 0.2 has come"
    now += 1000
    assert budget.take(50) == 10
