# SPDX-License-Identifier: BSD-2-Clause
"""Several home agents, one service: state shared over a real redis-server, and hot standby."""

import json
import os
import shutil

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.cluster import (PASSWORD, Cluster, Process, Redis, own, show, wait_answers, wait_binding,
                              wait_following)
from fixtures.namespaces import run
from fixtures.wait import until

pytestmark = pytest.mark.once


@pytest.fixture
def cluster(net, workdir, things, run_daemon):
    return Cluster(net, workdir, things, run_daemon)


@pytest.fixture
def node(cluster, peer):
    place = cluster.place
    return peer(place.desk, place.desk_address, place.home, place.agent)


# --- following ---

def test_a_standby_follows_every_registration(cluster, node):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    ours, theirs, later = (d.binding(node.home) for d in (active, standby, active))
    assert ours.pop("remaining") + 1 >= theirs.pop("remaining") >= later["remaining"] - 1
    assert ours == theirs
    node.deregister()
    until(lambda: not standby.bindings(), "the standby knows that it left")


def test_a_standby_answers_nobody(cluster, node):
    standby = cluster.start(0)
    cluster.move_address(0)
    node.send(node.build())
    standby.wait_counter("requests-dropped-standby", 1)
    assert node.heard_nothing()


def test_after_a_fail_over_the_node_keeps_its_binding_and_its_traffic(cluster, node, correspondent):
    place = cluster.place
    active, standby = cluster.pair()
    server = correspondent(place.server, place.server_address)
    node.listen_ipip()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    active.kill()
    cluster.fail_over(1)
    server.send(b"still here", (place.home, 7000))
    assert node.receive_ipip()[1].data == b"still here"
    node.send_ipip(mip.udp_packet(place.home, 7000, place.server_address, 7000, b"and back"))
    assert server.receive()[0] == b"and back"
    node.register()


@pytest.mark.parametrize("durability", ["async", "confirmed"])
def test_no_replay_is_accepted_after_a_fail_over(cluster, node, durability):
    active, standby = cluster.pair(durability=durability)
    requests = []
    for _ in range(3):
        requests.append(node.build())
        node.send(requests[-1])
        assert node.reply(requests[-1]).code == 0
    active.kill()
    cluster.fail_over(1)
    for request in requests:
        node.send(request)
        assert node.reply(request).code == 133
    node.register()


def test_a_request_that_was_never_shared_is_a_replay_after_a_fail_over(cluster, node):
    active, standby = cluster.pair()
    cluster.server.hang()
    request = node.build()
    node.send(request)
    assert node.reply(request).code == 0
    active.kill()
    cluster.fail_over(1)
    node.send(request)
    assert node.reply(request).code == 133
    assert not standby.bindings()
    node.register()
    cluster.server.go_on()


def test_a_host_that_joins_learns_what_there_is(cluster, node):
    active = cluster.start(0, role="active")
    cluster.move_address(0)
    wait_following(active)
    node.register(lifetime=600)
    until(lambda: own(active)["queued"] == 0 and own(active)["lag-entries"] == 0, "it is shared")
    standby = cluster.start(1)
    wait_binding(standby, node.home, node.care_of)
    assert standby.events("cluster-scan")[0]["reason"] == "other-data"


def test_a_host_that_comes_back_reads_on_where_it_was(cluster, node):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    wait_following(standby)
    scans = len(standby.events("cluster-scan"))
    standby.stop()
    node.deregister()
    standby.start()
    until(lambda: not standby.bindings(), "it has read on")
    assert len(standby.events("cluster-scan")) == scans     # all of them the first life's


def test_a_host_that_fell_too_far_behind_compares_everything(cluster, node):
    active, standby = cluster.pair()
    standby.stop()
    node.register(lifetime=600)
    until(lambda: own(active)["queued"] == 0, "it is shared")
    cluster.server.ask("XTRIM", "home-agent:ihad:stream", "MAXLEN", "0")
    standby.start()
    wait_binding(standby, node.home, node.care_of)
    assert standby.wait_event("cluster-scan", 2)[-1]["reason"] == "entries-gone"


def test_a_binding_that_expires_is_each_hosts_own_business(cluster, node):
    active, standby = cluster.pair()
    node.register(lifetime=2)
    wait_binding(standby, node.home, node.care_of)
    until(lambda: not standby.bindings() and not active.bindings(), "both have ended it")
    until(lambda: own(standby)["lag-entries"] == 0, "nothing is left to read")
    assert cluster.server.ask("GET", "home-agent:ihad:sequence") == b"1"


def test_what_an_operator_clears_is_cleared_everywhere_but_not_by_a_standby(cluster, node):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    refused = standby.hactl("clear", "binding", node.home, check=False)
    assert refused.returncode == 1 and "stands by" in refused.stderr
    active.hactl("clear", "binding", node.home)
    until(lambda: not standby.bindings(), "it is cleared there, too")


def test_a_node_that_a_reload_brings_is_known_as_the_others_know_it(cluster, node):
    confs = [cluster.conf(i, role="active" if i == 0 else "standby") for i in (0, 1)]
    known, confs[1]["mobile-nodes"] = confs[1]["mobile-nodes"], confs[1]["mobile-nodes"][1:]
    cluster.move_address(0)
    active, standby = (cluster.start(i, conf) for i, conf in enumerate(confs))
    for daemon in (active, standby):
        wait_following(daemon)
    node.register(lifetime=600)
    until(lambda: own(standby)["lag-entries"] == 0, "it has read of a node that is none of its own")
    assert not standby.bindings()
    standby.conf["mobile-nodes"] = known
    standby.write_config(standby.conf)
    standby.reload()
    wait_binding(standby, node.home, node.care_of)
    assert standby.wait_event("cluster-scan", 2)[-1]["reason"] == "nodes-changed"
    active.conf["mobile-nodes"] = known[1:]             # and one that goes, goes here
    active.write_config(active.conf)
    active.reload()
    assert not active.bindings()
    node.send(node.build())
    wait_following(active)


def test_a_binding_under_a_key_that_only_the_other_host_has_is_told_and_taken_with_the_key(cluster, node):
    confs = [cluster.conf(i, role="active" if i == 0 else "standby") for i in (0, 1)]
    ours = confs[1]["mobile-nodes"][0]
    spi, ours["spi"] = ours["spi"], ours["spi"] + 1000
    cluster.move_address(0)
    active, standby = (cluster.start(i, conf) for i, conf in enumerate(confs))
    for daemon in (active, standby):
        wait_following(daemon)
    node.register(lifetime=600)
    told = standby.wait_event("cluster-differs")[0]
    assert (told["home-address"], told["reason"]) == (node.home, "key-or-source")
    assert not standby.bindings() and active.bindings()
    ours["spi"] = spi
    standby.write_config(standby.conf)
    standby.reload()
    wait_binding(standby, node.home, node.care_of)


def test_show_cluster_has_all_hosts(cluster):
    active, standby = cluster.pair()
    until(lambda: set(show(active)) == set(show(standby)) == {"ha1", "ha2"}, "they know each other")
    rows = show(standby)
    assert rows["ha1"]["role"] == "active" and rows["ha1"]["state"] == "heard"
    assert rows["ha2"]["role"] == "standby" and rows["ha2"]["state"] == "following"
    active.kill()
    until(lambda: show(standby)["ha1"]["state"] == "silent", "its silence is seen")


def test_how_far_a_host_is_behind_it_says_itself_while_it_is_heard(cluster, node):
    active = cluster.start(0, role="active")
    cluster.move_address(0)
    wait_following(active)
    for _ in range(4):
        node.register()
    until(lambda: own(active)["queued"] == 0 and own(active)["lag-entries"] == 0, "it is shared")
    newest = int(cluster.server.ask("GET", "home-agent:ihad:sequence"))
    for name, lag in (("even", " 0"), ("behind", " 2"), ("older-version", "")):
        cluster.server.ask("HSET", "home-agent:ihad:hosts", name,
                           f"1 standby 0123456789abcdef 1 0 1700000000000 5{lag}")
    until(lambda: len(show(active)) == 4, "they are seen")
    rows = show(active)
    assert {rows[name]["state"] for name in ("even", "behind", "older-version")} == {"heard"}
    assert [rows[name]["lag-entries"] for name in ("even", "behind", "older-version")] == \
        [0, 2, newest - 1]
    assert [rows[name]["lag-ms"] for name in ("even", "behind", "older-version")] == [0, 5, 5]
    until(lambda: show(active)["even"]["state"] == "silent", "its silence is seen")
    assert show(active)["even"]["lag-entries"] == newest - 1


def test_what_is_no_host_is_not_taken_for_one(cluster):
    active, _ = cluster.pair()
    good, numbers = "1 standby 0123456789abcdef", "1 0 1700000000000 5 0"
    for name, said in (("e\nv", f"{good} {numbers}"), ("n" * 65, f"{good} {numbers}"),
                       (b"nul\0", f"{good} {numbers}"), ("", f"{good} {numbers}"),
                       ("too-large", f"{good} 99999999999999999999 0 1700000000000 5 0"),
                       ("negative", f"{good} -1 0 1700000000000 5 0"),
                       ("no-number", f"{good} 1 0 1700000000000 5x 0"),
                       ("long-instance", f"{good}0 {numbers}"),
                       ("too-few", f"{good} 1 0 1700000000000"), ("last-one", f"{good} {numbers}")):
        cluster.server.ask("HSET", "home-agent:ihad:hosts", name, said)
    until(lambda: "last-one" in show(active), "the one that is good is seen")
    assert set(show(active)) == {"ha1", "ha2", "last-one"}


def test_who_is_not_behind_has_no_lag(cluster, node):
    active, standby = cluster.pair()
    entry = ["k", b"A\x0a\x00\x01\x63", "v", "0" * 32, "t", 1700000000000]     # of 2023
    number = cluster.server.ask("INCR", "home-agent:ihad:sequence")
    cluster.server.ask("XADD", "home-agent:ihad:stream", f"{number}-1", *entry)
    for daemon in (active, standby):
        until(lambda: daemon.status()["cluster-changes-read"] == 1, "it is read")
        until(lambda: own(daemon)["lag-entries"] == 0, "and no other is to come")
        assert own(daemon)["lag-ms"] == 0
    until(lambda: len(show(active)) == 2, "the other one is seen")
    assert show(active)["ha2"]["lag-ms"] == 0


@pytest.mark.parametrize("role", ["active", "standby"])
def test_two_hosts_of_one_name_are_told(cluster, role):
    first = cluster.start(0, role="active")
    wait_following(first)
    second = cluster.start(1, role=role, name="ha1")
    for daemon in (first, second):
        assert daemon.wait_event("cluster-name")[0]["name"] == "ha1"


def test_a_host_that_comes_back_has_its_own_name(cluster):
    active, standby = cluster.pair()
    active.kill()
    active.start()
    wait_following(active)
    seen = cluster.server.ask("HGET", "home-agent:ihad:hosts", "ha1")
    for _ in range(3):                                  # signs of life
        until(lambda: cluster.server.ask("HGET", "home-agent:ihad:hosts", "ha1") != seen, "it lives")
        seen = cluster.server.ask("HGET", "home-agent:ihad:hosts", "ha1")
    assert not active.events("cluster-name") and not standby.events("cluster-name")


def test_a_nonce_of_the_other_host_is_not_good_after_a_fail_over(cluster, peer):
    place = cluster.place
    confs = [cluster.conf(i, role="active" if i == 0 else "standby") for i in (0, 1)]
    for conf in confs:
        conf["mobile-nodes"][0]["replay"] = "nonce"
    cluster.move_address(0)
    active, standby = (cluster.start(i, conf) for i, conf in enumerate(confs))
    for daemon in (active, standby):
        wait_following(daemon)
    node = peer(place.desk, place.desk_address, place.home, place.agent)
    first = node.ask()                                  # 133, with the nonce to use
    assert first.code == 133
    accepted = node.build(ident=first.ident)
    node.send(accepted)
    assert node.reply(accepted).code == 0
    wait_binding(standby, node.home, node.care_of)
    active.kill()
    cluster.fail_over(1)
    node.send(accepted)
    again = node.reply(accepted)
    assert again.code == 133
    node.register(ident=again.ident)


def test_on_a_home_link_the_standby_is_silent_until_it_is_promoted(cluster, net, peer):
    """10.60.0.0/24 is a wire of both hosts; a neighbour there talks to a node that is away."""
    place, home = cluster.place, "10.60.0.7"
    wire, neighbour = net.host("homewire"), net.host("neighbour")
    wire.ip("link add br0 type bridge forward_delay 0", "link set br0 up")
    macs = []
    for i, (host, address) in enumerate([(a.host, f"10.60.0.{3 + i}/24") for i, a in
                                         enumerate(place.agents)] + [(neighbour, "10.60.0.50/24")]):
        net.link(host, "lan0", address, wire, f"port{i}", None)
        wire.ip(f"link set port{i} master br0")
        macs.append(json.loads(host.ip_show("-json", "link", "show", "lan0"))[0]["address"])
    place.router.route("10.60.0.0/24", place.agent)
    confs = [cluster.conf(i, role="active" if i == 0 else "standby") for i in (0, 1)]
    for conf in confs:
        conf["home-networks"].append({"prefix": "10.60.0.0/24", "interface": "lan0"})
        conf["mobile-nodes"].append(topology.node(home))
    cluster.move_address(0)
    active, standby = (cluster.start(i, conf) for i, conf in enumerate(confs))
    for daemon in (active, standby):
        wait_following(daemon)
    node = peer(place.desk, place.desk_address, home, place.agent).listen_ipip()
    node.register(lifetime=600)
    wait_binding(standby, home, node.care_of)

    def thinks():
        known = json.loads(neighbour.ip_show("-json", "neigh", "show", home))
        return known and known[0].get("lladdr")

    neighbour.run(["ping", "-c", "1", "-W", "1", home], check=False)
    node.receive_ipip()
    assert thinks() == macs[0]
    for name in ("gratuitous-arps-sent", "proxy-arps-sent", "advertisements-sent"):
        assert standby.counter(name) == 0, name
    active.kill()
    cluster.fail_over(1)
    until(lambda: thinks() == macs[1], "the neighbour was told where the node is now")
    assert standby.counter("gratuitous-arps-sent") >= 1
    assert standby.counter("advertisements-sent") >= 1
    neighbour.run(["ping", "-c", "1", "-W", "1", home], check=False)
    node.receive_ipip()


# --- what becomes of it when the server does not play along ---

def test_what_is_no_record_is_named_and_tells_no_lag(cluster):
    active, standby = cluster.pair()
    number = cluster.server.ask("INCR", "home-agent:ihad:sequence")
    cluster.server.ask("XADD", "home-agent:ihad:stream", f"{number}-1", "k", "who=?", "v", "what")
    for daemon in (active, standby):
        told = daemon.wait_event("cluster-record")[0]
        assert (told["key"], told["entry"]) == (r"who\x3d?", str(number))
        assert own(daemon)["lag-ms"] < 60000
        wait_following(daemon)


def test_a_change_whose_entry_is_spoilt_is_had_from_the_snapshot(cluster, node):
    _, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    cluster.cut(1)
    node.register(lifetime=500)
    stream = "home-agent:ihad:stream"
    until(lambda: len(cluster.server.ask("XRANGE", stream, "-", "+")) == 2, "it is shared")
    entries = cluster.server.ask("XRANGE", stream, "-", "+")
    place = entries[1][1].index(b"v") + 1
    entries[1][1][place] = entries[1][1][place][:-1]    # its rank, and not all of what it has
    cluster.server.ask("DEL", stream)
    for entry, fields in entries:
        cluster.server.ask("XADD", stream, entry, *fields)
    cluster.heal(1)
    assert standby.wait_event("cluster-record")[0]["entry"] == "2"
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "it knows")
    assert len(standby.events("cluster-scan")) == 1     # of the start: all was not compared for it


def test_what_belongs_to_one_run_waits_for_a_restart(cluster):
    daemon = cluster.start(0, role="active")
    for key, value in (("lease-reserve", 9), ("stream-length", 1000), ("durability", "confirmed")):
        conf = cluster.conf(0, role="active", **{key: value})
        daemon.write_config(daemon.conf | {"state": conf["state"]})
        assert daemon.hactl("reload", json_output=False).endswith("after a restart: state.replication\n")


def test_a_server_that_is_killed_costs_no_answer_and_no_change(cluster, node):
    active, standby = cluster.pair()
    cluster.server.kill()
    node.register(lifetime=600)
    assert own(active)["state"] == "away" or active.wait_event("cluster-away")
    assert own(active)["queued"] == 1
    assert not standby.bindings()
    cluster.server.start()
    wait_binding(standby, node.home, node.care_of)
    wait_following(active)
    assert active.events("cluster-reached")


def test_a_server_that_hangs_is_one_that_is_away(cluster, node):
    active, standby = cluster.pair()
    cluster.server.hang()
    node.register(lifetime=600)
    active.wait_event("cluster-away")
    node.register(lifetime=600)
    assert own(active)["queued"] == 1                   # a node, whatever it did
    cluster.server.go_on()
    wait_binding(standby, node.home, node.care_of)


def test_an_active_host_that_is_partitioned_from_the_server_queues(cluster, node):
    active, standby = cluster.pair()
    cluster.cut(0, how="drop")
    node.register(lifetime=600)
    assert own(active)["state"] == "away" and "no answer in time" in own(active)["error"]
    until(lambda: show(standby)["ha1"]["state"] == "silent", "the other one knows")
    assert own(active)["queued"] == 1 and not standby.bindings()
    assert own(standby)["state"] == "following"
    cluster.heal(0)
    wait_binding(standby, node.home, node.care_of)


def test_a_standby_that_is_partitioned_from_the_server_serves_what_it_knew(cluster, node, peer):
    active, standby = cluster.pair()
    place = cluster.place
    later = peer(place.desk, "10.1.0.11", place.other_home, place.agent, sa=topology.OTHER_SA)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    cluster.cut(1, how="drop")
    missed = later.build()
    later.send(missed)
    assert later.reply(missed).code == 0
    active.kill()
    cluster.fail_over(1)
    assert [b["home-address"] for b in standby.bindings()] == [node.home]
    later.send(missed)
    assert later.reply(missed).code == 133              # of before the promotion: a replay
    node.register(lifetime=500)
    cluster.heal(1)
    wait_binding(standby, later.home, later.care_of)    # it reads on
    assert standby.binding(node.home)["lifetime"] == 500


@pytest.mark.parametrize("how", [["FLUSHALL"], ["DEL", "home-agent:ihad:nodes"],
                                 ["HDEL", "home-agent:ihad:nodes", "e"]],
                         ids=["all", "nodes", "mark-of-the-nodes"])
def test_what_a_server_forgets_the_hosts_tell_it_again(cluster, node, peer, how):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    scans = len(active.events("cluster-scan"))
    cluster.server.ask(*how)
    assert active.wait_event("cluster-scan", scans + 1)[-1]["reason"] == "other-data"
    wait_following(active)
    until(lambda: len(cluster.records()) == 1, "it is there again")
    wait_following(standby)
    node.deregister()
    until(lambda: not standby.bindings(), "and goes on")


@pytest.mark.parametrize("fault", [
    ["XADD", "home-agent:ihad:stream", "*", "foo", "bar"],
    ["XADD", "home-agent:ihad:stream", "18446744073709551615-18446744073709551615", "foo", "bar"],
    ["XADD", "home-agent:ihad:stream", "77-1", "foo", "bar"],
    ["SET", "home-agent:ihad:stream", "foo"],
    ["DEL", "home-agent:ihad:sequence"],
    ["SET", "home-agent:ihad:sequence", "foo"],
    ["SET", "home-agent:ihad:sequence", "9223372036854775807"]],
    ids=["foreign", "last", "ours-by-its-number", "no-stream", "no-sequence", "no-number", "no-next"])
def test_what_others_write_into_the_stream_is_gone_over(cluster, node, peer, fault):
    active, standby = cluster.pair()
    place = cluster.place
    other = peer(place.desk, "10.1.0.11", place.other_home, place.agent, sa=topology.OTHER_SA)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    epoch = cluster.server.ask("GET", "home-agent:ihad:epoch")
    cluster.server.ask(*fault)
    for _ in range(5):
        node.register(lifetime=500)
    until(lambda: own(active)["queued"] <= 1, "a node waits, whatever it did; none is on its way")
    other.register(lifetime=600)
    wait_binding(standby, other.home, other.care_of)
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "and what came before it")
    assert cluster.server.ask("GET", "home-agent:ihad:epoch") != epoch
    for daemon in (active, standby):
        wait_following(daemon)
        assert len(daemon.events("cluster-foreign")) <= 1
        assert len(daemon.events("cluster-scan")) <= 6
    told = [e["entry"] for d in (active, standby) for e in d.events("cluster-foreign")]
    assert told
    if fault[2:3] == ["*"]:
        assert any(entry.endswith("-0") for entry in told)
    node.deregister()
    until(lambda: not any(b["home-address"] == node.home for b in standby.bindings()), "it goes on")


KEYS = [f"home-agent:ihad:{name}" for name in
        ("nodes", "stream", "sequence", "epoch", "hosts", "blocks")]
MAKE_IT_A_LIST = "redis.call('DEL', KEYS[1]) return redis.call('RPUSH', KEYS[1], 'foo')"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.rpartition(":")[2])
def test_a_key_of_another_type_is_mended(cluster, node, key):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    claims = until(lambda: cluster.server.ask("HGETALL", "home-agent:ihad:blocks"), "blocks are claimed")
    cluster.server.ask("EVAL", MAKE_IT_A_LIST, 1, key)
    node.register(lifetime=500)
    if key.endswith(":blocks"):                         # they are looked at when one comes back
        cluster.server.ask("CLIENT", "KILL", "TYPE", "normal")
    until(lambda: cluster.server.ask("TYPE", key) not in ("list", "none"), "it is ours again")
    told = [e for d in (active, standby) for e in d.events("cluster-foreign")]
    assert key in {e["key"] for e in told}
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "changes go on")
    for daemon in (active, standby):
        wait_following(daemon)
        assert len(daemon.events("cluster-foreign")) <= 1
    until(lambda: len(cluster.records()) == 1, "the node's record is there")
    until(lambda: cluster.server.ask("HLEN", KEYS[4]) == 2, "and both hosts")
    until(lambda: sorted(cluster.server.ask("HGETALL", KEYS[5])) == sorted(claims), "and their blocks")
    node.deregister()
    until(lambda: not standby.bindings(), "it goes on")


RECORDS = {
    "first-digit": lambda record: b"g" + record[1:],
    "no-hex": lambda record: b"\xff" * 8,
    "octets": lambda record: bytes(range(256))[-200:],
    "nothing-behind-it": lambda record: b"f" * 32,
    "not-all": lambda record: record[:-1],
}


def damage(cluster, how):
    """@return the one record that there is, now another one"""
    key, record = cluster.records().popitem()
    record = RECORDS[how](record)
    cluster.server.ask("HSET", KEYS[0], key, record)
    return key, record


@pytest.mark.parametrize("how", ["first-digit", "no-hex", "octets"])
def test_what_is_no_record_is_as_if_there_were_none(cluster, node, how):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    key, record = damage(cluster, how)
    node.register(lifetime=500)
    until(lambda: standby.binding(node.home)["lifetime"] == 500, "it is shared")
    assert cluster.records()[key] != record


@pytest.mark.parametrize("how", RECORDS)
def test_what_a_scan_finds_to_be_no_record_is_told_again(cluster, node, how):
    active, standby = cluster.pair()
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    key, record = damage(cluster, how)
    cluster.server.ask("DEL", KEYS[3])                  # all is compared
    until(lambda: cluster.records().get(key, record) != record, "the hosts have told it again")
    for daemon in (active, standby):
        assert daemon.binding(node.home)["lifetime"] == 600
    node.deregister()
    until(lambda: not standby.bindings(), "and it goes on")


def test_what_lies_there_before_the_first_start_is_mended(cluster, node):
    for key in KEYS:
        cluster.server.ask("EVAL", MAKE_IT_A_LIST, 1, key)
    active, standby = cluster.pair()
    told = [e["key"] for d in (active, standby) for e in d.events("cluster-foreign")]
    assert told == [",".join(KEYS)]
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)


def test_who_writes_there_again_and_again_floods_no_log(cluster, node):
    active, _ = cluster.pair()
    for _ in range(12):
        cluster.server.ask("SET", KEYS[4], "foo")
        until(lambda: cluster.server.ask("TYPE", KEYS[4]) == "hash", "it is ours again")
    for event in ("cluster-away", "cluster-reached"):
        assert 5 <= len(active.events(event)) <= 11, event
    node.register(lifetime=600)


def test_what_is_refused_is_queued_once_however_often_all_is_compared(cluster, node):
    active, standby = cluster.pair()
    cluster.server.ask("ACL", "SETUSER", "default", "-evalsha")
    node.register(lifetime=600)
    active.wait_event("cluster-refused")
    for i in range(1, 4):
        cluster.server.ask("SET", "home-agent:ihad:sequence", 1000 * i)
        active.wait_event("cluster-synchronised", 1 + i)
    assert own(active)["queued"] == 1
    cluster.server.ask("ACL", "SETUSER", "default", "+evalsha")
    wait_binding(standby, node.home, node.care_of)


def test_a_server_without_memory_refuses_and_changes_wait(cluster, node):
    active, standby = cluster.pair()
    cluster.server.ask("CONFIG", "SET", "maxmemory", "1")
    node.register(lifetime=600)
    assert "OOM" in active.wait_event("cluster-refused")[0]["error"]
    assert own(active)["queued"] == 1 and "OOM" in own(active)["error"]
    cluster.server.ask("CONFIG", "SET", "maxmemory", "0")
    wait_binding(standby, node.home, node.care_of)
    active.wait_event("cluster-accepted")


def test_a_wrong_password_is_said_and_the_host_serves(cluster, node):
    with open(cluster.password_file, "w", encoding="ascii") as f:
        f.write("wrong\n")
    active = cluster.start(0, role="active")
    cluster.move_address(0)
    assert "WRONGPASS" in active.wait_event("cluster-away")[0]["error"]
    node.register()


def test_the_server_behind_stunnel(cluster, node, workdir, things):
    """As doc/cluster.md has it: one stunnel on each home agent, one before the server."""
    stunnel = shutil.which("stunnel") or shutil.which("stunnel4")
    if not stunnel:
        pytest.skip("stunnel is not installed")
    key, pem = os.path.join(workdir, "key.pem"), os.path.join(workdir, "cert.pem")
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=store1.corp.example", "-addext",
         "subjectAltName=DNS:store1.corp.example", "-keyout", key, "-out", pem])
    store = cluster.place.stores[0]

    def tunnel(host, label, *lines):
        path = os.path.join(workdir, f"{label}.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(["foreground = yes", "pid =", "[replication]", *lines]) + "\n")
        things.append(Process(host, [stunnel, path], workdir, label).start())

    tunnel(store.host, "stunnel-server", f"accept = {store.address}:6380",
           "connect = 127.0.0.1:6379", f"cert = {pem}", f"key = {key}")
    for i, agent in enumerate(cluster.place.agents):
        tunnel(agent.host, f"stunnel{i + 1}", "client = yes", "accept = 127.0.0.1:6379",
               f"connect = {store.address}:6380", "verifyChain = yes", f"CAfile = {pem}",
               "checkHost = store1.corp.example")
        agent.host.nft(f"""
            table ip clear {{
                chain out {{
                    type filter hook output priority 0;
                    ip daddr {store.address} tcp dport 6379 drop
                }}
            }}""")
    active, standby = cluster.pair(servers=["127.0.0.1:6379"])
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)


def test_what_could_not_be_shared_before_a_crash_is_shared_after_it(cluster, node):
    active, standby = cluster.pair()
    cluster.server.kill()
    node.register(lifetime=600)
    active.kill()
    cluster.server.start()
    active.start()
    wait_binding(standby, node.home, node.care_of)


# --- confirmed ---

def test_an_answer_that_is_confirmed_is_shared_before_it_leaves(cluster, node):
    cluster.pair(durability="confirmed")
    for i in range(1, 21):
        node.register(lifetime=600)
        assert int(cluster.server.ask("GET", "home-agent:ihad:sequence")) >= i


def test_what_cannot_be_confirmed_is_answered_by_default(cluster, node):
    active, _ = cluster.pair(durability="confirmed")
    cluster.server.hang()
    node.register(lifetime=600)
    assert active.status()["cluster-unconfirmed-batches"] == 1
    cluster.server.go_on()


def test_what_cannot_be_confirmed_can_be_withheld(cluster, node):
    active, _ = cluster.pair(durability="confirmed", unconfirmed="withhold")
    cluster.server.hang()
    node.send(node.build())
    active.wait_counter("reply-batches-unconfirmed", 1)
    active.wait_event("cluster-away")
    node.send(node.build())
    active.wait_counter("replies-withheld", 1)
    assert node.heard_nothing()
    cluster.server.go_on()
    until(lambda: own(active)["state"] == "following", "it is back")
    node.register()


# --- a server that is replaced ---

def test_a_server_that_sentinel_replaces(net, workdir, things, run_daemon, peer):
    """The second server is a replica; its Sentinel makes it the master when the first one dies."""
    cluster = Cluster(net, workdir, things, run_daemon, stores=3)
    place, (first, second, _) = cluster.place, cluster.servers
    second.start()
    second.ask("REPLICAOF", first.address, first.port)
    until(lambda: "master_link_status:up" in second.ask("INFO", "replication").decode(), "a replica")
    store = place.stores[2]
    sentinel = Redis(store.host, store.address, workdir, "sentinel", 26379, sentinel=True, more=[
        f"sentinel monitor agents {first.address} {first.port} 1",
        f'sentinel auth-pass agents "{PASSWORD}"',
        "sentinel down-after-milliseconds agents 500", "sentinel failover-timeout agents 2000"])
    things.append(sentinel)
    sentinel.start()
    until(lambda: b"num-slaves" in (a := sentinel.ask("SENTINEL", "MASTER", "agents"))
          and a[a.index(b"num-slaves") + 1] == b"1", "Sentinel knows the replica")
    active, standby = cluster.pair(servers=[f"{store.address}:26379"], sentinel_master="agents",
                                   durability="confirmed", replicas=1)
    node = peer(place.desk, place.desk_address, place.home, place.agent)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)
    assert own(standby)["server"] == f"{first.address}:{first.port}"
    first.kill()
    node.register(lifetime=600)                         # served meanwhile
    for daemon in (active, standby):
        until(lambda: own(daemon)["server"] == f"{second.address}:{second.port}",
              f"it is with the new master:\n{daemon.log()}")
        wait_following(daemon)
    node.deregister()
    until(lambda: not standby.bindings(), "changes go by the new master")


def test_too_few_replicas_confirm_nothing(cluster, node):
    active, standby = cluster.pair(durability="confirmed", replicas=1, unconfirmed="withhold")
    node.send(node.build())
    active.wait_counter("reply-batches-unconfirmed", 1)
    assert node.heard_nothing()
    assert "replicas" in until(lambda: own(active)["error"], "it is said why")


# --- two that both believe to be active ---

@pytest.fixture
def divided(cluster):
    """Both active, neither reaches the server; .heal(0, 1) lets them."""
    cluster.pair()
    cluster.fail_over(1)
    cluster.daemons[0].hactl("cluster", "promote")
    cluster.daemons[1].hactl("cluster", "promote")
    cluster.cut(0, 1)
    return cluster


def test_of_two_that_answered_one_node_the_newest_identification_wins(divided, peer):
    place = divided.place
    older, newer = (peer(place.desk, address, place.home, place.agent)
                    for address in (place.desk_address, "10.1.0.11"))
    ident = mip.timestamp()
    divided.move_address(0)
    newer.register(lifetime=600, ident=ident + 1)
    divided.move_address(1)
    older.register(lifetime=600, ident=ident)           # later, and yet the older one
    assert divided.daemons[1].binding(place.home)["care-of-address"] == older.care_of
    divided.heal(0, 1)
    for daemon in divided.daemons.values():
        wait_binding(daemon, place.home, newer.care_of)
    older.send(older.build(ident=ident + 1))
    assert older.reply().code == 133                    # wherever it was accepted
