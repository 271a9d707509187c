# SPDX-License-Identifier: BSD-2-Clause
"""What SNMP says of shared state: the objects of heCluster, and heClusterChange."""

import os

import pytest

from fixtures.cluster import Cluster, own, wait_binding
from fixtures.snmp import HE, TRAP_PORT, Master, Receiver
from fixtures.wait import until

CHANGE = f"{HE}.0.6"
STATES = {1: "none", 2: "away", 3: "comparing", 4: "following"}


@pytest.fixture
def cluster(net, workdir, things, run_daemon, bindir):
    with open(os.path.join(bindir, "ihad"), "rb") as f:
        if b"netsnmp_" not in f.read():
            pytest.skip("built without SNMP")
    return Cluster(net, workdir, things, run_daemon)


def test_shared_state_is_lost_and_caught_up_with(cluster, workdir, things, peer):
    place = cluster.place
    host = place.agents[0].host
    things.append(Receiver(host, workdir))
    receiver = things[-1].start()
    things.append(Master(host, workdir, trap_to=TRAP_PORT))
    master = things[-1].start()
    cluster.move_address(0)
    conf = cluster.conf(0, role="active") | {
        "snmp": {"enabled": True, "agentx": master.agentx, "notification-interval": 1}}
    active, standby = cluster.start(0, conf), cluster.start(1)
    master.wait_subagent()
    node = peer(place.desk, place.desk_address, place.home, place.agent)
    node.register(lifetime=600)
    wait_binding(standby, node.home, node.care_of)

    def agrees():
        got, row = master.walk(f"{HE}.1.10"), own(active)
        return STATES[got[f"{HE}.1.10.1.0"]] == row["state"] and \
            (got[f"{HE}.1.10.2.0"] == 1) == (row["role"] == "active") and \
            got[f"{HE}.1.10.5.0"] == row["lag-entries"] and got[f"{HE}.1.10.7.0"] == row["queued"]

    until(agrees, "SNMP and hactl agree")
    until(lambda: master.get(f"{HE}.1.10.4.0") == 1, "the peer is heard")
    assert master.get(f"{HE}.1.10.3.0") == b""
    assert not receiver.notifications(CHANGE)           # all was well from the beginning
    cluster.server.kill()
    node.register(lifetime=500)
    until(lambda: receiver.notifications(CHANGE), f"lost:\n{receiver.log()}")
    lost = receiver.notifications(CHANGE)[0]
    assert lost[f"{HE}.1.1.1.0"] == b"ihad" and lost[f"{HE}.1.10.1.0"] == 2
    assert lost[f"{HE}.1.10.3.0"] != b""               # the first one; it may be another by now
    until(lambda: master.get(f"{HE}.1.10.3.0").decode() == own(active)["error"], "and the last one")
    until(lambda: agrees() and master.get(f"{HE}.1.10.7.0") == 1, "SNMP and hactl agree")
    cluster.server.start()
    until(lambda: len(receiver.notifications(CHANGE)) == 2, f"caught up:\n{receiver.log()}")
    assert receiver.notifications(CHANGE)[1][f"{HE}.1.10.1.0"] == 4
    until(lambda: agrees() and master.get(f"{HE}.1.10.7.0") == 0, "SNMP and hactl agree")
    cluster.server.ask("CONFIG", "SET", "maxmemory", "1")
    node.register(lifetime=600)
    until(lambda: b"OOM" in master.get(f"{HE}.1.10.3.0"), "a refusal is told")
    assert agrees() and master.get(f"{HE}.1.10.1.0") == 4
    cluster.server.ask("CONFIG", "SET", "maxmemory", "0")
    until(lambda: master.get(f"{HE}.1.10.3.0") == b"", "it takes changes again")
    assert len(receiver.notifications(CHANGE)) == 2     # state is all that they tell of


def test_what_does_not_last_the_interval_is_told_at_its_end(cluster, workdir, things):
    host = cluster.place.agents[0].host
    things.append(Receiver(host, workdir))
    receiver = things[-1].start()
    things.append(Master(host, workdir, trap_to=TRAP_PORT))
    master = things[-1].start()
    conf = cluster.conf(0, role="active") | {
        "snmp": {"enabled": True, "agentx": master.agentx, "notification-interval": 4}}
    active = cluster.start(0, conf)
    master.wait_subagent()
    until(lambda: own(active)["state"] == "following", "it follows")
    cluster.server.kill()
    until(lambda: receiver.notifications(CHANGE), f"lost:\n{receiver.log()}")
    cluster.server.start()
    until(lambda: own(active)["state"] == "following", "it follows again")
    assert len(receiver.notifications(CHANGE)) == 1     # not yet
    until(lambda: len(receiver.notifications(CHANGE)) == 2, "at the end of the interval")
    assert [n[f"{HE}.1.10.1.0"] for n in receiver.notifications(CHANGE)] == [2, 4]


def test_who_is_not_behind_has_no_lag(cluster, workdir, things):
    """However long ago it was shared what was read last."""
    host = cluster.place.agents[0].host
    things.append(Master(host, workdir))
    master = things[-1].start()
    conf = cluster.conf(0, role="active") | {"snmp": {"enabled": True, "agentx": master.agentx}}
    active = cluster.start(0, conf)
    master.wait_subagent()
    until(lambda: own(active)["state"] == "following", "it follows")
    entry = ["k", b"A\x0a\x00\x01\x63", "v", "0" * 32, "t", 1700000000000]     # of 2023
    number = cluster.server.ask("INCR", "home-agent:ihad:sequence")
    cluster.server.ask("XADD", "home-agent:ihad:stream", f"{number}-1", *entry)
    until(lambda: active.status()["cluster-changes-read"] == 1, "it is read")
    until(lambda: master.get(f"{HE}.1.10.5.0") == 0, "nothing is left to read")
    assert master.get(f"{HE}.1.10.6.0") == 0
