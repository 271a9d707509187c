# SPDX-License-Identifier: BSD-2-Clause
"""
A laptop on its way through the company and into a hotel (RFC 5265 §3): test/mn against both home
agents, its cable plugged in here and there.
"""

import socket

import pytest

from fixtures import mobileip as mip
from fixtures.capture import Capture
from fixtures.traffic import MARK, Transfer
from fixtures.wait import until


@pytest.fixture
def transfer(company, things):
    def make():
        things.append(Transfer(company))
        return things[-1].start()
    return make


def user_data(wire, company):
    """Frames that carry user data of the internal home address, however deep, in the clear."""
    ends = [mip.address(company.home), mip.address(company.server_address)]
    return wire.such(lambda f: MARK in f or ends[0] + ends[1] in f or ends[1] + ends[0] in f)


def shout(company, things):
    """Alice's programs send, wherever she is."""
    user = company.laptop.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    things.append(user)
    user.bind((company.home, 0))
    for _ in range(20):
        user.sendto(MARK, (company.server_address, 9))


def test_inside_at_the_desk_with_tnc(company):
    company.laptop.plug("desk")
    mn = company.switch_on()
    status = mn.wait_state("inside")
    assert status["internal"]["tnc"] is True
    assert mip.parse_reply(mn.last_reply("internal")).find(mip.EXT_TNC)
    binding = company.ihad.binding(company.home)
    assert binding["care-of-address"] == company.laptop.address
    assert binding["encapsulation"] == "ip-in-ip"
    # It asked both at once; the external home agent stays silent towards the inside.
    assert company.xhad.counter("requests-dropped-inside") >= 1
    assert company.xhad.bindings() == []


def test_tcp_survives_desk_floor_hotel_desk(company, transfer, things):
    laptop = company.laptop
    laptop.plug("desk")
    mn = company.switch_on()
    mn.wait_state("inside")
    connection = transfer()
    connection.progresses()

    laptop.move("floor2")
    mn.wait_state("inside", laptop.address)
    connection.progresses()
    assert company.ihad.binding(company.home)["care-of-address"] == laptop.address

    hotel = Capture(company.wires, "laptop0")
    things.append(hotel)
    laptop.unplug()
    hotel.clear()
    laptop.plug("hotel")
    mn.wait_state("outside", laptop.address)
    assert company.ihad.events("untrusted-rrq")[0]["src"] == company.hotel_address
    (binding,) = company.xhad.bindings()
    assert binding["encapsulation"] == "udp"
    assert binding["source-address"] == company.hotel_address
    held = mn.status()["internal"]["packets-held"]
    shout(company, things)
    until(lambda: mn.status()["internal"]["packets-held"] >= held + 20, "all of it is held back")
    assert user_data(hotel, company) == []
    assert hotel.frames()                   # and yet it has spoken

    laptop.move("desk")
    mn.wait_state("inside", laptop.address)
    connection.progresses()
    assert user_data(hotel, company)        # inside it may, and the search does find it
    connection.finish()


def test_a_node_that_slept_through_a_move_sends_nothing_in_the_clear(company, things):
    """Once awake it finds packets to send, and that it has moved: the latter first."""
    laptop = company.laptop
    laptop.plug("desk")
    mn = company.switch_on()
    mn.wait_state("inside")
    laptop.node = None
    wire = Capture(company.wires, "laptop0")
    things.append(wire)
    with mn.asleep():
        laptop.unplug()
        laptop.plug("hotel")
        shout(company, things)
    mn.wait_state("outside", laptop.address)
    until(lambda: mn.status()["packets-sent"] + mn.status()["packets-held"] >= 20, "it has looked")
    assert user_data(wire, company) == []
    assert mn.status()["packets-held"] >= 20
    laptop.node = mn
    laptop.move("desk")
    mn.wait_state("inside", laptop.address)
    until(lambda: user_data(wire, company), "inside it may, and the search does find it")


def test_no_user_packet_leaves_before_the_decision(company, things):
    """RFC 5265 §3.2.2: ihad cannot answer, so nothing may pass, whatever the user sends."""
    wire = Capture(company.wires, "laptop0")
    things.append(wire)
    company.ihad.stop()
    company.xhad.stop()
    company.laptop.plug("desk")
    mn = company.switch_on()

    def two_requests_each():
        shout(company, things)
        status = mn.status()
        return status["internal"]["requests"] >= 2 and status["external"]["requests"] >= 2

    until(two_requests_each, "it asks again and again")
    assert mn.status()["state"] == "unknown"
    assert user_data(wire, company) == []


def test_no_user_packet_leaves_after_t_monitor_without_a_fresh_registration(company, things):
    """RFC 5265 §3.2.4. The home agent dies; the binding would last for half an hour."""
    wire = Capture(company.wires, "laptop0")
    things.append(wire)
    company.laptop.plug("desk")
    mn = company.switch_on(t_monitor=2, grace=1)
    mn.wait_state("inside")
    company.ihad.stop()
    company.xhad.stop()
    until(lambda: mn.status()["state"] == "unknown", "T_MONITOR is over")
    wire.clear()
    shout(company, things)
    before = mn.status()["internal"]["requests"]
    until(lambda: mn.status()["internal"]["requests"] > before, "it asks on")
    assert user_data(wire, company) == []


def test_reregisters_within_t_monitor(company):
    company.laptop.plug("desk")
    mn = company.switch_on(t_monitor=2, grace=1)
    mn.wait_state("inside")
    until(lambda: company.ihad.counter("requests-accepted") >= 3, "renewals")
    assert mn.status()["state"] == "inside"


def test_success_without_tnc_is_not_inside(company, run_daemon):
    """RFC 5265 §3.3: an agent that answers but vouches for nothing. xhad plays the internal one."""
    company.ihad.stop()
    conf = dict(company.ihad_conf)
    del conf["trusted-networks"]
    run_daemon(company.ha, "xhad", conf | {"forwarding": {"policy": "any"}}, label="no-tnc")
    company.laptop.plug("desk")
    mn = company.switch_on()
    until(lambda: mn.status()["internal"]["code"] == 0, f"it accepts: {mn.status()}")
    assert mn.status()["state"] != "inside"
    assert mn.status()["internal"]["tnc"] is False


def test_vpn_packets_pass_the_external_tunnel_across_the_nat(company, correspondent, things):
    company.laptop.plug("hotel")
    mn = company.switch_on()
    mn.wait_state("outside")
    gateway = correspondent(company.vpn, company.vpn_address, 500)
    ike = correspondent(company.laptop.host, company.external_home, 500)
    ike.send(b"ike", (company.vpn_address, 500))
    assert gateway.receive() == (b"ike", (company.external_home, 500))
    gateway.send(b"answer", (company.external_home, 500))
    assert ike.receive()[0] == b"answer"


def test_keepalives_hold_the_nat_open(company, run_daemon):
    company.xhad.stop()
    xhad = run_daemon(company.xha, "xhad",
                      company.xhad_conf | {"nat-traversal": {"keepalive": 10}}, label="xhad-10")
    company.laptop.plug("hotel")
    company.switch_on().wait_state("outside")
    until(lambda: xhad.counter("keepalives") >= 1, "a keepalive", seconds=60)


def test_forced_udp_inside(company):
    company.laptop.plug("desk")
    company.switch_on(udp="forced").wait_state("inside")
    assert company.ihad.binding(company.home)["encapsulation"] == "udp"


def test_restart_of_ihad_is_survived(company, transfer):
    company.laptop.plug("desk")
    mn = company.switch_on(t_monitor=3, grace=2)
    mn.wait_state("inside")
    connection = transfer()
    connection.progresses()
    company.ihad.kill()
    company.ihad.start()
    connection.progresses()
    connection.finish()
