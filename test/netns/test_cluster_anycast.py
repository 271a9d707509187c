# SPDX-License-Identifier: BSD-2-Clause
"""
Active-active: every host has the home agent's address and answers, bird announces it on each, and
the router shares what comes among them (ECMP). Any host takes any node's request, and carries any
node's packets.
"""

import ipaddress
import os
import re
import shutil
import time

import pytest

from fixtures.cluster import Cluster, Process, Stream, own, wait_answers, wait_following
from fixtures.load import FIRST_HOME, Load
from fixtures.wait import until

pytestmark = pytest.mark.once

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NODES = 200
SECONDS = 5 if os.environ.get("HA_WHOLE") == "1" else 1    # of load, for what it costs
HOMES = [str(ipaddress.IPv4Address(FIRST_HOME) + i) for i in range(NODES)]


def bird(host, example, workdir, label, things, replace=()):
    """The example of etc/anycast on a host, with what is another there replaced."""
    program = shutil.which("bird") or "/usr/sbin/bird"
    if not os.access(program, os.X_OK):
        pytest.skip("bird is not installed")
    with open(os.path.join(ROOT, "etc", "anycast", example), encoding="utf-8") as f:
        conf = f.read()
    for old, new in replace:
        assert old in conf
        conf = conf.replace(old, new)
    path = os.path.join(workdir, f"{label}.bird")
    with open(path, "w", encoding="utf-8") as f:
        f.write(conf)
    things.append(Process(host, [program, "-f", "-c", path, "-s", os.path.join(workdir, f"{label}.ctl")],
                          workdir, f"{label}-bird").start())
    return things[-1]


@pytest.fixture
def hosts():
    return 2


@pytest.fixture
def site(net, workdir, things, run_daemon, bindir, hosts):
    cluster = Cluster(net, workdir, things, run_daemon, hosts=hosts)
    place = cluster.place
    load = Load(bindir, place.desk, place.agent, NODES)
    if not load.is_built:
        pytest.skip("test/bench/load is not built")
    place.router.route("20.0.0.0/8", "10.1.0.10")
    place.router.ip("route del 10.50.0.0/16")
    nodes = load.write_nodes(os.path.join(workdir, "many"))
    cluster.birds = []
    for i, agent in enumerate(place.agents):
        agent.host.ip(f"addr add {place.agent}/32 dev lo")
        conf = cluster.conf(i, role="active")
        conf["home-networks"] = [{"prefix": "10.64.0.0/15"}]
        conf["mobile-nodes"] = []
        conf["trusted-networks"].append("20.0.0.0/8")
        conf["mobile-nodes-file"] = nodes
        wait_following(cluster.start(i, conf))
        wait_answers(cluster.daemons[i])
        cluster.birds.append(bird(agent.host, "home-agent.bird.conf", workdir, f"ha{i + 1}", things,
                                  [("router id 10.0.0.3", f"router id {agent.address}"),
                                   ("10.50.0.0/16", "10.64.0.0/15"), ("10.50.0.1", "10.64.0.1")]))
    bird(place.router, "router.bird.conf", workdir, "router", things)
    for prefix in ("10.64.0.0/15", place.agent):
        until(lambda: len(re.findall("via", place.router.ip_show("route", "show", prefix))) == hosts,
              f"a way to {prefix} by each host", 60)
    things.append(load)
    load.start()
    cluster.load = load
    return cluster


def bindings(daemon):
    return {b["home-address"]: b["care-of-address"] for b in daemon.bindings()}


def agree(site):
    return bindings(site.daemons[0]) == bindings(site.daemons[1])


def test_any_host_answers_any_node_and_carries_its_packets(site, things):
    result = site.load.run("fill")
    assert result["lost"] == 0, result
    until(lambda: agree(site) and len(bindings(site.daemons[0])) == NODES, "both know all")
    for daemon in site.daemons.values():
        assert daemon.counter("requests-accepted") > NODES / 10
    stream = Stream(site.place, HOMES)
    things.append(stream)
    until(lambda: len(stream.nodes_reached_since(0)) == NODES, "packets reach every node")
    for daemon in site.daemons.values():
        assert daemon.counter("packets-to-nodes") > 0


def test_nodes_that_move_between_hosts_are_known_alike_to_all(site, capsys):
    site.load.run("fill")
    result = site.load.run("closed 32 3")
    with capsys.disabled():
        print(f"\n{result['accepted']} accepted, {result['denied']} denied, "
              f"{result['per-second']:.0f} a second at two hosts")
    assert result["lost"] == 0 and result["denied"] == 0, result
    for daemon in site.daemons.values():
        wait_following(daemon)
        until(lambda: own(daemon)["queued"] == 0, "all is shared")
    until(lambda: agree(site), "they agree")


@pytest.mark.parametrize("what", ["host", "home agent alone"])
def test_when_one_goes_the_others_take_its_nodes(site, what, things, capsys):
    site.load.run("fill")
    until(lambda: len(bindings(site.daemons[1])) == NODES, "it knows all")
    stream = Stream(site.place, HOMES)
    things.append(stream)
    stream.wait()
    if what == "host":
        site.place.wire.ip("link set ha1 nomaster")     # before anybody can say good-bye
        site.birds[0].kill()
    site.daemons[0].kill()
    begun, mark = time.monotonic(), stream.sent
    until(lambda: len(stream.nodes_reached_since(mark)) == NODES, "packets reach every node")
    took_ms = 1000 * (time.monotonic() - begun)
    stream.finish()
    with capsys.disabled():
        print(f"\nactive-active, one of two gone, the {what} (OSPF, dead 3 s): {NODES} nodes, lost "
              f"{stream.lost} of {stream.sent} packets, all reached after {took_ms:.0f} ms")
    until(lambda: "nexthop" not in site.place.router.ip_show("route", "show", site.place.agent),
          "one way is left")
    assert site.load.run("closed 32 1")["lost"] == 0


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_what_a_registration_costs_with_so_many_hosts(site, hosts, capsys):
    site.load.run("fill")
    processes = [d.process for d in site.daemons.values()] + [site.server.process]
    before = [cpu_s(p) for p in processes]
    result = site.load.run(f"closed 64 {SECONDS}")
    for daemon in site.daemons.values():
        until(lambda: own(daemon)["queued"] == 0 and own(daemon)["lag-entries"] == 0, "all is known")
    spent = [1e6 * (cpu_s(p) - b) / result["accepted"] for p, b in zip(processes, before)]
    assert result["lost"] == 0 and result["denied"] == 0, result
    with capsys.disabled():
        print(f"\n{hosts} hosts: {result['per-second']:.0f} registrations a second; us of processor for "
              f"each: home agents {', '.join(f'{s:.1f}' for s in spent[:-1])}, server {spent[-1]:.1f}")
