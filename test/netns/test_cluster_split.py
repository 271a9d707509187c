# SPDX-License-Identifier: BSD-2-Clause
"""
Split brain: two real keepalived do not hear each other, so both hosts have the address and answer,
and nodes register now with the one and now with the other. What is left when they hear each other.
"""

import json
import os
import time
from types import SimpleNamespace

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.cluster import Cluster, Keepalived, own, wait_following
from fixtures.wait import until

SECONDS = float(os.environ.get("HA_CLUSTER_SPLIT", "10"))
STATIC, DYNAMIC = 8, 8


def nai(n):
    return f"n{n}@corp.example"


@pytest.fixture
def site(net, workdir, things, run_daemon, bindir):
    cluster = Cluster(net, workdir, things, run_daemon)
    place = cluster.place
    place.desk.ip(*(f"addr add 10.1.0.{100 + i}/24 dev eth0" for i in range(STATIC + DYNAMIC)))
    daemons, keepers = [], []
    for i in (0, 1):
        conf = cluster.conf(i)
        conf["mobile-nodes"] = [topology.node(f"10.50.0.{20 + n}") for n in range(STATIC)]
        conf["mobile-nodes"] += [topology.node(None, topology.OTHER_SA, nai=nai(n))
                                 for n in range(DYNAMIC)]
        daemons.append(cluster.start(i, conf))
        wait_following(daemons[i])
    for i in (0, 1):
        keepers.append(Keepalived(daemons[i], bindir, workdir, f"keepalived{i + 1}", 100 - 10 * i))
        things.append(keepers[i])
        keepers[i].start()
        if i == 0:
            until(lambda: daemons[0].status()["cluster-role"] == "active", keepers[0].log())
    for daemon in daemons:
        until(lambda: daemon.status()["cluster-addresses-to-give"] > 0, "it has addresses to give")
    macs = [json.loads(a.host.ip_show("-json", "link", "show", "eth0"))[0]["address"]
            for a in place.agents]
    return SimpleNamespace(cluster=cluster, place=place, daemons=daemons, macs=macs)


def roles(site):
    return sorted(d.status()["cluster-role"] for d in site.daemons if d.status()["cluster-answers"]
                  or d.status()["cluster-role"] == "standby")


def divide(site):
    """No advertisement of the one comes to the other."""
    for agent in site.place.agents:
        agent.host.nft("""
            table ip vrrp {
                chain in {
                    type filter hook input priority 0;
                    ip protocol 112 drop
                }
            }""")
    until(lambda: roles(site) == ["active", "active"], "both have the address and answer")


def unite(site):
    for agent in site.place.agents:
        agent.host.nft("delete table ip vrrp\n")
    until(lambda: roles(site) == ["active", "standby"], "one is left")


def talk_to(site, i):
    site.place.router.ip(f"neigh replace {site.place.agent} lladdr {site.macs[i]} dev core0 "
                         "nud permanent")


def known(daemon):
    return {b["home-address"]: b["care-of-address"] for b in daemon.bindings()}


def owners(daemon):
    return {n["home-address"]: n["nai"] for n in daemon.hactl("show", "mobile-nodes")
            if n["nai"] and n["home-address"]}


def test_in_a_split_without_the_server_the_tolerance_is_the_bound_of_replays(site, peer):
    """The other host cannot know of them; doc/cluster.md says so."""
    conf = dict(site.daemons[1].conf) | {"registration": {"timestamp-tolerance": 1}}
    site.daemons[1].write_config(conf)
    site.daemons[1].reload()
    divide(site)
    site.cluster.cut(1)
    nodes = [peer(site.place.desk, f"10.1.0.{100 + n}", f"10.50.0.{20 + n}", site.place.agent)
             for n in range(4)]
    talk_to(site, 0)
    requests = [node.build() for node in nodes]
    for node, request in zip(nodes, requests):
        node.send(request)
        assert node.reply(request).code == 0
    talk_to(site, 1)
    codes = []
    for i, (node, request) in enumerate(zip(nodes, requests)):
        if i == 2:
            time.sleep(1.1)
        node.send(request)
        codes.append(node.reply(request).code)
    assert codes == [0, 0, 133, 133]


@pytest.mark.parametrize("reach", ["both reach the server", "one does not"])
def test_two_masters_agree_when_they_hear_each_other_again(site, peer, reach, capsys):
    place = site.place
    divide(site)
    if reach == "one does not":
        site.cluster.cut(1)
    begun, turn, accepted, given, last = time.monotonic(), 0, [0, 0], {}, {}
    nodes = {}
    while time.monotonic() - begun < SECONDS or turn < 4:
        for host in (turn % 2, 1 - turn % 2):           # so that each is the last one for somebody
            talk_to(site, host)
            for n in range(host, STATIC + DYNAMIC, 2) if turn % 3 else range(STATIC + DYNAMIC):
                care_of = f"10.1.0.{100 + (n + turn) % (STATIC + DYNAMIC)}"
                if (n, care_of) not in nodes:
                    nodes[n, care_of] = \
                        peer(place.desk, care_of, f"10.50.0.{20 + n}", place.agent) if n < STATIC \
                        else peer(place.desk, care_of, "0.0.0.0", place.agent, sa=topology.OTHER_SA)
                more = b"" if n < STATIC else mip.nai(nai(n - STATIC))
                reply = nodes[n, care_of].register(lifetime=600, extensions=more)
                accepted[host] += 1
                last[n] = (reply.home, care_of)
                if n >= STATIC:
                    assert given.setdefault(reply.home, nai(n - STATIC)) == nai(n - STATIC)
        turn += 1
    if reach == "one does not":
        assert known(site.daemons[0]) != known(site.daemons[1])
        site.cluster.heal(1)
    unite(site)
    for daemon in site.daemons:
        wait_following(daemon)
        until(lambda: own(daemon)["queued"] == 0, "all is shared")
    until(lambda: known(site.daemons[0]) == known(site.daemons[1]) == dict(last.values()),
          "both have of each node what it registered last")
    assert owners(site.daemons[0]) == owners(site.daemons[1])
    assert not [e for d in site.daemons for e in d.events("cluster-lease-lost")]
    with capsys.disabled():
        print(f"\nsplit brain of {SECONDS:.0f} s, {reach}: {accepted[0]} + {accepted[1]} registrations "
              f"accepted of {STATIC + DYNAMIC} nodes, {len(given)} addresses given, none twice")
