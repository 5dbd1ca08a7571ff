"""TLS to a real server: followed and pinned through, refused in words, never left off."""

import ssl

import pytest

from proxy.errors import StoreUnavailable
from proxy.store.redis_tls import Tls
from tests.contracts.places import change, new, operation, order, registered
from tests.listening import listening
from tests.redis_server import RedisServer, free_port
from tests.sentinel import Sentinel
from tests.store.story import until
from tests.vendor_tls import authority, openssl_is_there

pytestmark = pytest.mark.skipif(not openssl_is_there(), reason="openssl is not installed")


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("other-tls"))


@pytest.fixture(scope="module")
def certificate(ca):
    return ca.certificate("IP:127.0.0.1")


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificate):
    """A server that speaks TLS on one port and plain text on another."""
    server = TlsServer(tmp_path_factory.mktemp("redis"), certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start_tls(tmp_path):
    """Return a function that starts a server with a certificate, and options."""
    servers = []

    def start(certificate, *options):
        servers.append(TlsServer(tmp_path / f"tls-{len(servers)}", certificate, *options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


class TlsServer(RedisServer):
    def __init__(self, directory, certificate, *options):
        self.tls_port = free_port()
        files = ("--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1]))
        port = ("--tls-port", str(self.tls_port))
        clients = () if "--tls-ca-cert-file" in options else ("--tls-auth-clients", "no")
        super().__init__(directory, *port, *files, *clients, *options)

    def tls_url(self, ca, host="127.0.0.1", **files):
        more = "".join(f"&{name}={path}" for name, path in files.items())
        return f"rediss://{host}:{self.tls_port}?ssl_ca_certs={ca.ca_file}{more}"


async def why(store):
    """Return what is said where the store cannot be reached: to a command, and to a proxy."""
    with pytest.raises(StoreUnavailable) as command:
        await store.pins()
    with pytest.raises(StoreUnavailable) as proxy:
        await anext(store.watch(()))
    assert command.value.message == proxy.value.message
    return command.value.message


async def test_a_store_is_followed_and_pinned_through_tls(running, ca, connect):
    store = connect(running.tls_url(ca), namespace="followed")
    pins = store.watch(())
    await anext(pins)

    (info,) = await registered(store, "a")
    await store.swap(order(change(info)))

    assert (await until(pins, lambda seen: seen.epoch == 1)).pins["recommender", "prod"]
    await pins.aclose()


async def test_a_certificate_for_another_name_is_refused(running, ca, connect):
    assert await why(connect(running.tls_url(ca, host="localhost"))) == (
        "the certificate of the store's server is for another name"
    )


async def test_an_unknown_authority_is_refused(running, other_ca, connect):
    assert "a certificate that is not trusted" in await why(connect(running.tls_url(other_ca)))


async def test_the_systems_authorities_do_not_know_it_either(running, connect):
    store = connect(f"rediss://127.0.0.1:{running.tls_port}")

    assert "a certificate that is not trusted" in await why(store)


async def test_an_expired_certificate_is_refused(start_tls, ca, connect):
    server = start_tls(ca.expired("IP:127.0.0.1"))

    assert await why(connect(server.tls_url(ca))) == (
        "the certificate of the store's server has expired"
    )


async def test_a_server_that_speaks_plain_text_is_not_spoken_to_in_it(running, ca, connect):
    """It waits for the end of a line, so there is nothing but silence to be told."""
    url = running.tls_url(ca).replace(str(running.tls_port), str(running.port))

    with pytest.raises(StoreUnavailable):
        await connect(url, deadline_s=0.3).register(new("a"), operation())


async def test_a_server_that_answers_in_plain_text_is_told_apart(ca, connect):
    async def answer(reader, writer):
        await reader.read(100)
        writer.write(b"-ERR unknown command\r\n")
        await writer.drain()
        writer.close()

    async with listening(answer) as port:
        store = connect(f"rediss://127.0.0.1:{port}?ssl_ca_certs={ca.ca_file}")

        assert await why(store) == "the store's server does not speak TLS"


async def test_a_certificate_of_ours_is_shown_where_the_server_asks_for_one(
    start_tls, certificate, ca, connect
):
    server = start_tls(certificate, "--tls-ca-cert-file", str(ca.ca_file))
    ours = dict(zip(("ssl_certfile", "ssl_keyfile"), ca.certificate("DNS:web-1"), strict=True))

    assert await connect(server.tls_url(ca, **ours)).models() == []
    with pytest.raises(StoreUnavailable):  # the reason may be lost with the connection
        await connect(server.tls_url(ca)).models()


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile"])
async def test_a_file_that_cannot_be_used_is_told_apart_from_a_lost_server(
    running, tmp_path, connect, name
):
    missing, wrong = tmp_path / "missing.pem", tmp_path / "wrong.pem"
    wrong.write_text("no certificate")

    for file in (missing, wrong):
        store = connect(f"rediss://127.0.0.1:{running.tls_port}?{name}={file}")
        assert "a file for TLS" in await why(store)


async def test_an_authority_that_is_renewed_in_its_file_needs_no_restart(
    running, tmp_path, ca, other_ca, connect
):
    file = tmp_path / "ca.pem"
    file.write_bytes(other_ca.ca_file.read_bytes())
    store = connect(f"rediss://127.0.0.1:{running.tls_port}?ssl_ca_certs={file}")
    await why(store)

    renewed = tmp_path / "renewed.pem"
    renewed.write_bytes(ca.ca_file.read_bytes())
    renewed.rename(file)

    assert await store.models() == []


@pytest.fixture
def sentinel(running, certificate, ca, tmp_path):
    """A sentinel that speaks TLS, to those who ask and to the server that it watches."""
    port = free_port()
    guard = Sentinel(
        tmp_path / "sentinel",
        running.tls_port,
        1,
        f"tls-port {port}",
        f"tls-cert-file {certificate[0]}",
        f"tls-key-file {certificate[1]}",
        f"tls-ca-cert-file {ca.ca_file}",
        "tls-auth-clients no",
        "tls-replication yes",
    )
    guard.start()
    yield port
    guard.stop()


async def test_sentinels_and_the_server_behind_them_are_asked_over_tls(sentinel, ca, connect):
    store = connect(f"rediss+sentinel://127.0.0.1:{sentinel}/main?ssl_ca_certs={ca.ca_file}")

    assert await store.models() == []


async def test_a_sentinel_that_is_not_trusted_is_not_asked(sentinel, other_ca, connect):
    url = f"rediss+sentinel://127.0.0.1:{sentinel}/main?ssl_ca_certs={other_ca.ca_file}"

    assert "a certificate that is not trusted" in await why(connect(url))


async def test_certificates_and_names_are_checked():
    context = await Tls({}).context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_authorities_are_not_read_again_for_each_connection():
    tls = Tls({})

    assert await tls.context() is await tls.context()
