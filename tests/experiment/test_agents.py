import pytest

from hops.experiment import AgentError
from hops.experiment.driver.agents import how_it_ended, open_door


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (1, "ImportError: no\n", "it ended with 1: ImportError: no"),
        (0, "", "it ended with 0"),
        (-9, " \n", "its process was killed by signal 9"),
    ],
)
def test_how_an_agent_ended_is_told(code: int, said: str, told: str) -> None:
    """With its last words, if it had any."""
    assert how_it_ended(code, said) == told


def test_a_door_on_this_machine_has_no_certificate() -> None:
    """Nobody else can listen in on the loopback interface."""
    door = open_door("127.0.0.1")
    door.close()

    assert door.tls is None
    assert door.invitation.certificate is None
    assert door.invitation.address[0] == "127.0.0.1"


def test_a_door_for_other_hosts_is_known_by_another_name() -> None:
    """Agents are told the name that they can reach, and the certificate of this run alone."""
    doors = [open_door("127.0.0.1", known_as="driver.example.org") for _ in range(2)]
    for door in doors:
        door.close()

    first, second = (door.invitation for door in doors)
    assert first.address[0] == "driver.example.org"
    assert first.certificate != second.certificate
    assert first.token != second.token
    assert "PRIVATE" not in str(first.for_agent("x"))


def test_an_address_of_another_machine_is_an_error() -> None:
    """The message names it, and the hint the setting."""
    with pytest.raises(AgentError, match=r"cannot listen on '192\.0\.2\.77'") as caught:
        open_door("192.0.2.77", known_as="192.0.2.77")  # reserved for documentation
    assert "spark.driver.bindAddress" in (caught.value.hint or "")
