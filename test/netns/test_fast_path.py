# SPDX-License-Identifier: BSD-2-Clause
"""
The fast path, tiers tc and xdp: when it carries the packets, when it does not, and that it stays in
place while its daemon is away and no longer than that. That it does the same as tun is shown by all
the other tests, run with HA_DATA_PATH=tc and =xdp.
"""

import json
import os
import signal
import socket
import time
from types import SimpleNamespace

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.namespaces import run
from fixtures.programs import Counting, bpffs_of
from fixtures.wait import until

SECONDS_TO_LOOK = 1     # a negative takes as long as a packet could take on a busy machine


@pytest.fixture(params=["tc", "xdp"])
def tier(request, net):
    net.prepare_for_bpf()
    return request.param


def conf_of(campus, data_path, **tunnel):
    return campus.ihad_conf | {
        "tunnel": {"data-path": data_path} | {k.replace("_", "-"): v for k, v in tunnel.items()}}


@pytest.fixture
def fast(campus, tier, run_daemon, desk, correspondent, workdir):
    """ihad on this tier, a node at its desk, a server; .both_ways() carries a packet each way."""
    f = SimpleNamespace(tier=tier, campus=campus, desk=desk, directory=bpffs_of(workdir, "ihad"))
    f.ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier))
    f.server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.listen_ipip()

    def to_node(text=b"in"):
        f.server.send(text, (campus.home, 6000))
        assert desk.receive_ipip()[1].data == text

    def from_node(text=b"out"):
        desk.send_ipip(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, text))
        assert f.server.receive() == (text, (campus.home, 6000))

    def both_ways(times=1):
        for i in range(times):
            to_node(b"in %d" % i)
            from_node(b"out %d" % i)

    f.to_node, f.from_node, f.both_ways = to_node, from_node, both_ways
    f.both_ways()       # neighbours are known from here on
    f.counting = Counting(f.ihad)
    return f


def attached(host, interface="eth0"):
    """What hangs on an interface: a set of "xdp" and "tc"."""
    found = set()
    if "xdp" in host.ip_show("link", "show", interface):
        found.add("xdp")
    if "434" in host.run(["tc", "filter", "show", "dev", interface, "ingress"],
                         check=False).stdout:
        found.add("tc")
    return found


def has_clsact(host, interface="eth0"):
    return "clsact" in host.run(["tc", "qdisc", "show", "dev", interface]).stdout


def carried(counting):
    return counting["fast-path-packets"]


# --- it carries, and says so ---

def test_status_names_tier_and_interface_and_why(fast):
    status = fast.ihad.status()
    assert status["data-path"] == fast.tier
    assert status["data-path-eth0"] == {"tc": "tc: by tunnel.data-path",
                                        "xdp": "xdp: native"}[fast.tier]
    assert attached(fast.campus.ha) == {fast.tier}


def test_packets_of_a_binding_are_counted_once_whoever_carried_them(fast):
    before = fast.ihad.binding(fast.campus.home)
    fast.both_ways(20)
    after = fast.ihad.binding(fast.campus.home)
    assert after["packets-to-node"] - before["packets-to-node"] == 20
    assert after["packets-from-node"] - before["packets-from-node"] == 20
    assert fast.counting["packets-to-nodes"] == fast.counting["packets-from-nodes"] == 20
    assert carried(fast.counting) >= 36     # one a second goes by the kernel


def test_second_binding_takes_a_node_off_the_fast_path_and_keeps_its_count(fast, peer):
    fast.both_ways(5)
    before = fast.ihad.binding(fast.campus.home)
    other = peer(fast.campus.desk, "10.1.0.11", fast.campus.home, fast.campus.agent)
    other.register(flags=mip.D | mip.T | mip.S)
    other.listen_ipip()
    done = carried(fast.counting)
    fast.both_ways(3)
    for _ in range(3):
        other.receive_ipip()
    assert carried(fast.counting) == done
    rows = {b["care-of-address"]: b for b in fast.ihad.bindings()}
    assert rows["10.1.0.10"]["packets-to-node"] == before["packets-to-node"] + 3
    assert rows["10.1.0.11"]["packets-to-node"] == 3
    other.deregister()
    fast.both_ways(3)
    assert carried(fast.counting) >= done + 4
    assert fast.ihad.binding(fast.campus.home)["packets-to-node"] == before["packets-to-node"] + 6


COUNTS = ("packets-to-node", "bytes-to-node", "packets-from-node", "bytes-from-node")


def counts_of(fast):
    binding = fast.ihad.binding(fast.campus.home)
    return [binding[name] for name in COUNTS]


def test_count_of_a_binding_goes_on_after_a_kill_whoever_carried_what(fast):
    fast.both_ways(3)
    by_programs = carried(fast.counting)
    # Two fragments, which are tun's, and which makes two of the first.
    fast.server.send(b"x" * 2000, (fast.campus.home, 6000))
    for _ in range(3):
        fast.desk.receive_ipip()
    before = counts_of(fast)
    assert carried(fast.counting) == by_programs
    fast.ihad.kill()
    fast.ihad.start()
    assert counts_of(fast) == before
    fast.both_ways()
    assert counts_of(fast) == [n + more for n, more in zip(before, (1, 32, 1, 33))]


def test_move_takes_effect_at_once_and_begins_a_count_of_its_own(fast, peer):
    fast.both_ways(5)
    other = peer(fast.campus.desk, "10.1.0.11", fast.campus.home, fast.campus.agent)
    other.listen_ipip()
    other.register()
    fast.server.send(b"there", (fast.campus.home, 6000))
    assert other.receive_ipip()[1].data == b"there"
    assert fast.desk.no_ipip()
    assert fast.ihad.binding(fast.campus.home)["packets-to-node"] == 1


def test_wrong_outer_source_is_dropped_counted_and_logged(fast, peer):
    thief = peer(fast.campus.desk, "10.1.0.12", fast.campus.home, fast.campus.agent)
    for _ in range(40):
        thief.send_ipip(mip.udp_packet(fast.campus.home, 6000, fast.campus.server_address, 7000,
                                       b"stolen"))
    fast.ihad.wait_counter("drops-tunnel-wrong-source", 40)
    assert fast.counting["drops-tunnel-wrong-source"] == 40
    assert fast.counting["fast-path-drops"] > 0
    assert fast.ihad.events("tunnel-wrong-source")
    assert fast.server.heard_nothing()


def drops(agent):
    """{interface: packets}, as hactl has it."""
    return {k[len("drops-"):]: v for k, v in agent.hactl("show", "data-path").items()
            if k.startswith("drops-")}


def thief_on_another_link(fast, net, peer):
    """A host at the home agent's eth1, and packets in the node's name from there."""
    other = net.host("other")
    net.link(fast.campus.ha, "eth1", "10.4.0.2/24", other, "eth0", "10.4.0.9/24")
    other.route(fast.campus.agent, "10.4.0.2")
    until(lambda: fast.ihad.status().get("data-path-eth1", "tun").partition(":")[0] != "tun",
          "eth1 is attached")
    return peer(other, "10.4.0.9", fast.campus.home, fast.campus.agent)


def test_drops_are_counted_by_the_interface_they_came_by(fast, net, peer):
    """What the fast path left to tun, that it logs them, tun has dropped."""
    thieves = {"eth0": peer(fast.campus.desk, "10.1.0.12", fast.campus.home, fast.campus.agent),
               "eth1": thief_on_another_link(fast, net, peer)}
    before = drops(fast.ihad)
    assert set(before) == {"eth0", "eth1", "ihad0"} and before["eth1"] == 0
    done = 0
    for interface, cnt in (("eth0", 60), ("eth1", 90)):
        for _ in range(cnt):
            thieves[interface].send_ipip(mip.udp_packet(fast.campus.home, 6000,
                                                        fast.campus.server_address, 7000, b"stolen"))
        done += cnt
        fast.ihad.wait_counter("drops-tunnel-wrong-source", done)
    now = {k: v - before[k] for k, v in drops(fast.ihad).items()}
    assert sum(now.values()) == done == fast.counting["drops-tunnel-wrong-source"]
    assert now["eth0"] + now["eth1"] == fast.counting["fast-path-drops"]
    assert 0 < now["eth0"] <= 60 and 0 < now["eth1"] <= 90
    fast.both_ways(3)
    assert {k: v - before[k] for k, v in drops(fast.ihad).items()} == now


def test_drops_by_interface_begin_anew_with_the_daemon_and_go_with_the_interface(fast, net, peer):
    thief = thief_on_another_link(fast, net, peer)

    def steal(cnt=40):
        begun = fast.ihad.counter("drops-tunnel-wrong-source")
        for _ in range(cnt):
            thief.send_ipip(mip.udp_packet(fast.campus.home, 6000, fast.campus.server_address, 7000,
                                           b"stolen"))
        fast.ihad.wait_counter("drops-tunnel-wrong-source", begun + cnt)
    steal()
    assert drops(fast.ihad)["eth1"] > 0
    fast.ihad.kill()
    fast.ihad.start()
    fast.desk.register()
    assert fast.ihad.events("data-path-opened")[-1]["adopted"] == "true"
    assert drops(fast.ihad)["eth1"] == 0        # what it counts is since its start
    steal()
    assert 0 < drops(fast.ihad)["eth1"] <= 40
    fast.campus.ha.ip("link del eth1")
    until(lambda: "eth1" not in drops(fast.ihad), "eth1 is forgotten")
    entries = json.loads(run(["bpftool", "--json", "map", "dump", "pinned",
                              f"{fast.directory}/ha_drops"]).stdout)
    assert len(entries) == 1                    # eth0's


def test_renewal_goes_on_by_the_fast_path(fast):
    fast.desk.register(lifetime=4)
    ends = time.monotonic() + 4.1
    fast.desk.register(lifetime=600)
    until(lambda: time.monotonic() > ends, "the first lifetime is over")
    done = carried(fast.counting)
    fast.both_ways(3)
    assert carried(fast.counting) >= done + 4


def test_deregistration_ends_it(fast):
    fast.desk.deregister()
    fast.server.send(b"late", (fast.campus.home, 6000))
    fast.ihad.wait_counter("drops-no-binding", 1)
    assert fast.desk.no_ipip()


def test_new_policy_holds_for_the_next_packet(internet, tier, net, run_daemon, peer,
                                              correspondent):
    conf = internet.xhad_conf | {"tunnel": {"data-path": tier}}
    xhad = run_daemon(internet.xha, "xhad", conf)
    roamer = peer(internet.roamer, internet.roamer_address, internet.home, internet.agent)
    gateway = correspondent(internet.vpn, internet.vpn_address, 7000)
    ike = correspondent(internet.vpn, internet.vpn_address, 500)
    roamer.register()

    def send(port):
        roamer.send_ipip(mip.udp_packet(internet.home, port, internet.vpn_address, port, b"x"))

    for _ in range(3):
        send(7000)
        gateway.receive()
    assert xhad.counter("fast-path-packets") > 0
    only = {"forwarding": {"policy": "ipsec-only", "vpn-gateways": [internet.vpn_address]},
            "tunnel": xhad.conf["tunnel"]}
    xhad.write_config(xhad.conf | only)
    xhad.reload()
    carried_before = xhad.counter("fast-path-packets")
    for _ in range(30):
        send(7000)
    xhad.wait_counter("drops-filter", 30)
    assert gateway.heard_nothing()
    for _ in range(3):
        send(500)
        ike.receive()
    assert xhad.counter("fast-path-packets") > carried_before
    assert xhad.counter("fast-path-drops") > 0


# --- it outlives its daemon, but no binding ---

def test_killed_daemon_loses_no_packet(fast):
    fast.ihad.kill()
    fast.both_ways(50)
    assert attached(fast.campus.ha) == {fast.tier}
    fast.ihad.start()
    opened = fast.ihad.events("data-path-opened")[-1]
    assert opened["adopted"] == "true"
    # Whatever the daemon found in its store is carried on, and nothing else.
    if fast.ihad.binding(fast.campus.home):
        fast.both_ways(5)
    else:
        fast.server.send(b"who?", (fast.campus.home, 6000))
        fast.ihad.wait_counter("drops-no-binding", 1)
        assert fast.desk.no_ipip()
        assert fast.ihad.events("data-path-reconciled")[-1]["removed"] == "1"
    fast.desk.register()
    fast.both_ways(5)


def flows_for(fast, seconds):
    """Packets, first all one way and then the other, and none lost: each way for that long."""
    for way in (fast.from_node, fast.to_node):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            way()


@pytest.mark.parametrize("away", ["killed", "hung", "stopped"])
def test_no_packet_waits_for_a_daemon_that_is_away(fast, away):
    fast.ihad.stop()
    fast.campus.ha.sysctl({"net.ipv4.ip_forward": 0})
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"keep-forwarding": away == "stopped"}})
    fast.ihad.start()
    fast.desk.register()
    fast.both_ways(2)
    if away == "hung":
        fast.ihad.process.send_signal(signal.SIGSTOP)
        flows_for(fast, 1.5)
    if away == "stopped":
        fast.ihad.stop()
    else:
        fast.ihad.kill()
    flows_for(fast, 1.5)
    fast.ihad.start()
    assert fast.ihad.events("data-path-opened")[-1]["adopted"] == "true"
    fast.both_ways(10)
    fast.ihad.stop()
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"keep-forwarding": False}})
    fast.ihad.start()                       # so that it takes away what was kept


class Router:
    """The home agent's only neighbour, as its kernel sees it."""

    ADDRESS = "10.0.0.1"

    def __init__(self, host):
        self._host = host
        self._mac = self._words()[-2]

    def _words(self):
        shown = self._host.run(["ip", "neigh", "show", self.ADDRESS, "dev", "eth0"]).stdout
        return shown.split()                # ... lladdr MAC STATE

    def state(self):
        return self._words()[-1]

    def set(self, state):
        self._host.run(["ip", "neigh", "replace", self.ADDRESS, "dev", "eth0",
                        "lladdr", self._mac, "nud", state])


def test_stale_neighbour_that_packets_go_to_is_asked_for(fast, campus):
    router, before = Router(campus.ha), carried(fast.counting)
    router.set("stale")
    fast.both_ways(3)
    until(lambda: router.state() != "STALE", "the kernel was told that it is in use")
    assert router.state() in ("DELAY", "PROBE", "REACHABLE")
    assert carried(fast.counting) == before + 6     # and none of them went by the kernel for it


def test_neighbour_that_is_set_by_hand_stays_so(fast, campus):
    router = Router(campus.ha)
    router.set("permanent")
    flows_for(fast, 1.5)
    assert router.state() == "PERMANENT"


def test_killed_daemon_forwards_nothing_beyond_a_lifetime(fast):
    fast.desk.register(lifetime=8)
    granted = time.monotonic()
    fast.ihad.kill()
    fast.both_ways()
    until(lambda: time.monotonic() > granted + 8.1, "the lifetime is over")
    fast.server.send(b"late", (fast.campus.home, 6000))
    with pytest.raises(AssertionError):
        fast.desk.receive_ipip(SECONDS_TO_LOOK)
    fast.ihad.start()


def test_clean_stop_leaves_nothing(fast):
    assert os.listdir(fast.directory)
    fast.ihad.stop()
    assert attached(fast.campus.ha) == set() and not has_clsact(fast.campus.ha)
    assert not os.path.exists(fast.directory)


def test_filters_and_hook_of_others_stay(fast, campus):
    if not has_clsact(campus.ha):
        campus.ha.run(["tc", "qdisc", "add", "dev", "eth0", "clsact"])
    campus.ha.run(["tc", "filter", "add", "dev", "eth0", "egress", "prio", "7", "protocol", "ip",
                   "bpf", "bytecode", "1,6 0 0 0,"])
    fast.both_ways()
    fast.ihad.stop()
    assert has_clsact(campus.ha)
    assert "pref 7" in campus.ha.run(["tc", "filter", "show", "dev", "eth0", "egress"]).stdout
    assert attached(campus.ha) == set()


def test_what_a_stop_leaves_is_as_the_last_reload_has_it(fast, campus):
    for keep in (True, False):
        fast.ihad.write_config(fast.ihad.conf | {
            "tunnel": fast.ihad.conf["tunnel"] | {"keep-forwarding": keep}})
        assert fast.ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
        fast.ihad.stop()
        assert bool(attached(campus.ha)) == keep
        if keep:
            fast.both_ways(3)
            fast.ihad.start()


def test_udp_checksums_follow_a_reload(fast, campus, capture):
    fast.desk.register(extensions=mip.udp_tunnel_request(forced=True))
    wire = capture(campus.desk, "eth0")
    fast.server.socket.setsockopt(socket.SOL_SOCKET, 11, 1)     # SO_NO_CHECK: it has none itself

    def sums():
        wire.clear()
        for _ in range(3):
            fast.server.send(b"in udp", (campus.home, 6000))
            assert fast.desk.receive_udp().data == b"in udp"
        frames = [f for f in wire.frames() if f[12:14] == b"\x08\0" and b"in udp" in f]
        return {f[40:42] != b"\0\0" for f in frames if f[23] == 17}

    assert False in sums()
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"udp-checksums": True}})
    assert fast.ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
    assert sums() == {True}


def test_kept_forwarding_goes_on_until_a_daemon_takes_it_away(fast, campus):
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"keep-forwarding": True}})
    fast.ihad.stop()
    campus.ha.sysctl({"net.ipv4.ip_forward": 0})
    fast.ihad.start()
    fast.desk.register()
    fast.both_ways(2)
    fast.ihad.stop()
    fast.both_ways(3)               # net.ipv4.ip_forward, too, is as the daemon had it
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"data-path": "tun"}})
    fast.ihad.start()
    assert fast.ihad.events("data-path-cleaned")
    assert attached(campus.ha) == set() and not os.path.exists(fast.directory)
    assert fast.ihad.status()["data-path"] == "tun"
    fast.desk.register()
    fast.both_ways()
    fast.ihad.stop()                # which leaves nothing that forwards
    assert campus.ha.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"


def test_command_takes_away_what_a_daemon_left(fast, campus, bindir):
    command = [os.path.join(bindir, "ihad"), "--config", fast.ihad.config_path, "--remove-data-path"]
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"keep-forwarding": True}})
    fast.ihad.stop()
    campus.ha.sysctl({"net.ipv4.ip_forward": 0})
    fast.ihad.start()
    refused = campus.ha.run(command, check=False)
    assert refused.returncode == 3 and "stop the daemon first" in refused.stderr
    fast.desk.register()
    fast.both_ways(2)
    fast.ihad.stop()
    fast.both_ways(2)
    assert "event=data-path-cleaned" in campus.ha.run(command).stderr
    assert attached(campus.ha) == set() and not has_clsact(campus.ha)
    assert os.listdir(fast.directory) == []
    assert campus.ha.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "0\n"
    assert "data-path-cleaned" not in campus.ha.run(command).stderr     # nothing is left to do
    os.rmdir(fast.directory)


def test_what_hung_on_an_interface_that_is_gone_goes_at_the_next_start(fast, campus):
    campus.ha.ip("link add new0 type veth peer name new1", "link set new1 up", "link set new0 up")
    index = campus.ha.run(["cat", "/sys/class/net/new0/ifindex"]).stdout.strip()

    def pins():
        return {name for name in os.listdir(fast.directory) if name.split("-")[1:2] == [index]}
    until(pins, "new0 is attached")
    fast.ihad.kill()
    campus.ha.ip("link del new0")
    assert pins()
    fast.ihad.start()
    assert not pins()
    assert attached(campus.ha) == {fast.tier}
    fast.desk.register()
    fast.both_ways()


def test_filter_of_another_home_agent_address_goes_and_its_hook_stays(campus, run_daemon):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, "tc"))
    ihad.kill()
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    ihad.write_config(ihad.conf | {
        "home-agent": ihad.conf["home-agent"] | {"address": "10.0.0.3"}})
    ihad.start()
    filters = campus.ha.run(["tc", "filter", "show", "dev", "eth0", "ingress"]).stdout
    assert "0xa000003 " in filters and "0xa000002 " not in filters
    ihad.stop()
    assert attached(campus.ha) == set() and not has_clsact(campus.ha)


# --- what stands in the way: the daemon serves on, on the tier below, and says so ---

def serves_on_tun(daemon, desk, server, campus):
    desk.register()
    desk.listen_ipip()
    server.send(b"slow but sure", (campus.home, 6000))
    assert desk.receive_ipip()[1].data == b"slow but sure"
    assert daemon.status()["data-path"] == "tun"
    assert daemon.counter("fast-path-packets") == 0
    return daemon.events("data-path-degraded")[0]


def says_why(daemon, event):
    what, error = (event[word].strip('"') for word in ("what", "error"))
    return daemon.status()["no-fast-path"] == f"{what}: {error}"


def test_no_bpf_file_system(campus, tier, run_daemon, desk, server, workdir):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier, bpffs=f"{workdir}/elsewhere/ihad"))
    event = serves_on_tun(ihad, desk, server, campus)
    assert f"mount -t bpf bpf {workdir}/elsewhere" in event["remedy"]
    assert says_why(ihad, event)
    assert not os.path.exists(f"{workdir}/elsewhere")


def test_directory_where_a_map_is_to_be_pinned(campus, tier, run_daemon, desk, server, workdir):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier), start=False)
    in_the_way = f"{bpffs_of(workdir, 'ihad')}/ha_config"
    os.makedirs(in_the_way)
    ihad.start()
    event = serves_on_tun(ihad, desk, server, campus)
    assert event["remedy"] == f'"remove the directory {in_the_way}"'
    assert says_why(ihad, event)
    ihad.stop()
    os.rmdir(in_the_way)
    ihad.start()
    assert ihad.status()["data-path"] == tier


def test_no_cap_bpf(campus, tier, run_daemon, desk, server):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier), start=False)
    ihad.argv = ["setpriv", "--bounding-set=-bpf,-sys_admin,-perfmon", *ihad.argv]
    ihad.start()
    event = serves_on_tun(ihad, desk, server, campus)
    assert "CAP_BPF" in event["remedy"]
    assert says_why(ihad, event)


def test_verifier_that_refuses_the_programs(campus, tier, run_daemon, desk, server):
    """As one of an older kernel does: without CAP_PERFMON this one is as narrow."""
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier), start=False)
    ihad.argv = ["setpriv", "--bounding-set=-sys_admin,-perfmon", *ihad.argv]
    ihad.start()
    event = serves_on_tun(ihad, desk, server, campus)
    assert "load the programs" in event["what"]
    assert "BPF program load failed: Permission denied" in event["detail"]  # EPERM: it was not asked
    assert says_why(ihad, event)


def test_maps_full(campus, tier, run_daemon, desk, server, peer):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier, fast_path_nodes=1))
    other = peer(campus.desk, "10.1.0.11", campus.other_home, campus.agent, sa=topology.OTHER_SA)
    for node in (desk, other):
        node.register()
        node.listen_ipip()
    assert ihad.counter("fast-path-refusals") == 1
    assert "fast-path-nodes" in ihad.wait_event("data-path-degraded")[0]["remedy"]
    for node in (desk, other):
        server.send(b"to you", (node.home, 6000))
        assert node.receive_ipip()[1].data == b"to you"
    desk.deregister()
    other.register()            # there is room now
    assert ihad.counter("fast-path-refusals") == 1


def of_another_layout(directory):
    """The number alone is another: where it is kept has not moved."""
    config = f"{directory}/ha_config"
    shown = run(["bpftool", "--json", "map", "show", "pinned", config]).stdout
    size = json.loads(shown)["bytes_value"]
    for slot in ("0", "1"):
        run(["bpftool", "map", "update", "pinned", config, "key", slot, "0", "0", "0",
             "value", "99", *["0"] * (size - 1)])
    return "99"


def of_another_size(directory):
    """Of a time whose configuration was longer or shorter: what it holds cannot be read."""
    os.unlink(f"{directory}/ha_config")
    run(["bpftool", "map", "create", f"{directory}/ha_config", "type", "array", "key", "4",
         "value", "8", "entries", "2", "name", "ha_config"])
    return "0"


@pytest.mark.parametrize("change", [of_another_layout, of_another_size])
def test_pinned_maps_of_another_layout_are_laid_anew(fast, campus, change):
    fast.ihad.kill()
    layout = change(fast.directory)
    fast.ihad.start()
    assert fast.ihad.events("data-path-laid-anew")[0]["layout"] == layout
    fast.desk.register()
    fast.both_ways(2)
    assert attached(campus.ha) == {fast.tier}


def test_maps_that_have_become_too_small_are_laid_anew(fast, campus):
    fast.ihad.kill()
    fast.ihad.write_config(fast.ihad.conf | {
        "tunnel": fast.ihad.conf["tunnel"] | {"fast-path-nodes": 5000}})
    fast.ihad.start()
    assert fast.ihad.events("data-path-laid-anew")
    fast.desk.register()
    fast.both_ways(2)
    assert attached(campus.ha) == {fast.tier}


def test_directory_of_a_running_daemon_is_left_to_it(fast, campus, run_daemon, workdir):
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    conf = conf_of(campus, fast.tier, bpffs=fast.directory) | {
        "home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "10.60.0.0/16"}],
        "mobile-nodes": topology.nodes("10.60.0")[:1]}
    second = run_daemon(campus.ha, "xhad", {k: v for k, v in conf.items()
                                            if k != "trusted-networks"} | {
        "forwarding": {"policy": "any"}})
    assert "of its own" in second.events("data-path-degraded")[0]["remedy"]
    assert second.status()["data-path"] == "tun"
    fast.both_ways()
    second.stop()
    fast.both_ways(2)
    assert fast.ihad.status()["data-path"] == fast.tier


def test_interface_that_is_deleted_or_comes_is_followed(fast, campus):
    campus.ha.ip("link add new0 type veth peer name new1", "link set new0 up")
    until(lambda: "data-path-new0" in fast.ihad.status(), "new0 is attached")
    campus.ha.ip("link del new0")
    until(lambda: "data-path-new0" not in fast.ihad.status(), "new0 is forgotten")
    fast.both_ways()


def test_interface_in_use_that_is_deleted(fast, campus, net):
    campus.ha.ip("link del eth0")
    until(lambda: fast.ihad.status()["data-path"] == "tun", "nothing is attached any more")
    net.link(campus.router, "core0", "10.0.0.1/24", campus.ha, "eth0", "10.0.0.2/24")
    campus.ha.ip("link set eth0 down", "link set eth0 up")
    campus.ha.route("default", "10.0.0.1")
    campus.router.route("10.50.0.0/16", "10.0.0.2")
    until(lambda: fast.ihad.status()["data-path"] == fast.tier, "it is attached again")
    until(lambda: "10.50.0.0" in campus.ha.ip_show("route"), "the routes are back")
    done = carried(fast.counting)
    fast.both_ways(3)
    assert carried(fast.counting) > done


def test_hook_that_other_hands_took_away_is_put_back(campus, run_daemon):
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, "tc"))
    campus.ha.run(["tc", "qdisc", "del", "dev", "eth0", "clsact"])
    campus.ha.ip("link set eth0 txqueuelen 999")       # any change will do; else in 10 s
    until(lambda: attached(campus.ha) == {"tc"}, "the filter is back")
    assert ihad.status()["data-path"] == "tc"


def test_xdp_link_that_other_hands_detached_is_put_back(fast, campus):
    if fast.tier == "tc":
        pytest.skip("tc has no link")
    before = fast.ihad.hactl("show", "data-path")["repairs"]
    index = campus.ha.run(["cat", "/sys/class/net/eth0/ifindex"]).stdout.strip()
    run(["bpftool", "link", "detach", "pinned", f"{fast.directory}/xdp-{index}"])
    assert attached(campus.ha) == set()
    campus.ha.ip("link set eth0 txqueuelen 999")       # any change will do; else in 10 s
    until(lambda: attached(campus.ha) == {"xdp"}, "the link is back")
    event = fast.ihad.wait_event("data-path-repaired")[0]
    assert (event["interface"], event["program"], event["data-path"]) == ("eth0", "xdp", "xdp")
    assert fast.ihad.hactl("show", "data-path")["repairs"] == before + 1
    done = carried(fast.counting)
    fast.both_ways(5)
    assert carried(fast.counting) >= done + 8


def test_ports_of_a_bridge_are_left_alone(campus, run_daemon):
    campus.ha.ip("link add br0 type bridge", "link add port0 type veth peer name port1",
                 "link set port0 master br0", "link set br0 up", "link set port0 up")
    status = run_daemon(campus.ha, "ihad", conf_of(campus, "tc")).status()
    assert "data-path-br0" in status and "data-path-port0" not in status


def test_only_the_interfaces_that_are_named(campus, run_daemon):
    campus.ha.ip("link add new0 type veth peer name new1")
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, "tc", interfaces=["eth0", "eth9"]))
    status = ihad.status()
    assert "data-path-eth0" in status and "data-path-new0" not in status
    assert [e["interface"] for e in ihad.events("data-path-degraded")] == ["eth9"]
    assert attached(campus.ha, "new0") == set()


def test_interfaces_that_are_named_follow_a_reload(fast, campus):
    campus.ha.ip("link add new0 type veth peer name new1")
    for names, is_on in ((["new0", "eth9"], False), (["eth0"], True), ([], True)):
        fast.ihad.write_config(fast.ihad.conf | {
            "tunnel": fast.ihad.conf["tunnel"] | {"interfaces": names}})
        assert fast.ihad.hactl("reload", json_output=False) == "configuration reloaded\n"
        until(lambda: (fast.tier in attached(campus.ha),
                       bool(attached(campus.ha, "new0"))) == (is_on, names != ["eth0"]),
              f"interfaces are {names}")
        fast.both_ways(2)
    missing = [e["interface"] for e in fast.ihad.events("data-path-degraded")]
    assert missing.count("eth9") == 1


def test_auto_takes_xdp_only_where_redirected_packets_are_sent(campus, net, run_daemon):
    """A veth whose other end has neither GRO nor XDP loses them without a word."""
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, "auto"))
    assert ihad.status()["data-path-eth0"].startswith("tc: its other end does not take")
    net.prepare_for_bpf()
    campus.ha.ip("link set eth0 txqueuelen 999")
    until(lambda: ihad.status()["data-path-eth0"] == "xdp: native", "XDP takes its place")
    assert attached(campus.ha) == {"xdp"} and not has_clsact(campus.ha)


@pytest.fixture
def mixed(campus, net, run_daemon, desk, correspondent):
    """A home agent with eth0 on XDP and, since its other end has no GRO, lan0 on tc."""
    net.prepare_for_bpf()
    inside = net.host("inside")
    net.link(campus.ha, "lan0", "10.9.0.2/24", inside, "eth0", "10.9.0.1/24")
    inside.run(["ethtool", "-K", "eth0", "gro", "off"])
    inside.route("default", "10.9.0.2")
    m = SimpleNamespace(ihad=run_daemon(campus.ha, "ihad", conf_of(campus, "auto")))
    server = correspondent(inside, "10.9.0.1")
    desk.register()
    desk.listen_ipip()

    def both_ways(times):
        for i in range(times):
            server.send(b"in %d" % i, (campus.home, 6000))
            assert desk.receive_ipip()[1].data == b"in %d" % i
            desk.send_ipip(mip.udp_packet(campus.home, 6000, "10.9.0.1", 7000, b"out %d" % i))
            assert server.receive() == (b"out %d" % i, (campus.home, 6000))

    m.both_ways = both_ways
    m.both_ways(1)
    return m


def test_route_with_an_mtu_of_its_own_holds_for_what_the_fast_path_carries(fast, campus):
    """What has no DF is cut up for it; and when it has gone the fast path carries all again."""
    long = bytes(i & 0xff for i in range(1000))

    def send_long():
        fast.desk.send_ipip(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, long,
                                       df=False))
        assert fast.server.receive() == (long, (campus.home, 6000))

    def fragments():
        return int(campus.ha.run(["nstat", "-asz", "IpFragOKs"]).stdout.split()[-2])

    def sent_by_the_fast_path():
        done = carried(fast.counting)
        for _ in range(4):
            send_long()
        return carried(fast.counting) - done

    assert sent_by_the_fast_path() >= 2
    before = fragments()
    campus.ha.ip("route add 10.3.0.0/24 via 10.0.0.1 mtu 600")
    until(lambda: sent_by_the_fast_path() == 0, "the route's MTU is known")
    assert fragments() >= before + 4
    campus.ha.ip("route replace 10.3.0.0/24 via 10.0.0.1")
    until(lambda: sent_by_the_fast_path() >= 2, "it is gone")


def tiers_of(daemon, *interfaces):
    status = daemon.status()
    return [status[f"data-path-{i}"].split(":")[0] for i in interfaces]


def test_xdp_redirects_nothing_to_an_interface_on_tc_after_a_link_event_either(mixed, campus):
    assert tiers_of(mixed.ihad, "eth0", "lan0") == ["xdp", "tc"]
    mixed.both_ways(5)
    campus.ha.ip("link set eth0 txqueuelen 777", "link set lan0 mtu 1490",
                 "link add new0 type veth peer name new1")
    until(lambda: "data-path-new0" in mixed.ihad.status(), "the daemon has looked")
    assert tiers_of(mixed.ihad, "eth0", "lan0") == ["xdp", "tc"]
    mixed.both_ways(5)


def test_tc_behind_xdp_carries_what_leaves_by_an_interface_on_tc(mixed, campus):
    """And what neither carries is counted once."""
    assert mixed.ihad.status()["data-path-eth0"] == "xdp: native, tc behind it"
    assert attached(campus.ha) == {"xdp", "tc"} and attached(campus.ha, "lan0") == {"tc"}
    counting = Counting(mixed.ihad)
    mixed.both_ways(20)
    assert carried(counting) >= 36
    assert counting["fast-path-left"] == 40 - carried(counting)


def test_tc_behind_xdp_is_put_back_and_goes_with_the_last_interface_on_tc(mixed, campus):
    campus.ha.run(["tc", "qdisc", "del", "dev", "eth0", "clsact"])
    campus.ha.ip("link set eth0 txqueuelen 999")
    until(lambda: attached(campus.ha) == {"xdp", "tc"}, "the filter is back")
    mixed.both_ways(2)
    campus.ha.ip("link del lan0")
    until(lambda: mixed.ihad.status()["data-path-eth0"] == "xdp: native", "none is on tc")
    until(lambda: attached(campus.ha) == {"xdp"}, "and none behind XDP")
    assert not has_clsact(campus.ha)


def test_tc_behind_xdp_is_taken_over_and_taken_away(mixed, campus, bindir, workdir):
    mixed.ihad.kill()
    assert attached(campus.ha) == {"xdp", "tc"}
    mixed.ihad.start()
    assert mixed.ihad.events("data-path-opened")[-1]["adopted"] == "true"
    counting = Counting(mixed.ihad)
    mixed.both_ways(10)
    assert carried(counting) >= 16
    mixed.ihad.stop()
    assert attached(campus.ha) == set() and not has_clsact(campus.ha)
    mixed.ihad.start()
    mixed.ihad.kill()
    campus.ha.run([os.path.join(bindir, "ihad"), "--config", mixed.ihad.config_path,
                   "--remove-data-path"])
    assert attached(campus.ha) == set() and not has_clsact(campus.ha)
    assert os.listdir(bpffs_of(workdir, "ihad")) == []
    os.rmdir(bpffs_of(workdir, "ihad"))


def test_tc_behind_xdp_of_an_earlier_daemon_goes_where_nothing_is_on_tc(mixed, campus):
    mixed.ihad.kill()
    campus.ha.ip("link del lan0")
    mixed.ihad.start()
    assert mixed.ihad.status()["data-path-eth0"] == "xdp: native"
    assert attached(campus.ha) == {"xdp"} and not has_clsact(campus.ha)


def test_xdp_gives_way_to_tc_when_the_other_end_loses_gro(fast, campus):
    if fast.tier == "tc":
        pytest.skip("tc sends anywhere")
    fast.both_ways(3)
    campus.router.run(["ethtool", "-K", "core0", "gro", "off"])
    until(lambda: fast.ihad.status()["data-path"] == "tc", "tc takes its place", 5)
    assert "neither GRO nor XDP" in fast.ihad.status()["data-path-eth0"]
    assert attached(campus.ha) == {"tc"}
    done = carried(fast.counting)
    fast.both_ways(5)
    assert carried(fast.counting) > done
    assert fast.ihad.events("data-path-degraded")[-1]["interface"] == "eth0"


def test_both_daemons_on_one_host_the_second_by_tc(campus, net, run_daemon, desk, server, peer):
    """An interface's XDP hook holds one program."""
    net.prepare_for_bpf()
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    campus.router.route("10.60.0.0/16", "10.0.0.3")
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, "auto"))
    xhad = run_daemon(campus.ha, "xhad", {
        "home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "10.60.0.0/16"}],
        "mobile-nodes": topology.nodes("10.60.0")[:1], "forwarding": {"policy": "any"},
        "tunnel": {"data-path": "auto"}})
    assert ihad.status()["data-path-eth0"] == "xdp: native"
    assert xhad.status()["data-path-eth0"] == "tc: another program is in its XDP hook"
    assert attached(campus.ha) == {"xdp", "tc"}
    outside = peer(campus.desk, "10.1.0.11", "10.60.0.7", "10.0.0.3")
    for node, agent in ((desk, ihad), (outside, xhad)):
        node.register()
        node.listen_ipip()
        for _ in range(5):
            server.send(b"hello", (node.home, 6000))
            assert node.receive_ipip()[1].data == b"hello"
            node.send_ipip(mip.udp_packet(node.home, 6000, campus.server_address, 7000, b"out"))
            assert server.receive() == (b"out", (node.home, 6000))
        assert agent.counter("fast-path-packets") >= 6
    ihad.stop()
    until(lambda: attached(campus.ha) == {"xdp"}, "the second has the hook that is free now")
    server.send(b"still", (outside.home, 6000))
    assert outside.receive_ipip()[1].data == b"still"


@pytest.mark.parametrize("mtu", [1500, 3000])
def test_jumbo_frames(campus, tier, net, run_daemon, desk, server, mtu):
    """What does not fit into one buffer goes by tun; nothing is lost."""
    for host, interface in ((campus.ha, "eth0"), (campus.router, "core0"), (campus.router, "srv0"),
                            (campus.router, "desk0"), (campus.server, "eth0"),
                            (campus.desk, "eth0")):
        host.ip(f"link set {interface} mtu {mtu}")
    ihad = run_daemon(campus.ha, "ihad", conf_of(campus, tier, mtu=mtu))
    assert ihad.status()["data-path"] == tier
    desk.register()
    desk.listen_ipip()
    data = bytes(i & 0xff for i in range(mtu - 20 - 28))
    for _ in range(3):
        server.send(data, (campus.home, 6000))
        assert desk.receive_ipip()[1].data == data
        desk.send_ipip(mip.udp_packet(campus.home, 6000, campus.server_address, 7000, data))
        assert server.receive()[0] == data


def test_node_out_of_reach_goes_by_tun_whose_sender_is_told(fast, campus, things):
    """RFC 2003 §5.1's soft state is the base tier's: an ICMP error puts the node into its hands."""
    import socket
    fast.both_ways()
    quoted = fast.desk
    fast.server.send(b"x", (campus.home, 6000))
    outer, _ = quoted.receive_ipip()
    icmp = b"\x03\x01\0\0\0\0\0\0" + outer.octets[:48]
    icmp = icmp[:2] + mip.checksum(icmp).to_bytes(2, "big") + icmp[4:]
    raw = campus.router.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    things.append(raw)
    raw.sendto(icmp, (campus.agent, 0))
    fast.ihad.wait_counter("tunnel-errors", 1)
    done = carried(fast.counting)
    fast.both_ways(3)
    assert carried(fast.counting) == done


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_stopping_while_packets_flow(fast, sig):
    fast.both_ways(3)
    fast.ihad.stop(sig)
    assert attached(fast.campus.ha) == set()
