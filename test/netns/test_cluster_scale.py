# SPDX-License-Identifier: BSD-2-Clause
"""
A host joins others that are at work: how long until it knows everything, and who waits meanwhile.
HA_CLUSTER_JOIN=1000000 for a million bindings (with a release build); what it took is printed.
"""

import json
import os
import time

import pytest

from fixtures.cluster import Cluster, own, wait_following
from fixtures.load import Load
from fixtures.programs import DATA_PATH, Daemon
from fixtures.wait import until

pytestmark = pytest.mark.once

NODES = int(os.environ.get("HA_CLUSTER_JOIN", "5000"))
RATE = min(1000, NODES // 5)


def cpu_s(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process):
    """(what is its own, what is of files: the store, mapped)"""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return tuple(int(fields[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile"))


@pytest.fixture
def run_untapped(workdir, bindir, things):
    """run_daemon() without anybody who reads along: a million replies are nothing to dissect."""

    def make(host, name, conf, label):
        things.append(Daemon(host, name, conf, workdir, bindir, label))
        return things[-1].start()

    return make


def test_a_host_joins_a_cluster_at_work(net, workdir, things, run_untapped, bindir, capsys):
    cluster = Cluster(net, workdir, things, run_untapped)
    place = cluster.place
    load = Load(bindir, place.desk, place.agent, NODES)
    if not load.is_built:
        pytest.skip("test/bench/load is not built")
    place.router.route("20.0.0.0/8", "10.1.0.10")
    nodes = load.write_nodes(os.path.join(workdir, "many"))
    confs = [cluster.conf(i, role="active" if i == 0 else "standby") for i in (0, 1)]
    for conf in confs:
        conf["home-networks"].append({"prefix": "10.64.0.0/10"})
        conf["trusted-networks"].append("20.0.0.0/8")
        conf["mobile-nodes-file"] = nodes
        conf["log"] = {"level": "notice"}
        conf["registration"] = {"max-lifetime": 65534}
    cluster.move_address(0)
    active = cluster.start(0, confs[0])
    wait_following(active)
    things.append(load)
    load.start()
    begun, cpu = time.monotonic(), cpu_s(active)
    load.run("fill")
    fill_s, fill_cpu = time.monotonic() - begun, cpu_s(active) - cpu
    until(lambda: own(active)["queued"] == 0, "all is shared", 600)
    shared_s = time.monotonic() - begun
    until(lambda: own(active)["lag-entries"] == 0, "and read", 600)
    alone = load.run(f"open {RATE} 5")
    active_mb = resident_mb(active.process)

    standby = cluster.start(1, confs[1])
    begun, cpu = time.monotonic(), cpu_s(standby)
    load.begin(f"open {RATE} {max(5, NODES // 50000)}")
    until(lambda: standby.status()["bindings"] >= NODES * 0.9 and own(standby)["state"] ==
          "following" and own(standby)["lag-entries"] < RATE, "the standby is warm", 600)
    warm_s, warm_cpu = time.monotonic() - begun, cpu_s(standby) - cpu
    joined = load.result()
    cluster.move_address(1)
    active.kill()
    standby.hactl("cluster", "promote")
    until(lambda: standby.status()["cluster-answers"], "it answers")
    standby_mb = resident_mb(standby.process)
    info = cluster.server.ask("INFO", "memory").decode()
    memory = next(line for line in info.splitlines() if line.startswith("used_memory:"))
    with capsys.disabled():
        print(f"\n{NODES} nodes, data path {DATA_PATH}: registered in {fill_s:.1f} s "
              f"({1e6 * fill_cpu / NODES:.1f} us of the home agent each), shared after "
              f"{shared_s:.1f} s; a host that joins is warm after {warm_s:.1f} s "
              f"({1e6 * warm_cpu / NODES:.1f} us each); promoted, it answers after "
              f"{standby.wait_event('cluster-active')[-1]['ms']} ms; server {memory}")
        print(f"resident, own and of files: active {active_mb[0]} + {active_mb[1]} MB, the one that "
              f"joined {standby_mb[0]} + {standby_mb[1]} MB")
        print("latency at", RATE, "a second, alone:", json.dumps(alone["latency-us"]),
              "while it joins:", json.dumps(joined["latency-us"]))
    assert joined["lost"] == 0
    wait_following(standby)


def test_what_waits_for_the_server_is_bounded(net, workdir, things, run_untapped, bindir):
    """Beyond queue-limit the queue is given up, and all is compared when the server is back."""
    cluster = Cluster(net, workdir, things, run_untapped)
    place, nodes = cluster.place, 3000
    load = Load(bindir, place.desk, place.agent, nodes)
    if not load.is_built:
        pytest.skip("test/bench/load is not built")
    place.router.route("20.0.0.0/8", "10.1.0.10")
    path = load.write_nodes(os.path.join(workdir, "many"))
    cluster.move_address(0)
    for i, role in enumerate(("active", "standby")):
        conf = cluster.conf(i, role=role, queue_limit=2500)     # above QUEUE_KEPT
        conf["home-networks"].append({"prefix": "10.64.0.0/10"})
        conf["trusted-networks"].append("20.0.0.0/8")
        conf["mobile-nodes-file"] = path
        wait_following(cluster.start(i, conf))
    active, standby = cluster.daemons.values()
    cluster.server.kill()
    active.wait_event("cluster-away")
    things.append(load)
    load.start()
    assert load.run("fill")["lost"] == 0
    active.wait_event("cluster-overflow")
    assert own(active)["queued"] <= 2500 and active.status()["cluster-overflows"] >= 1
    cluster.server.start()
    until(lambda: standby.status()["bindings"] == nodes, "the standby has them all")
