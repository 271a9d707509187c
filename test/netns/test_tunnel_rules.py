# SPDX-License-Identifier: BSD-2-Clause
"""
What a tunnel does to the packets in it and hears about them: TCP's segment size, congestion marks,
ICMP errors from its inside (RFC 2003 §4, §5), broadcasts (RFC 5944 §4.3), foreign agents'
keepalives (RFC 3519 §4.9).
"""

import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology


@pytest.fixture
def server(campus, correspondent):
    return correspondent(campus.server, campus.server_address)


@pytest.fixture
def registered(ihad, desk):
    desk.register()
    return desk.listen_ipip()


@pytest.fixture
def raw(things):
    """raw(host).sendto(packet, (destination, 0)): any IPv4 packet at all from a host."""

    def make(host):
        things.append(host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        return things[-1]

    return make


def tunnel(conf, **settings):
    return conf | {"tunnel": settings}


# --- TCP's segment size ---

def tcp_syn(source, destination, mss, flags=2):
    header = struct.pack("!HHIIBBHHHBBH", 4000, 80, 1, 0, 6 << 4, flags, 65535, 0, 0, 2, 4, mss)
    pseudo = mip.address(source) + mip.address(destination) + struct.pack("!BBH", 0, 6, 24)
    header = header[:16] + struct.pack("!H", mip.checksum(pseudo + header)) + header[18:]
    return mip.ipv4(source, destination, 6, header)


def mss_of(packet):
    pseudo = (mip.address(packet.source) + mip.address(packet.destination)
              + struct.pack("!BBH", 0, 6, len(packet.payload)))
    assert mip.checksum(pseudo + packet.payload) == 0, "wrong TCP checksum"
    return struct.unpack("!H", packet.payload[22:24])[0]


def mss_both_ways(campus, node, raw, tcp, send, receive):
    raw(campus.server).sendto(tcp_syn(campus.server_address, campus.home, 1460),
                              (campus.home, 0))
    forth = mss_of(receive())
    send(tcp_syn(campus.home, campus.server_address, 1460, flags=0x12))
    return forth, mss_of(mip.parse_ipv4(tcp.recv(65536)))


@pytest.fixture
def tcp(campus, things):
    """All TCP that comes to the server."""
    things.append(campus.server.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
    things[-1].settimeout(5)
    return things[-1]


@pytest.mark.parametrize("clamp, udp, plain", [
    (None, 1428, 1460), ("udp", 1428, 1460), ("all", 1428, 1440), ("off", 1460, 1460)])
def test_tcp_is_told_of_segments_that_fit_the_tunnel(campus, run_daemon, desk, raw, tcp, clamp,
                                                     udp, plain):
    settings = {"mss-clamp": clamp} if clamp else {}
    ihad = run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, **settings))
    desk.register()
    desk.listen_ipip()
    assert mss_both_ways(campus, desk, raw, tcp, desk.send_ipip,
                         lambda: desk.receive_ipip()[1]) == (plain, plain)
    desk.register(extensions=mip.udp_tunnel_request(forced=True))
    assert mss_both_ways(campus, desk, raw, tcp, desk.send_udp, desk.receive_udp) == (udp, udp)
    assert ihad.counter("mss-clamped") == (udp < 1460) * 2 + (plain < 1460) * 2


# --- congestion marks ---

@pytest.mark.parametrize("mode", ["compatible", "normal"])
def test_congestion_marks_of_the_outer_header_are_as_configured(campus, run_daemon, desk, server,
                                                                mode):
    run_daemon(campus.ha, "ihad", tunnel(campus.ihad_conf, ecn=mode))
    desk.register()
    desk.listen_ipip()
    for ecn in range(4):
        server.socket.setsockopt(socket.SOL_IP, socket.IP_TOS, 0xb8 | ecn)
        server.send(b"marked", (campus.home, 6000))
        outer, inner = desk.receive_ipip()
        assert (outer.tos, inner.tos) == (0xb8 | (ecn if mode == "normal" else 0), 0xb8 | ecn)
