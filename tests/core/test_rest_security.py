import logging
import pickle
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from urllib3.exceptions import InsecureRequestWarning

from hops.core import AuthenticationError, ServiceError, ServiceUnreachableError, SettingsError
from hops.core.rest import ApiKey, Limits, RestClient, TokenFile, Trust, find_credential
from hops.core.testing import Authority, HttpsServer, Request, Response, in_turn

Connect = Callable[..., RestClient]

SECRET = "prefix.secret"
ONCE = Limits(connect_s=30, read_s=30, retries=2, pause_s=0)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return a token file as a cluster writes it."""
    path = tmp_path / "mounted" / "token.jwt"
    path.parent.mkdir()
    path.write_text("old.jwt\n")
    return path


def credentials(server: HttpsServer) -> list[str]:
    """Return what each request gave as its credential."""
    return [each.headers["authorization"] for each in server.requests]


def visit(server: HttpsServer, verify: Trust) -> object:
    """Call *server* once, trusting *verify*."""
    with RestClient(server.url, ApiKey(SECRET), verify=verify, limits=ONCE) as client:
        return client.get("x")


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_renewed_token_is_used(
    server: HttpsServer, connect: Connect, token: Path, method: str
) -> None:
    """After 401, the token that the cluster has written since is sent, and from then on."""

    def answer(request: Request) -> Response:
        token.write_text("new.jwt\n")
        accepted = request.headers["authorization"] == "Bearer new.jwt"
        return Response.of(1) if accepted else Response.of({"errorCode": 200003}, 401)

    server.answer = answer
    client = connect(TokenFile(token))

    assert getattr(client, method)("x") == 1
    assert getattr(client, method)("x") == 1
    assert credentials(server) == ["Bearer old.jwt", "Bearer new.jwt", "Bearer new.jwt"]


def test_the_body_comes_with_the_renewed_token(
    server: HttpsServer, connect: Connect, token: Path
) -> None:
    """The second attempt is the whole call once more."""

    def answer(_: Request) -> Response:
        token.write_text("new.jwt\n")
        return Response(status=401) if len(server.requests) == 1 else Response()

    server.answer = answer
    connect(TokenFile(token)).put("x", query={"a": 1}, json={"b": 2})

    first, second = server.requests
    assert (first.method, first.target, first.json()) == ("PUT", "/api/x?a=1", {"b": 2})
    assert (second.method, second.target, second.body) == (first.method, first.target, first.body)


def test_the_file_is_read_once_more_and_no_oftener(
    server: HttpsServer, connect: Connect, token: Path
) -> None:
    """A token that is refused after it was renewed is an error, whatever is in the file then."""

    def answer(_: Request) -> Response:
        token.write_text(f"{len(server.requests)}.jwt\n")
        return Response(status=401)

    server.answer = answer

    with pytest.raises(AuthenticationError):
        connect(TokenFile(token)).get("x")

    assert credentials(server) == ["Bearer old.jwt", "Bearer 1.jwt"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_sent_once(
    server: HttpsServer, client: RestClient, status: int
) -> None:
    """What stays the same is not sent again."""
    server.answer = in_turn(Response(status=status))

    with pytest.raises(PermissionError) as caught:
        client.get("x")

    assert type(caught.value) is AuthenticationError
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"a b", b"a\nb", b"\xff", "ü".encode()])
def test_a_token_that_is_none_is_not_sent(
    server: HttpsServer, connect: Connect, token: Path, content: bytes
) -> None:
    """A file without a token is an error that names the file and not what is in it."""
    token.write_bytes(content)

    with pytest.raises(AuthenticationError, match=r"token\.jwt"):
        connect(TokenFile(token)).get("x")

    assert server.requests == []


def test_a_missing_token_is_an_error(connect: Connect, tmp_path: Path) -> None:
    """So is a file that is not there."""
    with pytest.raises(AuthenticationError, match="cannot be read: No such file"):
        connect(TokenFile(tmp_path / "none")).get("x")


@pytest.mark.parametrize("key", ["", " \n", "sec ret", "sec\nret", "sec\x00ret", "secretü"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """Before it is sent, and without being shown."""
    with pytest.raises(SettingsError) as caught:
        ApiKey(key)

    assert "sec" not in str(caught.value)


def test_the_directory_of_secrets_has_a_token_or_a_key(token: Path) -> None:
    """The token goes before the key, whose line may have an end; without both there is an error."""
    key = token.with_name("api.key")
    key.write_text(f"{SECRET}\n")

    assert find_credential(token.parent).authorization() == "Bearer old.jwt"
    token.unlink()
    assert find_credential(token.parent).authorization() == f"ApiKey {SECRET}"
    key.unlink()
    with pytest.raises(SettingsError, match=r"neither 'token\.jwt' nor"):
        find_credential(token.parent)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_redirect_is_not_followed(
    server: HttpsServer, client: RestClient, trusted: Authority, status: int, method: str
) -> None:
    """Another host sees neither the credential nor the call; the error says where it led."""
    with HttpsServer(lambda _: Response(), authority=trusted, host="127.0.0.1") as other:
        server.answer = in_turn(Response(status=status, headers={"Location": f"{other.url}/y"}))
        with pytest.raises(ServiceError, match=f"redirect to '{other.url}/y'"):
            getattr(client, method)("x")

    assert other.requests == []
    assert len(server.requests) == 1


def test_a_password_file_of_the_user_is_not_sent(
    server: HttpsServer, client: RestClient, home: Path
) -> None:
    """A netrc file with an entry for the host does not replace the credential."""
    home.mkdir()
    home.joinpath(".netrc").write_text("machine localhost login ada password other\n")
    server.answer = in_turn(Response())

    client.get("x")

    assert credentials(server) == [f"ApiKey {SECRET}"]


def test_the_proxy_of_the_environment_is_used(
    server: HttpsServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the environment makes an exception; a password of the proxy is not shown."""
    with HttpsServer(lambda _: Response(), authority=server.authority) as closed:
        pass
    monkeypatch.setenv("HTTPS_PROXY", closed.url.replace("https://", "http://ada:hidden@"))
    with pytest.raises(ServiceUnreachableError, match="proxy") as caught:
        connect().get("x")
    monkeypatch.setenv("NO_PROXY", "localhost")
    connect().get("x")

    assert "hidden" not in str(caught.value)
    assert len(server.requests) == 1


def test_who_is_not_trusted_gets_nothing(server: HttpsServer) -> None:
    """A certificate of an authority that the system does not know ends the call before it began."""
    with pytest.raises(ServiceUnreachableError, match="cannot be trusted") as caught:
        visit(server, None)

    assert "Hint: name the authority" in str(caught.value)
    assert server.requests == []


def test_only_the_given_authority_is_trusted(server: HttpsServer, tmp_path: Path) -> None:
    """A PEM file is trusted in place of the system's authorities, and of those of requests."""
    file = tmp_path / "authority.pem"
    file.write_text(server.authority.pem)
    context = ssl.create_default_context(cafile=file)

    assert visit(server, file) is None
    assert visit(server, str(file)) is None
    assert visit(server, context) is None
    assert len(context.get_ca_certs()) == 1


def test_another_authority_is_not_trusted(server: HttpsServer) -> None:
    """Neither is one of the same name."""
    with pytest.raises(ServiceUnreachableError, match="cannot be trusted"):
        visit(server, Authority().client_context())


def test_the_environment_cannot_make_trust(
    server: HttpsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `REQUESTS_CA_BUNDLE` names is not added to what the caller trusts."""
    file = tmp_path / "authority.pem"
    file.write_text(server.authority.pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))

    with pytest.raises(ServiceUnreachableError, match="cannot be trusted"):
        visit(server, Authority().client_context())


@pytest.mark.parametrize(("host", "days"), [("elsewhere.example", 30), ("localhost", -1)])
def test_a_wrong_certificate_is_refused(trusted: Authority, host: str, days: int) -> None:
    """One for another host, and one that has expired, although the authority is trusted."""
    with HttpsServer(lambda _: Response(), authority=trusted, host=host, days=days) as server:
        server.url = server.url.replace(host, "localhost")
        with pytest.raises(ServiceUnreachableError, match="certificate"):
            visit(server, trusted.client_context())

    assert server.requests == []


def test_a_context_says_what_is_not_verified(trusted: Authority) -> None:
    """Who says so in so many words may leave out the name, or, with a warning, everything."""
    nameless = trusted.client_context()
    nameless.check_hostname = False
    anything = ssl.create_default_context()
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    with HttpsServer(lambda _: Response(), authority=trusted, host="other.example") as server:
        server.url = server.url.replace("other.example", "localhost")
        visit(server, nameless)
        with pytest.warns(InsecureRequestWarning):
            visit(server, anything)
        with pytest.raises(ServiceUnreachableError):
            visit(server, trusted.client_context())

    assert len(server.requests) == 2


@pytest.mark.parametrize("verify", [True, False])
def test_a_truth_value_is_no_trust(verify: bool) -> None:  # noqa: FBT001 - what is refused
    """`verify=False` is too short a word for that."""
    with pytest.raises(SettingsError, match=f"verify is {verify}"):
        RestClient("https://localhost", ApiKey(SECRET), verify=verify)  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_trust_file_has_to_hold_authorities(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing or empty is an error at once, and not a refusal later."""
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=r"authority\.pem"):
        RestClient("https://localhost", ApiKey(SECRET), verify=file)


def test_nothing_is_sent_in_clear_to_another_machine() -> None:
    """Without TLS only this machine is talked to."""
    with pytest.raises(SettingsError, match="in clear"):
        RestClient("http://hopsworks.example.org", ApiKey(SECRET))
    RestClient("http://127.0.0.1:1", ApiKey(SECRET)).close()


def test_a_token_that_is_being_renewed_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster empties the file before it writes the new one."""
    file = tmp_path / "token.jwt"
    file.touch()
    monkeypatch.setattr("time.sleep", lambda _: file.write_text("new.token.here"))

    assert TokenFile(file).authorization() == "Bearer new.token.here"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "ftp://localhost",
        "https://",
        "https://localhost:x",
        "https://localhost?a=b",
        "https://localhost#a",
        "https://local host",
        "https://localhost\\@other",
        "https://localhost/%2e",
        "https://[::1",
        f"https://ada:{SECRET}@localhost",
    ],
)
def test_a_base_url_is_no_more_than_that(url: str) -> None:
    """What could lead somewhere else is refused, and a password in it is not shown."""
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        RestClient(url, ApiKey(SECRET))

    assert SECRET not in str(caught.value)


def test_secrets_are_never_shown(
    server: HttpsServer,
    connect: Connect,
    token: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in reprs, in errors (also where the server repeats them), in logs or in the output."""
    caplog.set_level(logging.DEBUG)
    server.answer = lambda request: Response(request.headers["authorization"].encode(), 400)
    said = []
    for credential in (ApiKey(SECRET), TokenFile(token)):
        client = connect(credential)
        with pytest.raises(ServiceError) as caught:
            client.get("x")
        said += [repr(credential), repr(client), repr(caught.value), str(caught.value)]
        said.append(repr(pickle.loads(pickle.dumps(caught.value)).__dict__))
    text = "\n".join([*said, caplog.text, *capfd.readouterr()])

    assert len(server.requests) == 2
    assert "GET /api/x" in caplog.text  # urllib3 does log
    assert "***" in text
    assert SECRET not in text
    assert "old.jwt" not in text
