import os
import re
from pathlib import Path

import pytest

from hops.core import ServiceError, SettingsError
from hops.core.rest import RestClient, upload
from hops.core.testing import Fault, HttpsServer, Request, Response, in_turn


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a piece have ten bytes."""
    monkeypatch.setattr(upload, "PIECE_BYTES", 10)


def fields(request: Request) -> dict[str, str]:
    """Return the parts of a form; that of the file has the file's name before its content."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    found = {}
    for part in request.body.split(f"--{boundary}".encode())[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        [name, *file] = re.findall(r'name="([^"]*)"', head.decode())
        found[name] = "|".join([*file, content.decode()])
    return found


@pytest.mark.usefixtures("pieces")
def test_a_file_is_sent_in_pieces(server: HttpsServer, client: RestClient, tmp_path: Path) -> None:
    """Each has its number, and all the identity of the file; progress is told."""
    file = tmp_path / "a.csv"
    file.write_text("0123456789abcdefghijKLM")
    told: list[tuple[int, int | None]] = []

    client.upload("dataset", "upload", "Logs/x", file=file, progress=lambda *now: told.append(now))

    forms = [fields(request) for request in server.requests]
    assert {request.target for request in server.requests} == {"/api/dataset/upload/Logs%2Fx"}
    assert {request.method for request in server.requests} == {"POST"}
    assert [form["file"] for form in forms] == [
        "a.csv|0123456789",
        "a.csv|abcdefghij",
        "a.csv|KLM",
    ]
    assert [form["flowChunkNumber"] for form in forms] == ["1", "2", "3"]
    assert [form["flowCurrentChunkSize"] for form in forms] == ["10", "10", "3"]
    assert len({form["flowIdentifier"] for form in forms}) == 1
    for form in forms:
        assert form["flowTotalSize"] == "23"
        assert form["flowTotalChunks"] == "3"
        assert form["flowChunkSize"] == "10"
        assert form["flowFilename"] == form["flowRelativePath"] == "a.csv"
        assert form["templateId"] == "-1"
    assert told == [(10, 23), (20, 23), (23, 23)]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize(
    "trouble", [Response(fault=Fault.DROPPED), Response(status=503)], ids=["dropped", "busy"]
)
def test_a_lost_piece_is_sent_again(
    server: HttpsServer, client: RestClient, tmp_path: Path, trouble: Response
) -> None:
    """It alone: those before it have arrived."""
    file = tmp_path / "a"
    file.write_bytes(b"x" * 25)
    server.answer = in_turn(Response(), trouble, Response())

    client.upload("u", file=file, name="b")

    forms = [fields(request) for request in server.requests]
    assert [form["flowChunkNumber"] for form in forms] == ["1", "2", "2", "3"]
    assert {form["flowFilename"] for form in forms} == {"b"}


def test_a_refused_piece_ends_the_upload(
    server: HttpsServer, client: RestClient, tmp_path: Path
) -> None:
    """With the error of the service."""
    file = tmp_path / "a"
    file.write_bytes(b"x")
    server.answer = in_turn(Response.of({"errorCode": 110055, "errorMsg": "Quota."}, 400))

    with pytest.raises(ServiceError, match="110055: Quota"):
        client.upload("u", file=file)

    assert len(server.requests) == 1


def test_an_empty_file_is_one_piece(
    server: HttpsServer, client: RestClient, tmp_path: Path
) -> None:
    """So that it is there afterwards."""
    file = tmp_path / "a"
    file.touch()

    client.upload("u", file=file)

    [form] = [fields(request) for request in server.requests]
    assert (form["file"], form["flowTotalSize"], form["flowTotalChunks"]) == ("a|", "0", "1")


@pytest.mark.usefixtures("pieces")
def test_pieces_grow_with_the_file(
    server: HttpsServer, client: RestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service takes so many pieces and no more."""
    monkeypatch.setattr(upload, "MOST_PIECES", 2)
    file = tmp_path / "a"
    file.write_bytes(b"x" * 33)

    client.upload("u", file=file)

    assert [fields(each)["flowCurrentChunkSize"] for each in server.requests] == ["17", "16"]


def test_a_file_that_shrinks_is_an_error(
    client: RestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is over there then is not taken for the file."""
    monkeypatch.setattr(upload, "PIECE_BYTES", 1 << 16)
    file = tmp_path / "a"
    file.write_bytes(b"x" * (1 << 18))

    with pytest.raises(SettingsError, match="became shorter"):
        client.upload("u", file=file, progress=lambda *_: os.truncate(file, 12))
