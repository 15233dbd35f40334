import json
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from hops.core import (
    AuthenticationError,
    ConflictError,
    HopsError,
    ResourceNotFoundError,
    ServiceError,
    SettingsError,
)
from hops.core.rest.address import join
from hops.core.rest.credential import conceal
from hops.core.rest.refusal import (
    ERROR_OF_CODE,
    ERROR_OF_STATUS,
    LONGEST_EXPLANATION,
    choose_error,
    refusal,
)
from hops.core.testing import Request

BASE = "https://localhost:1/api"
CODES = [None, 0, -1, 1, 10**30, *ERROR_OF_CODE]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
error_bodies = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("errorCode", "errorMsg", "usrMsg", "devMsg"), json_values),
)


@given(st.lists(st.text(min_size=1) | st.integers(), min_size=1))
@example(["a/../b", "%2F", "~", "a;b=c", "?#", "\x00", "ü", "..."])
def test_segments_survive_the_way(segments: list[str | int]) -> None:
    """What requests and urllib3 make of a path is, decoded, what the caller said; else an error."""
    names = [str(segment) for segment in segments]
    try:
        url = join(BASE, tuple(segments))
    except SettingsError:
        assert {".", ".."}.intersection(names) or not all(map(encodable, names))
        return
    from requests import Request as Outgoing

    prepared = Outgoing("GET", url, params={"a": "/?"}).prepare().url
    sent = Request("GET", parse_url(str(prepared)).request_uri, {}, b"")

    assert sent.segments == ("api", *names)
    assert sent.query == {"a": ["/?"]}


def encodable(name: str) -> bool:
    """Whether *name* has no lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


@pytest.mark.parametrize("segment", ["", ".", "..", "a\ud800"])
def test_segments_that_would_be_lost_are_refused(segment: str) -> None:
    """Parts that a URL cannot carry are errors; nothing is left out silently."""
    with pytest.raises(SettingsError):
        join(BASE, ("a", segment, "b"))


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_an_error(status: int) -> None:
    """With every number and without one; the server's own failures are never a missing resource."""
    for code in CODES:
        kind = choose_error(status, code)
        if not 400 <= status < 500:
            assert kind is ServiceError
        elif code in ERROR_OF_CODE:
            assert kind is ERROR_OF_CODE[code]
        else:
            assert kind is ERROR_OF_STATUS.get(status, ServiceError)
        error = refusal("GET x", status, json.dumps({"errorCode": code}).encode())
        assert type(error) is kind
        assert error.status == status


def test_the_statuses_mean_what_they_say() -> None:
    """The statuses of HTTP that have a better word than `ServiceError`."""
    kinds = {HTTPStatus(status).phrase: kind for status, kind in ERROR_OF_STATUS.items()}

    assert kinds == {
        "Unauthorized": AuthenticationError,
        "Forbidden": AuthenticationError,
        "Not Found": ResourceNotFoundError,
        "Gone": ResourceNotFoundError,
        "Conflict": ConflictError,
        "Precondition Failed": ConflictError,
        "Locked": ConflictError,
    }


@given(
    st.integers(300, 599), st.binary() | json_values.map(lambda value: json.dumps(value).encode())
)
@example(404, b"[" * 100_000)
@example(404, b"1" * 5000)
@example(404, b"\xff\xfe{")
@example(404, b'{"errorCode": true, "errorMsg": "\\ud800"}')
@example(302, b"")
def test_any_body_is_explained(status: int, body: bytes) -> None:
    """Whatever the body is, there is an error of ours in one short printable line."""
    error = refusal("GET x", status, body, "\x1b[2J")

    assert isinstance(error, HopsError)
    assert str(error).partition("\n\nHint: ")[0].isprintable()
    assert len(str(error)) < LONGEST_EXPLANATION + 500


@given(st.integers(400, 499), error_bodies)
def test_any_error_body_is_explained(status: int, body: dict[str, object]) -> None:
    """Fields of any type are read or left out; a number is kept as it is."""
    error = refusal("GET x", status, json.dumps(body).encode())

    code = body.get("errorCode")
    assert error.code == (code if type(code) is int else None)
    assert str(error).partition("\n\nHint: ")[0].isprintable()


def test_words_that_are_repeated_are_said_once() -> None:
    """The three messages of a body are often one."""
    body = {"errorMsg": "No.", "usrMsg": "No.", "devMsg": " \x1b[31mWhy\n"}

    assert str(refusal("GET x", 422, json.dumps(body).encode())) == (
        "GET x failed with status 422: No. ?[31mWhy"
    )


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4))
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    """Wherever it stands."""
    assert conceal(f"{text}{secret}{text}", f"Bearer {secret}").replace("***", "").count(
        secret
    ) == (text.replace(secret, "").count(secret) * 2)
