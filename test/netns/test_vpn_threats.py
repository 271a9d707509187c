# SPDX-License-Identifier: BSD-2-Clause
"""
Whoever owns the network the laptop is in wants it to believe that it is inside (RFC 5265 §6): a
network swapped unseen, and a false internal home agent. Not one octet may leave in the clear.
"""

import signal
import socket
import struct
import threading

import pytest

from fixtures import mobileip as mip
from fixtures import strongswan
from fixtures.deployment import INTERNAL_KEY, recipe
from fixtures.traffic import MARK, Pings, Transfer
from fixtures.wait import until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not strongswan.available(), reason="no strongSwan (charon) here"),
]

ALICE = mip.Association(256, bytes.fromhex(INTERNAL_KEY), "hmac-sha256")
TNC = mip.extension(mip.EXT_TNC, b"\0\0")
T_MONITOR_S = 4


def is_user_data(frame, office):
    a, b = mip.address(office.home), mip.address(office.server_address)
    return MARK[:16] in frame or a + b in frame or b + a in frame


class FalseAgent:
    """Answers at the internal home agent's address, in its own way."""

    def __init__(self, host, address, answer):
        self._socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, mip.PORT))
        self._answer, self.answers = answer, 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            request, source = self._socket.recvfrom(2048)
            if request == b"end":
                return
            self._socket.sendto(self._answer(request), source)
            self.answers += 1

    def close(self):
        self._socket.sendto(b"end", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


def accepted(request, *extensions, sa=ALICE):
    """What ihad would say, with these extensions under the authenticator."""
    _, _, lifetime, home, agent, _, ident = struct.unpack("!BBH4s4s4sQ", request[:24])
    reply = struct.pack("!BBH4s4sQ", mip.REPLY, 0, lifetime, home, agent, ident)
    reply += b"".join(extensions)
    return reply + sa.extension(reply)


@pytest.fixture
def transfer(office, things):
    def make():
        things.append(Transfer(office))
        return things[-1].start()
    return make


def test_t_monitor_catches_a_swapped_network_within_its_bound(office, capture, transfer, workdir,
                                                                things):
    """RFC 5265 §3.2.4: the node sees nothing of it, and believes for T_MONITOR, not longer."""
    twin = office.evil_twin()
    office.power_on("desk", t_monitor=T_MONITOR_S, grace=2)
    connection = transfer()
    connection.progresses()
    things.append(Pings(office, workdir))
    agent = capture(office.ha, "eth0")
    until(lambda: [p for p in agent.packets() if p.protocol == 17], "a renewal")
    air = capture(twin, "lan0")
    office.laptop.swap("twin")
    office.mn.wait_state("outside")
    (event, *_) = [e for e in office.mn.history() if e["event"] == "t-monitor-expired"]
    assert event["reason"] == "t-monitor-expired"
    office.wait_working()
    connection.progresses()                                 # through the VPN, from here

    last_answered = max(t for t, f in agent.timed()         # its source, its destination's port
                        if f[26:30] == mip.address("10.1.0.10") and f[23] == 17
                        and f[36:38] == struct.pack("!H", mip.PORT))
    leaked = [t for t, frame in air.timed() if is_user_data(frame, office)]
    assert leaked, "the node was to be deceived for a while"
    print(f"\n  user data in the clear until {max(leaked) - last_answered:.3f} s after the last "
          f"request that ihad answered; T_MONITOR is {T_MONITOR_S} s", end="")
    assert max(leaked) - last_answered <= T_MONITOR_S
    connection.finish()


@pytest.mark.parametrize("forgery", ["without-tnc", "wrong-key", "tnc-after-authenticator",
                                     "replayed", "denied"])
def test_a_false_internal_agent_is_not_believed(office, capture, transfer, things, forgery):
    """RFC 5265 §3.2.3, §3.4, §6.2."""
    twin = office.evil_twin()
    office.power_on("desk")
    genuine = office.mn.last_reply("internal")
    assert mip.parse_reply(genuine).find(mip.EXT_TNC)
    connection = transfer()
    connection.progresses()
    answer = {
        "without-tnc": accepted,
        "wrong-key": lambda request: accepted(
            request, TNC, sa=mip.Association(256, bytes(32), "hmac-sha256")),
        "tnc-after-authenticator": lambda request: accepted(request) + TNC,
        "replayed": lambda request: genuine,
        "denied": lambda request: genuine[:1] + b"\x80" + genuine[2:],
    }[forgery]
    false = FalseAgent(twin, office.internal_agent, answer)
    things.append(false)
    air = capture(twin, "lan0")
    office.laptop.move("twin")
    office.wait_working()
    assert false.answers >= 1
    status = office.mn.status()
    assert status["state"] == "outside" and status["vpn-state"] == "ready"
    connection.progresses()
    assert air.frames() and air.such(lambda f: is_user_data(f, office)) == []
    if forgery in ("without-tnc", "tnc-after-authenticator"):
        assert status["reason"] == "trusted-networks-not-configured"
    else:
        assert status["internal"]["ignored"] >= 1
    connection.finish()


def test_the_key_is_what_keeps_the_false_agent_out(office, transfer, things):
    """RFC 5265 §6.2, and that the tests above can fail: who has the key can call it inside."""
    twin = office.evil_twin()
    office.power_on("desk")
    things.append(FalseAgent(twin, office.internal_agent,
                             lambda request: accepted(request, TNC)))
    office.laptop.move("twin")
    office.mn.wait_state("inside")


# --- a company set up wrongly (RFC 5265 §3.5, §6.1) ---

def test_a_wrong_firewall_alone_leaks_nothing(office, capture, transfer):
    """Requests from outside reach ihad unfiltered: it stays silent and logs, IPsec stays up."""
    office.fw.nft("flush ruleset")
    office.fw.route("10.8.0.0/24", "10.9.0.1")
    office.power_on("desk")
    connection = transfer()
    connection.progresses()
    office.laptop.unplug()
    air = capture(office.wires, "laptop0")
    office.laptop.plug("street")            # no NAT: the request keeps its true source
    office.wait_working()
    connection.progresses()
    assert office.mn.status()["state"] == "outside"
    (event, *_) = office.ihad.events("untrusted-rrq")
    assert (event["src"], event["home-address"]) == ("203.0.115.10", office.home)
    assert office.ihad.counter("requests-dropped-untrusted") >= 1
    frames = air.frames()
    assert not [f for f in frames if f[26:30] == mip.address(office.internal_agent)]
    assert air.such(lambda f: is_user_data(f, office)) == []
    spis = office.client.spis()
    office.mn.reregister()
    connection.progresses()
    assert office.client.spis() == spis and office.mn.status()["state"] == "outside"
    connection.finish()


def test_one_address_for_both_agents_means_outside(office):
    """RFC 5265 §3.5, R-40: detection is skipped, and IPsec stays required even at the desk."""
    office.laptop.plug("desk")
    office.start_client()
    office.switch_on(vici=office.client.socket, internal_agent=office.external_agent)
    status = office.mn.wait_state("outside")
    assert status["reason"] == "same-agent-address"
    assert status["internal"]["requests"] == 0


def test_an_external_agent_that_answers_inside_changes_nothing(deploy, workdir):
    """RFC 5265 §3.3: without `inside` in xhad's file both agents answer; the node ends inside."""
    conf = f"{workdir}/reachable.yaml"
    with open(recipe("xhad.yaml"), encoding="utf-8") as f, \
            open(conf, "w", encoding="utf-8") as out:
        out.write(f.read().partition("inside:")[0])
    office = deploy()
    office.start_agents(xhad_conf=conf)
    office.start_gateway()
    office.power_on("desk")
    assert office.mn.status()["state"] == "inside"
    # It SHOULD deregister from the external one, and does.
    until(lambda: office.xhad.counter("deregistrations") >= 1, "the deregistration")
    assert office.xhad.bindings() == []
    assert office.client.sas() == []


@pytest.mark.parametrize("detection_ms", [0, 5000])
def test_an_internal_answer_after_the_external_one_still_means_inside(deploy, workdir,
                                                                      detection_ms):
    """
    RFC 5265 §3.3, R-39: ihad is 300 ms slower than xhad. Within the detection period that is inside
    at once; after it the node asks again, directly, and comes inside from the VPN.
    """
    conf = f"{workdir}/reachable.yaml"
    with open(recipe("xhad.yaml"), encoding="utf-8") as f, \
            open(conf, "w", encoding="utf-8") as out:
        out.write(f.read().partition("inside:")[0])
    office = deploy()
    office.start_agents(xhad_conf=conf)
    office.start_gateway()
    office.laptop.plug("desk")
    office.start_client()
    office.ihad.process.send_signal(signal.SIGSTOP)
    try:
        office.switch_on(vici=office.client.socket, detection_ms=detection_ms)
        until(lambda: office.mn.status()["external"]["code"] == 0, "xhad has answered")
        office.mn.wait_state("tentative-outside" if detection_ms else "outside")
    finally:
        office.ihad.process.send_signal(signal.SIGCONT)
    office.mn.wait_state("inside")
    states = [e["state"] for e in office.mn.history() if e["event"] == "decided"]
    assert states == (["inside"] if detection_ms else ["outside", "inside"])
    until(lambda: office.client.sas() == [], "IPsec is down")
