# SPDX-License-Identifier: BSD-2-Clause
"""Several home agents, one service: state shared over a real redis-server, and hot standby."""

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.cluster import (Cluster, own, show, wait_answers, wait_binding, wait_following)
from fixtures.wait import until


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
    ours, theirs = active.binding(node.home), standby.binding(node.home)
    assert abs(ours.pop("remaining") - theirs.pop("remaining")) <= 1
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
