# SPDX-License-Identifier: BSD-2-Clause
"""
Hot standby by the recipe in packaging/keepalived: a real keepalived on each host, a thousand nodes
with traffic, and one host that goes in one way or another. What it costs is printed (pytest -s, and
in the summary of a failure).
"""

import ipaddress
import os
import signal
import threading
from types import SimpleNamespace

import pytest

from fixtures import mobileip as mip
from fixtures.cluster import Cluster, Keepalived, Stream, own, wait_following
from fixtures.load import FIRST_HOME, Load
from fixtures.wait import until

pytestmark = pytest.mark.once

NODES = int(os.environ.get("HA_CLUSTER_NODES", "1000"))
HOMES = [str(ipaddress.IPv4Address(FIRST_HOME) + i) for i in range(NODES)]


@pytest.fixture(params=["async", "confirmed"])
def durability(request):
    return request.param


@pytest.fixture
def site(net, workdir, things, run_daemon, bindir, durability):
    """Two hosts with keepalived, a thousand nodes registered, packets flowing to all of them."""
    cluster = Cluster(net, workdir, things, run_daemon)
    place = cluster.place
    load = Load(bindir, place.desk, place.agent, NODES)
    if not load.is_built:
        pytest.skip("test/bench/load is not built")
    place.router.route("20.0.0.0/8", "10.1.0.10")
    place.router.route("10.64.0.0/15", place.agent)
    nodes = load.write_nodes(os.path.join(workdir, "nodes"))
    daemons = []
    for i in (0, 1):
        conf = cluster.conf(i, durability=durability)
        conf["home-networks"].append({"prefix": "10.64.0.0/15"})
        conf["trusted-networks"].append("20.0.0.0/8")
        conf["mobile-nodes-file"] = nodes
        daemons.append(cluster.start(i, conf))
        wait_following(daemons[i])
    keepers = []
    for i in (0, 1):
        keepers.append(Keepalived(daemons[i], bindir, workdir, f"keepalived{i + 1}", 100 - 10 * i))
        things.append(keepers[i])
        keepers[i].start()
        if i == 0:
            until(lambda: daemons[0].status()["cluster-role"] == "active",
                  f"the first host takes the address:\n{keepers[0].log()}")
    things.append(load)
    load.start()
    result = load.run("fill")
    assert len(daemons[0].bindings()) == NODES, result
    until(lambda: own(daemons[1])["lag-entries"] == 0 and len(daemons[1].bindings()) == NODES,
          "the standby has them all")
    stream = Stream(place, HOMES)
    things.append(stream)
    stream.wait()
    until(lambda: [d.status()["cluster-role"] for d in daemons] == ["active", "standby"],
          "the first host is the active one")
    return SimpleNamespace(cluster=cluster, place=place, daemons=daemons, keepers=keepers,
                           load=load, stream=stream, durability=durability)


def taken_over(site, how, capsys):
    """The other host answers, every node's packets flow again; tells what it cost."""
    mark, standby = site.stream.sent, site.daemons[1]
    until(lambda: standby.status()["cluster-role"] == "active",
          f"the standby takes over:\n{site.keepers[1].log()}")
    until(lambda: standby.status()["cluster-answers"], "it answers")
    until(lambda: len(site.stream.nodes_reached_since(mark)) == NODES, "all nodes are reached")
    stream = site.stream.finish()
    with capsys.disabled():
        print(f"\n{how}, {site.durability}: {NODES} nodes, gap {stream.gap_ms:.0f} ms, "
              f"lost {stream.lost} of {stream.sent} packets")
    assert len(standby.bindings()) == NODES
    result = site.load.run("closed 64 1")
    assert result["accepted"] > 0 and result["lost"] == 0, result


def test_a_host_that_is_killed(site, capsys):
    site.keepers[0].kill()
    site.daemons[0].kill()
    site.cluster.place.agents[0].host.ip("link set eth0 down")
    taken_over(site, "kill -9", capsys)


def test_a_home_agent_that_is_killed_on_a_host_that_goes_on(site, capsys):
    site.daemons[0].kill()
    taken_over(site, "kill -9 of the daemon alone", capsys)


def test_a_rolling_upgrade(site, capsys):
    """The standby first, then the address moves, then the other one: as doc/cluster.md has it."""
    first, second = site.daemons
    second.stop()
    second.start()
    wait_following(second)
    site.keepers[0].close()
    taken_over(site, "the switch of an upgrade", capsys)
    first.stop()
    first.start()
    site.keepers[0].start()
    wait_following(first)
    assert [d.status()["cluster-role"] for d in site.daemons] == ["standby", "active"]
    assert len(first.bindings()) == len(second.bindings())


def test_a_daemon_that_is_back_before_anybody_noticed_is_promoted_again(site):
    site.daemons[0].kill()
    site.daemons[0].start()
    until(lambda: [d.status()["cluster-role"] for d in site.daemons].count("active") == 1,
          "whoever has the address answers")
    assert site.load.run("closed 64 1")["accepted"] > 0


def test_answers_that_were_given_before_a_crash(site, peer, capsys):
    """Nodes move and move, one after the other, until the active host dies under them."""
    place, (active, standby) = site.place, site.daemons
    with open(active.conf["mobile-nodes-file"], encoding="ascii") as f:
        rows = [line.split() for line in f][:50]
    nodes = [[peer(place.desk, source, row[0], place.agent,
                   sa=mip.Association(int(row[2]), bytes.fromhex(row[4]), row[3]))
              for source in (place.desk_address, "10.1.0.11")] for row in rows]
    dying = threading.Timer(1.5, active.process.kill)
    dying.start()
    asked, answered = {}, {}
    while active.process.poll() is None:
        turn = len(asked) and sum(len(a) for a in asked.values())
        pair = nodes[turn % len(nodes)]
        node = pair[turn // len(nodes) % 2]
        asked.setdefault(node.home, []).append(node.care_of)
        request = node.build()
        node.send(request)
        try:
            reply = mip.parse_reply(node.receive(mip.REPLY, 1)[0])
        except AssertionError:
            break                                       # nobody is there any more
        if reply.code == 0:
            answered[node.home] = len(asked[node.home])
    dying.join()
    active.kill()                                       # and waited for
    until(lambda: standby.status()["cluster-answers"], "the other host answers")
    known = {b["home-address"]: b["care-of-address"] for b in standby.bindings()}
    lost = [home for home, cnt in answered.items() if known.get(home) not in asked[home][cnt - 1:]]
    with capsys.disabled():
        print(f"\n{site.durability}: of {sum(answered.values())} answers of {len(answered)} nodes "
              f"{len(lost)} are lost")
    assert answered
    if site.durability == "confirmed":
        assert not lost


def test_a_link_that_is_cut(site, capsys):
    site.place.wire.ip("link set ha1 nomaster")
    taken_over(site, "link cut", capsys)
    site.place.wire.ip("link set ha1 master br0")
    until(lambda: [d.status()["cluster-role"] for d in site.daemons].count("active") == 1,
          "one is active once they hear each other again")


def test_a_host_that_freezes_and_thaws(site, capsys):
    site.keepers[0].everyone(signal.SIGSTOP)
    site.daemons[0].process.send_signal(signal.SIGSTOP)
    site.place.wire.ip("link set ha1 nomaster")         # its kernel would go on forwarding
    taken_over(site, "host frozen", capsys)
    site.place.wire.ip("link set ha1 master br0")
    site.daemons[0].process.send_signal(signal.SIGCONT)
    site.keepers[0].everyone(signal.SIGCONT)
    until(lambda: [d.status()["cluster-role"] for d in site.daemons].count("active") == 1,
          "one is active once they hear each other again")
    for daemon in site.daemons:
        wait_following(daemon)
