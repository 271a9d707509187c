# SPDX-License-Identifier: BSD-2-Clause
"""Home networks that come and go by a reload."""

import json

import pytest

from fixtures import mobileip as mip
from fixtures import topology

NEW, GUEST = "10.51.0.0/16", "guest@corp.example"
HOME = "10.51.0.7"


def routes(campus):
    """Where they lead into the tunnels."""
    rows = json.loads(campus.ha.ip_show("-j", "route"))
    return {row["dst"] for row in rows if row["dev"] == "ihad0"}


def with_new(conf, **settings):
    """Another home network, and a node in it."""
    network = {"prefix": NEW} | {k.replace("_", "-"): v for k, v in settings.items()}
    return conf | {"home-networks": conf["home-networks"] + [network],
                   "mobile-nodes": conf["mobile-nodes"] + [topology.node(HOME)]}


def carries(node, server, home=HOME):
    """A packet each way."""
    server.send(b"in", (home, 6000))
    assert node.receive_ipip()[1].data == b"in"
    node.send_ipip(mip.udp_packet(home, 6000, server.address, 7000, b"out"))
    assert server.receive() == (b"out", (home, 6000))


@pytest.fixture
def server(campus, correspondent):
    campus.router.route(NEW, campus.agent)
    s = correspondent(campus.server, campus.server_address)
    s.address = campus.server_address
    return s


@pytest.fixture(params=["tun", "tc", "xdp"])
def tiered(request, net, campus):
    """A configuration for each tier."""
    if request.param != "tun":
        net.prepare_for_bpf()
    return campus.ihad_conf | {"tunnel": {"data-path": request.param}}


def test_one_that_a_reload_brings_is_served(campus, tiered, run_daemon, peer, desk, server):
    ihad = run_daemon(campus.ha, "ihad", tiered)
    desk.register()
    ihad.write_config(with_new(ihad.conf))
    assert ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
    assert ihad.wait_event("home-network-added")[0]["network"] == NEW
    assert routes(campus) == {"10.50.0.0/16", NEW}
    node = peer(campus.desk, "10.1.0.11", HOME, campus.agent)
    node.register()
    node.listen_ipip()
    for _ in range(3):
        carries(node, server)
    assert ihad.status()["data-path"] == tiered["tunnel"]["data-path"]
    assert ihad.binding(campus.home), "that of before goes on"


def test_one_that_is_gone_is_served_no_more(campus, tiered, run_daemon, peer, desk, server):
    ihad = run_daemon(campus.ha, "ihad", with_new(tiered))
    desk.register()
    node = peer(campus.desk, "10.1.0.11", HOME, campus.agent)
    node.register()
    node.listen_ipip()
    carries(node, server)
    ihad.write_config(ihad.conf | {k: tiered[k] for k in ("home-networks", "mobile-nodes")})
    ihad.reload()
    (ended,) = ihad.wait_event("binding-ended")
    assert (ended["home-address"], ended["reason"]) == (HOME, "mobile-node-gone")
    assert ihad.wait_event("home-network-removed")[0]["network"] == NEW
    assert routes(campus) == {"10.50.0.0/16"}
    assert [b["home-address"] for b in ihad.bindings()] == [campus.home]
    server.send(b"too late", (HOME, 6000))
    desk.listen_ipip()
    carries(desk, server, campus.home)
    assert node.no_ipip()


def ask(node, home="0.0.0.0", nai=GUEST):
    request = node.build(home=home, extensions=mip.revocation_support() + mip.nai(nai))
    node.send(request)
    return node.reply(request)


def test_leases_of_one_that_is_gone_are_let_go(campus, run_daemon, peer):
    conf = campus.ihad_conf
    conf["home-networks"] = [{"prefix": "10.50.0.0/16"}]
    conf["mobile-nodes"].append(topology.node(None, nai=GUEST))
    ihad = run_daemon(campus.ha, "ihad", conf | {"home-networks": [
        {"prefix": "10.50.0.0/16"}, {"prefix": NEW, "dynamic-pool": "10.51.128.0/24"}]})
    node = peer(campus.desk, "10.1.0.11", "0.0.0.0", campus.agent)
    told = peer(campus.desk, "10.1.0.11", "0.0.0.0", "0.0.0.0", port=mip.PORT)
    lease = ask(node).home
    assert lease.startswith("10.51.128.")
    ihad.write_config(ihad.conf | {"home-networks": [
        {"prefix": "10.50.0.0/16", "dynamic-pool": "10.50.128.0/24"}]})
    ihad.reload()
    (ended,) = ihad.wait_event("binding-ended")
    assert (ended["home-address"], ended["reason"]) == (lease, "home-network-gone")
    message = mip.parse_revocation(told.receive(mip.REVOCATION)[0])
    assert message.home == lease and message.is_authentic(topology.SA)
    assert ihad.bindings() == []
    (row,) = [n for n in ihad.hactl("show", "mobile-nodes") if n["nai"] == GUEST]
    assert not row["home-address"]
    assert ask(node, lease).code == 129
    assert ask(node).home.startswith("10.50.128.")


@pytest.fixture
def guests(campus, run_daemon, peer):
    """guests(pool, cnt): a home agent with leases from that pool, and who has them."""

    def make(pool, cnt):
        conf = campus.ihad_conf
        conf["home-networks"] = [{"prefix": "10.50.0.0/16", "dynamic-pool": pool}]
        conf["mobile-nodes"] += [topology.node(None, nai=f"guest{i}@corp.example")
                                 for i in range(cnt)]
        return (run_daemon(campus.ha, "ihad", conf),
                peer(campus.desk, "10.1.0.11", "0.0.0.0", campus.agent))

    return make


def change_pool(ihad, pool):
    ihad.write_config(ihad.conf | {"home-networks": [{"prefix": "10.50.0.0/16",
                                                      "dynamic-pool": pool}]})
    ihad.reload()


def test_a_lease_that_a_changed_pool_does_not_have_outlives_a_kill(guests):
    ihad, node = guests("10.50.128.0/24", 1)
    lease = ask(node, nai="guest0@corp.example").home
    change_pool(ihad, "10.50.129.0/24")
    assert ask(node, lease, "guest0@corp.example").code == 0
    ihad.kill()
    ihad.start()
    assert [b["home-address"] for b in ihad.bindings()] == [lease]
    reply = ask(node, lease, "guest0@corp.example")
    assert (reply.code, reply.home) == (0, lease)


def test_who_gets_no_lease_is_told_nobody_elses(guests):
    """Of a pool that became smaller all is given: what is left of it is a lease of before."""
    ihad, node = guests("10.50.128.0/24", 5)
    assert [ask(node, nai=f"guest{i}@corp.example").home for i in range(3)] == \
        ["10.50.128.1", "10.50.128.2", "10.50.128.3"]
    change_pool(ihad, "10.50.128.0/31")
    assert ask(node, nai="guest3@corp.example").home == "10.50.128.0"
    reply = ask(node, nai="guest4@corp.example")
    assert (reply.code, reply.home) == (130, "0.0.0.0")


def test_a_route_that_the_host_refuses_refuses_all_of_it(campus, run_daemon, peer, server):
    ihad = run_daemon(campus.ha, "ihad", campus.ihad_conf)
    campus.ha.ip("route add 10.52.0.0/16 via 10.0.0.1")
    conf = with_new(ihad.conf)
    conf["home-networks"] = conf["home-networks"][1:] + [
        {"prefix": "10.50.0.0/16", "dynamic-pool": "10.50.129.0/24"}, {"prefix": "10.52.0.0/16"}]
    ihad.write_config(conf)
    done = ihad.hactl("reload", check=False)
    assert done.returncode == 1 and done.stderr.endswith("the log says why\n")
    assert "10.52.0.0/16" in ihad.wait_event("data-path-refused")[0]["what"]
    assert ihad.wait_event("reload-failed")
    assert routes(campus) == {"10.50.0.0/16"}
    assert HOME not in [n["home-address"] for n in ihad.hactl("show", "mobile-nodes")]
    campus.ha.ip("route del 10.52.0.0/16")
    ihad.reload()
    ihad.wait_event("home-network-added", 2)
    assert routes(campus) == {"10.50.0.0/16", NEW, "10.52.0.0/16"}
    node = peer(campus.desk, "10.1.0.11", HOME, campus.agent)
    node.register()
    node.listen_ipip()
    carries(node, server)


def test_a_route_that_is_taken_away_comes_back_as_those_of_the_first_file_do(campus, ihad):
    ihad.write_config(with_new(ihad.conf))
    ihad.reload()
    ihad.wait_event("home-network-added")
    campus.ha.ip(f"route del {NEW}")
    ihad.wait_event("data-path-repaired")
    assert routes(campus) == {"10.50.0.0/16", NEW}
