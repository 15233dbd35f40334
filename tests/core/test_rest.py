import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hops.core import (
    AuthenticationError,
    ConflictError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnreachableError,
    SettingsError,
)
from hops.core.rest import AnswerCutError, Limits, RestClient
from hops.core.testing import Fault, HttpsServer, Request, Response, in_turn

Connect = Callable[..., RestClient]


def calls(server: HttpsServer) -> list[str]:
    """Return method and target of each request, in order."""
    return [f"{each.method} {each.target}" for each in server.requests]


def test_a_call_is_what_was_said(server: HttpsServer, client: RestClient) -> None:
    """Method, path, query, credential and body arrive; the JSON of the answer comes back."""
    server.answer = in_turn(Response.of({"id": 7}))

    answer = client.post(
        "project",
        119,
        "dataset",
        "Logs/a b%ü.txt",
        query={"expand": ["features", "suite"], "force": True, "none": None, "q": "a&b=c"},
        json={"name": "ü", "empty": {}},
    )

    [request] = server.requests
    assert answer == {"id": 7}
    assert request.method == "POST"
    assert request.target.partition("?")[0] == (
        "/api/project/119/dataset/Logs%2Fa%20b%25%C3%BC.txt"
    )
    assert request.segments == ("api", "project", "119", "dataset", "Logs/a b%ü.txt")
    assert request.query == {"expand": ["features", "suite"], "force": ["True"], "q": ["a&b=c"]}
    assert request.headers["authorization"] == "ApiKey prefix.secret"
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {"name": "ü", "empty": {}}


@pytest.mark.parametrize("method", ["get", "put", "post", "delete"])
def test_an_empty_answer_is_none(server: HttpsServer, client: RestClient, method: str) -> None:
    """Each method sends its own name, and a success without a body is `None`."""
    server.answer = in_turn(Response(status=204))

    assert getattr(client, method)("x") is None
    assert calls(server) == [f"{method.upper()} /api/x"]
    assert server.requests[0].body == b""


def test_a_form_is_sent_as_a_form(server: HttpsServer, client: RestClient) -> None:
    """The fields of a form are encoded as browsers do."""
    server.answer = in_turn(Response())

    client.post("downloadCert", form={"password": "a&b ü"})

    assert server.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert server.requests[0].body == b"password=a%26b+%C3%BC"


def test_pages_are_asked_for_until_all_items_came(server: HttpsServer, client: RestClient) -> None:
    """Each page begins where the one before ended, and the query of the caller is in each."""
    server.answer = in_turn(
        Response.of({"count": 5, "items": [1, 2]}),
        Response.of({"count": 5, "items": [3, 4]}),
        Response.of({"count": 5, "items": [5]}),
    )

    assert list(client.items("t", query={"sort_by": "id"}, page_size=2)) == [1, 2, 3, 4, 5]
    assert calls(server) == [
        f"GET /api/t?sort_by=id&offset={offset}&limit=2" for offset in (0, 2, 4)
    ]


@pytest.mark.parametrize(
    ("page", "items"),
    [
        ({"count": 0}, []),
        ({"count": 9, "items": []}, []),
        ({"items": [1, 2, 3]}, [1, 2, 3]),
        ({"items": None}, []),
        ([1, 2], [1, 2]),
        ([], []),
    ],
    ids=str,
)
def test_one_page_may_be_all(
    server: HttpsServer, client: RestClient, page: object, items: list[int]
) -> None:
    """Nothing, a bare list, or a page that ignores its limit ends a collection."""
    server.answer = in_turn(Response.of(page))

    assert list(client.items("t", page_size=2)) == items
    assert len(server.requests) == 1


def test_pages_come_as_they_are_used(server: HttpsServer, client: RestClient) -> None:
    """The second page is not asked for before the items of the first are used up."""
    server.answer = in_turn(Response.of({"count": 9, "items": [1, 2]}))

    assert next(client.items("t", page_size=2)) == 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [b'"x"', b"7", b'{"items": 1}'])
def test_what_is_no_collection_is_an_error(
    server: HttpsServer, client: RestClient, answer: bytes
) -> None:
    """An answer of another shape is not taken for an empty collection."""
    server.answer = in_turn(Response(answer))

    with pytest.raises(ServiceError, match="no collection"):
        list(client.items("t"))


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"NaNN"])
def test_a_success_that_is_no_json_is_an_error(
    server: HttpsServer, client: RestClient, body: bytes
) -> None:
    """Garbage in a successful answer is an error of ours."""
    server.answer = in_turn(Response(body))

    with pytest.raises(ServiceError, match="no JSON"):
        client.get("x")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 270009, ResourceNotFoundError),
        (404, 190000, ResourceNotFoundError),
        (409, 190002, ConflictError),
        (401, 320002, AuthenticationError),
        (403, 320004, AuthenticationError),
        (422, 270040, ServiceError),
        (500, 120000, ServiceError),
    ],
)
def test_a_refusal_has_a_type_and_says_why(
    server: HttpsServer, client: RestClient, status: int, code: int, kind: type[ServiceError]
) -> None:
    """Type, number, status and the server's words are in the error, also after pickling."""
    server.answer = in_turn(
        Response.of({"errorCode": code, "errorMsg": "No.", "usrMsg": "Ada"}, status)
    )

    with pytest.raises(ServiceError) as caught:
        client.get("x", query={"q": 1})

    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is kind
    assert (error.status, error.code) == (status, code)
    assert f"GET {server.url}/api/x failed with status {status}" in str(error)
    assert f"error {code}: No. Ada" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again(
    server: HttpsServer, client: RestClient, status: int
) -> None:
    """After two answers that ask for patience comes the third."""
    server.answer = in_turn(Response(status=status), Response(status=status), Response.of(1))

    assert client.get("x") == 1
    assert calls(server) == ["GET /api/x"] * 3


def test_a_service_that_stays_busy_is_an_error(server: HttpsServer, client: RestClient) -> None:
    """After the last repetition, the answer is the error."""
    server.answer = in_turn(Response(b"Down for today", 503))

    with pytest.raises(ServiceError, match="status 503: Down for today") as caught:
        client.get("x")

    assert caught.value.status == 503
    assert len(server.requests) == 3


def test_the_service_says_when_to_come_back(
    server: HttpsServer, client: RestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is that of `Retry-After`, and the longest allowed where it asks for more."""
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    server.answer = in_turn(
        Response(status=429, headers={"Retry-After": "7"}),
        Response(status=429, headers={"Retry-After": "9999"}),
        Response.of(1),
    )

    assert client.get("x") == 1
    assert pauses == [7, Limits().longest_pause_s]


@pytest.mark.parametrize("status", [429, 503])
def test_a_post_is_not_repeated(server: HttpsServer, client: RestClient, status: int) -> None:
    """What may have had an effect is sent once, also where the service says when to come back."""
    server.answer = in_turn(Response(status=status, headers={"Retry-After": "0"}), Response.of(1))

    with pytest.raises(ServiceError, match=str(status)):
        client.post("x", json=1)

    assert calls(server) == ["POST /api/x"]


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CUT])
@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_lost_answer_is_asked_for_again(
    server: HttpsServer, client: RestClient, method: str, fault: Fault
) -> None:
    """Methods that may be repeated are, wherever in the answer the connection broke."""
    lost = Response(b"[1, 2, 3]", fault=fault)
    server.answer = in_turn(lost, lost, Response.of([4]))

    assert getattr(client, method)("x") == [4]
    assert calls(server) == [f"{method.upper()} /api/x"] * 3


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CUT])
def test_a_lost_answer_to_a_post_is_an_error(
    server: HttpsServer, client: RestClient, fault: Fault
) -> None:
    """A POST whose answer was lost is not sent again."""
    server.answer = in_turn(Response(b"[1, 2, 3]", fault=fault), Response.of([4]))

    with pytest.raises(ServiceUnreachableError, match="POST https://localhost"):
        client.post("x")

    assert calls(server) == ["POST /api/x"]


def test_an_answer_that_always_breaks_off_is_an_error(
    server: HttpsServer, client: RestClient
) -> None:
    """Half an answer is never taken for one."""
    server.answer = in_turn(Response(b"[1, 2, 3]", fault=Fault.CUT))

    with pytest.raises(AnswerCutError, match="broke off"):
        client.get("x")

    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.STALLED])
@pytest.mark.parametrize(("method", "times"), [("get", 3), ("post", 1)])
def test_silence_has_an_end(
    server: HttpsServer, connect: Connect, fault: Fault, method: str, times: int
) -> None:
    """A server that says nothing, or stops in the middle, is given up after the time limit."""
    server.answer = in_turn(Response(b"[1, 2, 3]", fault=fault))

    with pytest.raises(ServiceUnreachableError, match="timed out"):
        getattr(connect(read_s=1), method)("x")

    assert calls(server) == [f"{method.upper()} /api/x"] * times


def test_a_slow_answer_is_waited_for(server: HttpsServer, client: RestClient) -> None:
    """Within the time limit the answer may take its time: nothing is sent twice."""
    blocked = threading.Event()

    def answer(_: Request) -> Response:
        blocked.wait(0.3)
        return Response.of(1)

    server.answer = answer

    assert client.get("x") == 1
    assert calls(server) == ["GET /api/x"]


def test_a_service_that_is_not_there_is_an_error(server: HttpsServer, client: RestClient) -> None:
    """A refused connection is an error of ours, and a builtin one for those who catch that."""
    server.close()

    with pytest.raises(ConnectionError) as caught:
        client.get("x")

    assert type(caught.value) is ServiceUnreachableError


def test_a_client_is_shared_by_threads(server: HttpsServer, client: RestClient) -> None:
    """Each thread gets the answer to its own question."""
    server.answer = lambda request: Response.of(request.segments[-1])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.get, range(64)))

    assert answers == [str(number) for number in range(64)]


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["connect_s", "read_s", "retries", "pause_s"])
def test_no_limit_is_no_limit(name: str, value: float) -> None:
    """Times are finite, and nothing is below 0."""
    wrong: dict[str, Any] = {name: value}

    with pytest.raises(SettingsError, match=name):
        Limits(**wrong)


def test_waiting_no_time_is_refused() -> None:
    """A time limit of 0 would end every call; no pause and no repetition are wishes."""
    with pytest.raises(SettingsError, match=r"read_s is 0\. Expected a finite number above 0"):
        Limits(read_s=0)
    assert Limits(retries=0, pause_s=0).retries == 0
