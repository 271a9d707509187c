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


# --- three servers, a Sentinel beside each, all of it by TLS ---

@pytest.fixture
def watched(net, workdir, things, run_daemon):
    """.servers[0] is the master, [1] its replica; two of the three Sentinels must agree."""
    authority = Authority(workdir)
    hosts = ("10.0.0.21", "10.0.0.22", "10.0.0.23")
    issued = authority.issue("server", ",".join(f"IP:{host}" for host in hosts))
    lines = ["tls-replication yes", *tls_lines(authority, issued)]
    cluster = Cluster(net, workdir, things, run_daemon, stores=3, more=lines)
    first, second, _ = cluster.servers
    second.start()
    second.ask("REPLICAOF", first.address, TLS_PORT)
    until(lambda: b"master_link_status:up" in second.ask("INFO", "replication"), "a replica")
    cluster.sentinels = []
    for i, store in enumerate(cluster.place.stores):
        sentinel = Redis(store.host, store.address, workdir, f"sentinel{i + 1}", 26379,
                         sentinel=True, more=[
                             "tls-replication yes",
                             *tls_lines(authority, issued, port=SENTINEL_PORT),
                             f"sentinel monitor agents {first.address} {TLS_PORT} 2",
                             f'sentinel auth-pass agents "{PASSWORD}"',
                             "sentinel down-after-milliseconds agents 500",
                             "sentinel failover-timeout agents 2000"])
        things.append(sentinel)
        cluster.sentinels.append(sentinel.start())

    def knows(sentinel):
        told = sentinel.ask("SENTINEL", "MASTER", "agents")
        told = dict(zip(told[::2], told[1::2]))
        return told[b"num-slaves"] == b"1" and told[b"num-other-sentinels"] == b"2"

    for sentinel in cluster.sentinels:
        until(lambda: knows(sentinel), f"{sentinel.label} knows the replica and the others")
    cluster.pair(**by_tls(authority, sentinel_master="agents",
                          servers=[f"{host}:{SENTINEL_PORT}" for host in hosts]))
    return cluster


def separate(host, *addresses):
    """Nothing from there or to there, and nobody is told."""
    host.nft("".join(f"""
        table ip separate {{
            chain {hook} {{
                type filter hook {hook} priority 0;
                ip {field} {{ {", ".join(addresses)} }} drop
            }}
        }}""" for hook, field in (("input", "saddr"), ("output", "daddr"))) + "\n")


def unite(host):
    host.nft("delete table ip separate\n")


def wait_for_server(daemon, server):
    until(lambda: own(daemon)["server"] == f"{server.address}:{TLS_PORT}",
          f"{daemon.name} is with the new master:\n{daemon.log()}", 60)
    wait_following(daemon)


def test_a_master_that_sentinels_replace_by_tls_is_told_what_it_lacks(watched, peer):
    """The replica is cut off before the last change: it becomes the master without it."""
    active, standby = watched.daemons.values()
    first, second, _ = watched.servers
    node = node_of(watched, peer)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    separate(second.host, first.address)
    node.register(lifetime=500)
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "it is shared")
    before = second.ask("GET", "home-agent:ihad:sequence")
    first.kill()
    unite(second.host)
    node.register(lifetime=400)                         # served meanwhile
    for daemon in (active, standby):
        wait_for_server(daemon, second)
    assert any(e["reason"] == "other-server" for e in active.events("cluster-scan"))
    assert before == b"1" and int(second.ask("GET", "home-agent:ihad:sequence")) > 1
    until(lambda: standby.binding(node.home)["lifetime"] == 400, "changes go by the new master")
    node.deregister()
    until(lambda: not standby.bindings(), "and on")


def test_a_master_on_the_wrong_side_of_a_partition_loses_nothing(watched, peer):
    """The old master stays with the active host, the Sentinels' majority with the standby."""
    active, standby = watched.daemons.values()
    first, second, third = watched.servers
    node = node_of(watched, peer)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    separate(first.host, second.address, third.address, watched.place.agents[1].address)
    wait_for_server(standby, second)
    node.register(lifetime=500)                         # the old master takes it
    until(lambda: own(active)["queued"] == 0 and own(active)["state"] == "following", "it is shared")
    assert own(active)["server"] == f"{first.address}:{TLS_PORT}"
    assert standby.binding(node.home)["lifetime"] == 600
    unite(first.host)
    until(lambda: b"role:slave" in first.ask("INFO", "replication"), "the old one is a replica", 60)
    wait_for_server(active, second)
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "what it took is not lost", 60)
