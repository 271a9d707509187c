# SPDX-License-Identifier: BSD-2-Clause
"""
Two hosts that both answer, and a request that somebody recorded on its way to the one and sends to
the other: how long it is good there, and what comes of it. doc/cluster.md has what is printed.
"""

import json
import time
from types import SimpleNamespace

import pytest

from fixtures.cluster import Cluster, own, wait_answers, wait_binding, wait_following
from fixtures.wait import until

DELAYS_MS = (0, 1, 2, 5, 10, 20, 50)
ROUNDS = 5


@pytest.fixture(params=["async", "confirmed"])
def site(net, workdir, things, run_daemon, peer, request):
    """The router's way is to the first host; .replayer is on the wire, and talks to the second."""
    cluster = Cluster(net, workdir, things, run_daemon)
    place, store = cluster.place, cluster.place.stores[0].host
    for i in (0, 1):
        conf = cluster.conf(i, role="active", durability=request.param)
        conf["registration"] = {"max-denials-per-node": 1000}
        daemon = cluster.start(i, conf)
        wait_following(daemon)
        wait_answers(daemon)
    macs = []
    for agent in place.agents:
        agent.host.ip(f"addr add {place.agent}/32 dev eth0")
        macs.append(json.loads(agent.host.ip_show("-json", "link", "show", "eth0"))[0]["address"])
    place.router.ip(f"neigh replace {place.agent} lladdr {macs[0]} dev core0 nud permanent")
    store.ip(f"neigh replace {place.agent} lladdr {macs[1]} dev eth0 nud permanent")
    node = peer(place.desk, place.desk_address, place.home, place.agent)
    replayer = peer(store, place.desk_address, place.home, place.agent, port=node.port)
    return SimpleNamespace(cluster=cluster, node=node, replayer=replayer, durability=request.param)


def replay(site, delay_ms):
    """The code that the other host answers with, so long after the first one has accepted."""
    request = site.node.build(lifetime=600)
    site.node.send(request)
    assert site.node.reply(request).code == 0
    time.sleep(delay_ms / 1000)
    site.replayer.send(request)
    return site.node.reply(request).code


def test_a_request_is_good_at_another_host_until_that_has_read_of_it(site, capsys):
    first, second = site.cluster.daemons.values()
    codes = {ms: [replay(site, ms) for _ in range(ROUNDS)] for ms in DELAYS_MS}
    with capsys.disabled():
        print(f"\n{site.durability}: accepted a second time at another host, of {ROUNDS}, so many ms "
              f"after the first answer:", {ms: c.count(0) for ms, c in codes.items()})
    assert {c for all_codes in codes.values() for c in all_codes} <= {0, 133}
    wait_binding(second, site.node.home, site.node.care_of)
    until(lambda: own(second)["lag-entries"] == 0, "it has read everything")
    request = site.node.build()
    site.node.send(request)
    assert site.node.reply(request).code == 0
    until(lambda: second.binding(site.node.home)["remaining"] > 0
          and own(second)["lag-entries"] == 0 and own(first)["queued"] == 0, "it has read of it")
    wait_following(second)
    site.replayer.send(request)
    assert site.node.reply(request).code == 133


def test_while_a_host_is_cut_off_the_tolerance_is_the_bound(site):
    """A timestamp that is older than registration.timestamp-tolerance is refused anywhere."""
    conf = dict(site.cluster.daemons[1].conf)
    conf["registration"]["timestamp-tolerance"] = 1
    site.cluster.daemons[1].write_config(conf)
    site.cluster.daemons[1].reload()
    site.cluster.cut(1)
    assert replay(site, 0) == 0                         # it has no way to know
    assert replay(site, 1100) == 133
