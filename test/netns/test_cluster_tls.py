# SPDX-License-Identifier: BSD-2-Clause
"""The shared state by TLS: a real redis-server with a TLS port, certificates from openssl(1)."""

import os
import re
import shutil

import pytest

from fixtures.certificates import Authority
from fixtures.cluster import PASSWORD, Cluster, Redis, own, wait_binding, wait_following
from fixtures.wait import until

TLS_PORT, SENTINEL_PORT = 6380, 26380
STORE = "10.0.0.21"

pytestmark = pytest.mark.once


def tls_lines(authority, issued, port=TLS_PORT, clients="no"):
    """Of redis.conf."""
    return [f"tls-port {port}", f"tls-cert-file {issued.certificate}",
            f"tls-key-file {issued.key}", f"tls-ca-cert-file {authority.file}",
            f"tls-auth-clients {clients}"]


@pytest.fixture
def authority(workdir):
    return Authority(workdir)


@pytest.fixture
def serve(net, workdir, things, run_daemon, authority):
    """serve(issued): a cluster whose server has that certificate."""
    def cluster(issued, **options):
        return Cluster(net, workdir, things, run_daemon,
                       more=tls_lines(authority, issued, **options))
    return cluster


@pytest.fixture
def cluster(serve, authority):
    return serve(authority.issue("server", f"IP:{STORE}"))


def by_tls(authority, port=TLS_PORT, **more):
    """Of state.replication."""
    return {"servers": [f"{STORE}:{port}"], "tls": True, "tls_ca_file": authority.file} | more


def node_of(cluster, peer):
    place = cluster.place
    return peer(place.desk, place.desk_address, place.home, place.agent)


def assert_refused(cluster, peer, words, **replication):
    """The server is not talked to, the log says why, and the home agent serves on by itself."""
    active = cluster.start(0, role="active", **replication)
    cluster.move_address(0)
    error = active.wait_event("cluster-away")[0]["error"]
    assert re.search(words, error), error
    node_of(cluster, peer).register()
    assert own(active)["state"] == "away" and not active.events("cluster-reached")
    assert cluster.server.ask("KEYS", "*") == []        # not a word of ours has come
    return active


def test_registrations_are_shared_by_tls(cluster, authority, peer):
    active, standby = cluster.pair(**by_tls(authority))
    node = node_of(cluster, peer)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    assert own(standby)["server"] == f"{STORE}:{TLS_PORT}"
    cluster.server.kill()
    node.deregister()
    active.wait_event("cluster-away")
    cluster.server.start()
    until(lambda: not standby.bindings(), "what had to wait is shared")
    assert len(active.events("cluster-reached")) == 2


def test_an_answer_waits_for_the_server_by_tls(cluster, authority, peer):
    cluster.pair(durability="confirmed", **by_tls(authority))
    node = node_of(cluster, peer)
    for i in range(1, 21):
        node.register(lifetime=600)
        assert int(cluster.server.ask("GET", "home-agent:ihad:sequence")) >= i


def test_a_server_that_hangs_is_away_by_tls_too(cluster, authority, peer):
    active, standby = cluster.pair(**by_tls(authority))
    node = node_of(cluster, peer)
    cluster.server.hang()
    node.register(lifetime=600)
    assert "no answer in time" in active.wait_event("cluster-away")[0]["error"]
    until(lambda: "no TLS handshake in time" in active.events("cluster-away")[-1]["error"] or
          "no TLS handshake in time" in own(active)["error"], "the next attempt hangs, too")
    cluster.server.go_on()
    wait_binding(standby, node.home, node.care_of)


def test_a_server_of_another_authority_is_refused(cluster, workdir, peer):
    other = Authority(workdir, "other")
    assert_refused(cluster, peer, "certificate verify failed: self-signed certificate in certificate chain",
                   **by_tls(other))


def test_a_server_that_trusts_itself_is_refused(serve, authority, workdir, peer):
    itself = Authority(workdir, "itself")
    itself.certificate, itself.key = itself.file, itself.file.replace(".pem", ".key")
    assert_refused(serve(itself), peer, "certificate verify failed: self-signed certificate",
                   **by_tls(authority))


@pytest.mark.parametrize("names, more", [
    ("IP:10.0.0.99,DNS:store1.corp.example", {}),
    (f"IP:{STORE},DNS:store2.corp.example", {"tls_name": "store1.corp.example"}),
    (f"IP:{STORE}", {"tls_name": "10.0.0.99"}),
    (f"DNS:{STORE}", {}),                               # a name that looks like it
], ids=["address", "name", "another-address", "no-address"])
def test_a_certificate_for_another_name_is_refused(serve, authority, peer, names, more):
    wanted = more.get("tls_name", STORE)
    assert_refused(serve(authority.issue("server", names)), peer,
                   f"the server's certificate is for another name than {wanted}",
                   **by_tls(authority, **more))


@pytest.mark.parametrize("wanted", ["store1.corp.example", "10.0.0.99"])
def test_the_name_that_the_site_gives_is_enough(serve, authority, wanted):
    names = "DNS:store1.corp.example,IP:10.0.0.99"
    serve(authority.issue("server", names)).pair(**by_tls(authority, tls_name=wanted))


def test_an_expired_certificate_is_refused(serve, authority, peer):
    assert_refused(serve(authority.issue("server", f"IP:{STORE}", days=-1)), peer,
                   "certificate verify failed: certificate has expired", **by_tls(authority))


def test_a_server_without_tls_is_refused(cluster, authority, peer):
    """It waits for the end of a command that never ends, or says that it knows no such command."""
    active = assert_refused(cluster, peer, "speak TLS", **by_tls(authority, port=6379))
    assert PASSWORD not in active.log()


def test_who_does_not_speak_tls_is_sent_away_by_a_server_that_does(cluster, peer):
    assert_refused(cluster, peer, "the server closed the connection|Connection reset",
                   servers=[f"{STORE}:{TLS_PORT}"])


def test_a_server_that_asks_for_our_certificate_gets_it(serve, authority):
    ours = authority.issue("ha", "DNS:ha1.corp.example")
    cluster = serve(authority.issue("server", f"IP:{STORE}"), clients="yes")
    cluster.pair(**by_tls(authority, tls_certificate=ours.certificate, tls_key_file=ours.key))


def test_a_server_that_asks_for_a_certificate_that_we_have_not_says_so(serve, authority, peer):
    cluster = serve(authority.issue("server", f"IP:{STORE}"), clients="yes")
    assert_refused(cluster, peer, "certificate required", **by_tls(authority))


def test_a_file_that_is_renewed_is_used_by_the_next_connection(cluster, authority, workdir):
    ours = os.path.join(workdir, "ours.pem")
    shutil.copy(Authority(workdir, "other").file, ours)
    active = cluster.start(0, role="active", **by_tls(authority, tls_ca_file=ours))
    active.wait_event("cluster-away")
    shutil.copy(authority.file, ours)
    wait_following(active)
    with open(ours, "w", encoding="ascii") as f:
        f.write("spoilt\n")
    cluster.server.kill()
    active.wait_event("cluster-away", 2)
    cluster.server.start()
    until(lambda: ours in own(active)["error"], "which file it is")
    shutil.copy(authority.file, ours)
    wait_following(active)


def test_sentinels_are_asked_by_tls(cluster, authority, workdir, things):
    store = cluster.place.stores[0]
    issued = authority.issue("sentinel", f"IP:{STORE}")
    sentinel = Redis(store.host, STORE, workdir, "sentinel", 26379, sentinel=True, more=[
        *tls_lines(authority, issued, port=SENTINEL_PORT), "tls-replication yes",
        f"sentinel monitor agents {STORE} {TLS_PORT} 1",
        f'sentinel auth-pass agents "{PASSWORD}"'])
    things.append(sentinel)
    sentinel.start()
    active, _ = cluster.pair(**by_tls(authority, port=SENTINEL_PORT, sentinel_master="agents"))
    assert own(active)["server"] == f"{STORE}:{TLS_PORT}"
