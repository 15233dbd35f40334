import hops.kafka


def test_offers_nothing_before_it_works() -> None:
    """Until the first release brings the calls, the package is importable and empty."""
    assert hops.kafka.__all__ == []
