# SPDX-License-Identifier: BSD-2-Clause
"""More requests than can be handled: what one source sends too many of costs the others little."""

import signal

from fixtures import mobileip as mip
from fixtures.programs import Counting
from fixtures.wait import until

FLOOD = 3000
HEARD_UNASKED = 16 * 64     # full batches that are no overload yet
SHARE = 100


def test_under_overload_a_source_is_heard_with_its_share_and_others_are_served(
        campus, run_daemon, peer):
    conf = campus.ihad_conf
    conf = conf | {"registration": conf.get("registration", {}) | {"overload-share": SHARE}}
    ihad = run_daemon(campus.ha, "ihad", conf)
    desk = peer(campus.desk, campus.desk_address, campus.home, campus.agent)
    flood = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    counting = Counting(ihad)
    noise, request = flood.build(), desk.build()
    ihad.process.send_signal(signal.SIGSTOP)    # so that all of it waits when it looks again
    for _ in range(FLOOD):
        flood.send(noise)
    desk.send(request)
    ihad.process.send_signal(signal.SIGCONT)
    assert desk.reply(request).code == 0
    until(lambda: counting["requests-dropped-over-share"] + counting["requests-dropped-untrusted"]
          == FLOOD, "every one of the flood was counted")
    # The last batch was not full, and so was no overload.
    unread = counting["requests-dropped-over-share"]
    assert FLOOD - HEARD_UNASKED - 2 * SHARE - 64 <= unread < FLOOD - HEARD_UNASKED
    event = ihad.events("over-share")[0]
    assert (event.get("src"), event.get("share")) == (campus.stranger_address, str(SHARE))


def test_packets_of_a_tunnel_have_no_share(campus, run_daemon, peer, correspondent):
    conf = campus.ihad_conf
    conf = conf | {"registration": conf.get("registration", {}) | {"overload-share": SHARE},
                   "tunnel": {"data-path": "tun"}}
    ihad = run_daemon(campus.ha, "ihad", conf)
    desk = peer(campus.desk, campus.desk_address, campus.home, campus.agent)
    server = correspondent(campus.server, campus.server_address)
    desk.register(flags=mip.D | mip.T, extensions=mip.udp_tunnel_request(forced=True))
    assert ihad.binding(campus.home)["encapsulation"] == "udp"
    packet = mip.udp_packet(campus.home, 6000, campus.server_address, 7000, b"out")
    ihad.process.send_signal(signal.SIGSTOP)
    for _ in range(FLOOD):
        desk.send_udp(packet)
    ihad.process.send_signal(signal.SIGCONT)
    until(lambda: ihad.binding(campus.home)["packets-from-node"] == FLOOD, "all of it was carried")
    assert server.receive() == (b"out", (campus.home, 6000))
    assert ihad.counter("requests-dropped-over-share") == 0
