# SPDX-License-Identifier: BSD-2-Clause
"""
What goes wrong outside: the VPN gateway, the NAT, the way, the external home agent. Each time no user
data leaves in the clear, nothing stays stuck once the fault is over, and somebody's log says what it
was.
"""

import os
import re
import shutil
import signal
import time

import pytest

from fixtures import strongswan
from fixtures import mobileip as mip
from fixtures.deployment import recipe
from fixtures.traffic import MARK, Pings, Transfer
from fixtures.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]

PATIENCE_S = 90         # charon has timers of its own
HASTE = {"tries": 2}    # retransmissions until it gives up


class Watch:
    """The laptop's cable outside, and a user who never stops."""

    def __init__(self, office, capture, workdir, things):
        self._office, self._workdir, self._things = office, workdir, things
        self._air = capture(office.wires, "laptop0")

    def user_pings(self):
        self._things.append(Pings(self._office, self._workdir))

    def user_transfers(self):
        self._things.append(Transfer(self._office))
        self.transfer = self._things[-1].start()
        self.transfer.progresses(PATIENCE_S)

    def check(self):
        """Something was sent, and none of it in the clear."""
        ends = mip.address(self._office.home), mip.address(self._office.server_address)
        pairs = b"".join(ends), b"".join(reversed(ends))
        assert self._air.frames()
        assert self._air.such(lambda f: MARK[:16] in f or pairs[0] in f or pairs[1] in f) == []

    def recovers(self):
        """The very connection that was there goes on to its end."""
        self._office.wait_working(PATIENCE_S)
        self.transfer.progresses(PATIENCE_S)
        self.transfer.finish()
        self.check()


@pytest.fixture
def watch(capture, workdir, things):
    return lambda office: Watch(office, capture, workdir, things)


@pytest.fixture
def session(office, watch):
    """session(...): in the hotel, at work. Options are the mobile node's."""

    def make(client=None, **options):
        office.laptop.plug("hotel")
        office.start_client(client, **HASTE)
        office.switch_on(vici=office.client.socket, **options)
        office.wait_working(PATIENCE_S)
        w = watch(office)
        w.user_transfers()
        return w

    return make


def wait_mn(office, event):
    return until(lambda: [e for e in office.mn.history() if e["event"] == event],
                 f"mn tells of {event}:\n{office.mn.log()}", PATIENCE_S)


def wait_log(program, pattern):
    until(lambda: re.search(pattern, program.log()), f"{program.name} logs {pattern!r}:\n"
          f"{program.log()}", PATIENCE_S)


# --- strongSwan ---

@pytest.mark.parametrize("fault", ["down", "slow", "refusing"])
def test_a_gateway_that_is_down_slow_or_refusing(deploy, watch, fault):
    office = deploy()
    office.start_agents()
    other = office.variant("gateway.swanctl.conf", ("an example", "another example"))
    office.start_gateway(other if fault == "refusing" else None)
    if fault == "down":
        office.vpn.kill()
    elif fault == "slow":
        office.vpn.process.send_signal(signal.SIGSTOP)
    w = watch(office)
    office.laptop.plug("hotel")
    office.start_client(**HASTE)
    office.switch_on(vici=office.client.socket)
    w.user_pings()
    if fault == "down":
        wait_mn(office, "vpn-down")
        wait_log(office.client, "giving up after 2 retransmits")
        wait_log(office.mn, 'why="[^"]*peer not responding')
        office.vpn.start()
    elif fault == "slow":
        wait_log(office.client, "retransmit 1 of request")
        office.vpn.process.send_signal(signal.SIGCONT)
    else:
        wait_mn(office, "vpn-down")
        wait_log(office.vpn, "MAC mismatched")
        wait_log(office.client, "AUTH_FAILED")
        wait_log(office.mn, 'why="[^"]*: received AUTHENTICATION_FAILED notify')
        office.vpn.load(recipe("gateway.swanctl.conf"))
    office.wait_working(PATIENCE_S)
    w.user_transfers()
    w.transfer.finish()
    w.check()


def test_a_gateway_that_crashes_in_mid_session(office, session):
    """It forgets all; dead peer detection on the laptop finds out, and the same connection goes on."""
    w = session(office.variant("laptop.swanctl.conf", ("dpd_delay = 10s", "dpd_delay = 2s")))
    office.vpn.kill()
    wait_mn(office, "vpn-down")
    wait_log(office.client, "giving up after 2 retransmits")
    office.vpn.start()
    w.recovers()


def as_on_the_page(office, watch, **agents):
    """A laptop at the hotel with a transfer that runs, and charon's settings as they are."""
    office.start_agents(**agents)
    office.start_gateway()
    office.laptop.plug("hotel")
    office.start_client(tries=None)
    office.switch_on(vici=office.client.socket)
    office.wait_working(PATIENCE_S)
    w = watch(office)
    w.user_transfers()
    return w


def test_what_a_restarted_gateway_costs_with_the_settings_of_the_page(deploy, watch):
    """
    Nothing is hurried here: dpd_delay of laptop.swanctl.conf and the retransmissions of
    laptop.strongswan.conf, 10 and 22 s at the most, then a new exchange. Run with -s to see it.
    """
    office = deploy()
    w = as_on_the_page(office, watch)
    begun = time.monotonic()
    office.vpn.kill()
    office.vpn.start()
    wait_mn(office, "vpn-down")
    office.wait_working(PATIENCE_S)
    working = time.monotonic() - begun
    w.transfer.progresses(PATIENCE_S)
    print(f"\n  restarted gateway: IPsec is up again after {working:.1f} s, a TCP connection goes on "
          f"(when its own next retransmission is due) after {time.monotonic() - begun:.1f} s", end="")
    wait_log(office.client, "giving up after 4 retransmits")
    w.recovers()


def test_the_laptops_own_charon_crashes_in_mid_session(office, session):
    w = session()
    office.client.kill()
    (event, *_) = wait_mn(office, "vpn-down")
    assert event["ms"]
    wait_log(office.mn, "charon has gone")
    office.client.start()
    w.recovers()


def test_the_gateways_address_changes(office, session):
    """xhad drops what goes to a gateway that it does not know, and says which, until it is told."""
    w = session(office.variant("laptop.swanctl.conf", ("dpd_delay = 10s", "dpd_delay = 2s")))
    office.vpn.kill()
    wait_mn(office, "vpn-down")
    old, new = office.gateway_address, "198.51.100.11"
    renumber = (old, new)
    office.gateway.ip(f"addr del {old}/24 dev eth0", f"addr add {new}/24 dev eth0",
                      "route replace default via 198.51.100.1",
                      "route replace 172.31.0.0/16 via 198.51.100.2")
    office.vpn.start()
    office.vpn.load(office.variant("gateway.swanctl.conf", renumber))
    office.client.load(office.variant("laptop.swanctl.conf", renumber,
                                      ("dpd_delay = 10s", "dpd_delay = 2s")))
    until(lambda: [e for e in office.xhad.events("tunnel-filter") if new in e.values()],
          f"xhad tells of {new}:\n{office.xhad.log()}", PATIENCE_S)
    assert office.mn.status()["vpn-state"] != "ready"
    office.xhad.take(office.variant("xhad.yaml", (f"[{old}]", f"[{new}]")))
    office.xhad.reload()
    w.recovers()


# --- the way ---

@pytest.mark.parametrize("keepalive", [20, 110], ids=["as on the page", "by default"])
def test_a_nat_forgets_its_mapping(deploy, watch, keepalive):
    """
    RFC 3519 §4.9: keepalives are not answered any more, and a registration makes a new one. With the
    page's figures that is before charon gives up; with the default for keepalives charon does so
    first, and then the node registers before it connects again. Run with -s to see how long it takes.
    """
    office = deploy()
    w = as_on_the_page(office, watch, xhad_conf=office.variant(
        "xhad.yaml", ("keepalive: 20", f"keepalive: {keepalive}")))
    spis = office.client.spis()
    before = office.xhad.binding(office.external_home)["source-port"]
    # What comes from inside belongs to no flow that it knows and is given a new port; what comes
    # for the old one belongs to nobody.
    office.hotel.nft(f"""
        flush table ip nat
        table ip nat {{
            chain postrouting {{
                oifname "wan0" meta l4proto udp masquerade to :40000-50000
            }}
        }}
        table ip forgotten {{
            chain prerouting {{
                type filter hook prerouting priority raw;
                iifname != "wan0" ct original zone set 1
                iifname "wan0" udp dport {before} drop
            }}
        }}""")
    begun = time.monotonic()
    # Although charon and TCP never stop sending.
    wait_mn(office, "keepalive-lost" if keepalive == 20 else "vpn-down")
    (event, *_) = office.xhad.wait_event("tunnel-changed")
    assert office.external_home in event.values()
    after = office.xhad.binding(office.external_home)["source-port"]
    assert after != before and 40000 <= after <= 50000
    office.wait_working(PATIENCE_S)
    print(f"\n  a NAT that forgets, keepalive {keepalive} s: it works again after "
          f"{time.monotonic() - begun:.1f} s", end="")
    w.recovers()
    told = {e["event"] for e in office.mn.history()}
    if keepalive == 20:
        assert "vpn-down" not in told and office.client.spis() == spis
    else:
        assert "keepalive-lost" not in told and office.client.spis() != spis


def test_a_nat_drops_replies_from_port_434(office, watch):
    """The node does not know where it is, so it says nothing; when they pass, it does."""
    office.hotel.nft("""
        table ip fault {
            chain forward { type filter hook forward priority 0; udp sport 434 drop; }
        }""")
    office.laptop.plug("hotel")
    office.start_client()
    office.switch_on(vici=office.client.socket)
    w = watch(office)
    w.user_pings()
    office.xhad.wait_event("registered")                # it has answered, in vain
    until(lambda: office.mn.status()["external"]["requests"] >= 3, "the node asks again",
          PATIENCE_S)
    status = office.mn.status()
    assert status["state"] == "unknown" and office.client.sas() == []
    office.hotel.nft("delete table ip fault")
    office.wait_working(PATIENCE_S)
    w.user_transfers()
    w.transfer.finish()
    w.check()


@pytest.mark.parametrize("place", ["hotel", "street"])
def test_fragments_are_dropped_on_the_way(office, watch, capture, place):
    """No packet of the tunnels is a fragment, however large the user's packets are."""
    for host in (office.hotel, office.internet, office.fw):
        host.nft("""
            table ip fault {
                chain pre {
                    type filter hook prerouting priority -450;
                    ip frag-off & 0x3fff != 0 drop;
                }
            }""")
    office.power_on(place)
    w = watch(office)
    w.user_transfers()
    way = capture(office.fw, "wan0")
    for host, source, destination in ((office.laptop.host, office.home, office.server_address),
                                      (office.server, office.server_address, office.home)):
        ping = ["ping", "-c1", "-W2", "-M", "dont", "-s", "1472", "-I", source, destination]
        # The transfer fills every queue on the way, so one may be lost; were they fragments, all.
        until(lambda p=ping, h=host: h.run(p, check=False).returncode == 0,
              f"a full-size ping from {source} is answered", PATIENCE_S)
    w.transfer.finish()
    assert way.packets() and not [p for p in way.packets() if p.fragment or p.more]
    w.check()


# --- the external home agent ---

@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_the_external_home_agent_goes_in_mid_session_and_comes_back(office, session, end):
    """What it knew is restored: neither IPsec nor the user's connection is begun anew."""
    w = session()
    spis = office.client.spis()
    if end == "killed":
        office.xhad.kill()
    else:
        office.xhad.stop()
    seen = w.transfer.received
    office.laptop.host.run(["ping", "-c3", "-i.2", "-W1", "-I", office.home,
                            office.server_address], check=False)
    assert w.transfer.received - seen < 100000
    office.xhad.start()
    assert office.xhad.events("restored")
    w.recovers()
    assert office.client.spis() == spis


def test_a_new_external_home_agent_that_knows_nothing(office, session):
    """Its state is gone: ESP has no way until the node registers again, which it does by itself."""
    w = session(lifetime=30)
    office.xhad.kill()
    shutil.rmtree(office.xhad.var_lib)
    os.mkdir(office.xhad.var_lib)
    office.xhad.start()
    assert office.xhad.bindings() == []
    w.recovers()
