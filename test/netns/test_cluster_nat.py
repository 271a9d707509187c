# SPDX-License-Identifier: BSD-2-Clause
"""
Hot standby of xhad, for a laptop behind a NAT: its UDP tunnel ends at the address that VRRP moves,
so the NAT's mapping is good for the other host, too.
"""

import time

import pytest

from fixtures import mobileip as mip
from fixtures.cluster import Cluster, Keepalived, wait_binding, wait_following
from fixtures.wait import until


@pytest.fixture
def site(net, workdir, things, run_daemon, bindir):
    cluster = Cluster(net, workdir, things, run_daemon)
    place = cluster.place
    hotel, place.laptop = net.host("hotel", router=True), net.host("laptop")
    net.link(place.router, "hotel0", "203.0.113.1/24", hotel, "wan0", "203.0.113.7/24")
    net.link(hotel, "lan0", "192.168.44.1/24", place.laptop, "eth0", "192.168.44.10/24")
    hotel.route("default", "203.0.113.1")
    hotel.masquerade("wan0")
    place.laptop.route("default", "192.168.44.1")
    cluster.keepers = []
    for i in (0, 1):
        conf = cluster.conf(i) | {"forwarding": {"policy": "any"}}
        del conf["trusted-networks"]
        wait_following(cluster.start(i, conf, program="xhad"))
    for i in (0, 1):
        cluster.keepers.append(Keepalived(cluster.daemons[i], bindir, workdir, f"keepalived{i + 1}",
                                          100 - 10 * i))
        things.append(cluster.keepers[i])
        cluster.keepers[i].start()
        if i == 0:
            until(lambda: cluster.daemons[0].status()["cluster-role"] == "active",
                  cluster.keepers[0].log())
    return cluster


@pytest.mark.parametrize("what", ["host", "daemon alone"])
def test_a_tunnel_through_a_nat_lives_on(site, peer, correspondent, what, capsys):
    place, (active, standby) = site.place, site.daemons.values()
    server = correspondent(place.server, place.server_address)
    node = peer(place.laptop, "192.168.44.10", place.home, place.agent)
    assert node.register(lifetime=600, extensions=mip.udp_tunnel_request()).udp[0] == 0
    wait_binding(standby, node.home, node.care_of)
    ours, theirs = active.binding(node.home), standby.binding(node.home)
    for name in ("encapsulation", "source-address", "source-port"):
        assert ours[name] == theirs[name]
    server.send(b"before", (place.home, 7000))
    assert node.receive_udp().data == b"before"
    if what == "host":
        site.keepers[0].kill()
        place.agents[0].host.ip("link set eth0 down")
    active.kill()
    begun, sent, back = time.monotonic(), 0, None
    while not back and time.monotonic() - begun < 20:
        server.send(b"%d" % sent, (place.home, 7000))   # the node says nothing meanwhile
        sent += 1
        try:
            back = node.receive_udp(0.02)
        except AssertionError:
            pass
    gap_s = time.monotonic() - begun
    assert back, standby.log()
    until(lambda: standby.status()["cluster-answers"], "the other host answers")
    server.send(b"still here", (place.home, 7000))
    while back.data != b"still here":
        back = node.receive_udp()
    node.send_udp(mip.udp_packet(place.home, 7000, place.server_address, 7000, b"and back"))
    assert server.receive()[0] == b"and back"
    assert node.register(lifetime=600, extensions=mip.udp_tunnel_request()).udp[0] == 0
    assert standby.binding(node.home)["source-port"] == ours["source-port"]     # one mapping all along
    with capsys.disabled():
        print(f"\nxhad, UDP tunnel through a NAT, kill -9 of the {what}: gap {1000 * gap_s:.0f} ms, "
              f"{sent - 1} packets lost at most")
