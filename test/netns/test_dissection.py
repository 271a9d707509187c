# SPDX-License-Identifier: BSD-2-Clause
"""A dissector that is not ours (tshark) reads whatever the daemons send, and finds no fault."""

import glob
import os
import socket
import struct

import pytest

from fixtures import mobileip as mip
from fixtures import topology
from fixtures.dissection import Frames, Tap, read_back
from fixtures.wait import until

# tshark leaves checksums alone unless asked to verify them; veth leaves some to the hardware that
# is not there, so only what the daemons compute themselves is verified: inner headers, by Peer.


def malformed(wire, workdir):
    return wire.tshark(os.path.join(workdir, "wire.pcap"), "-Y", "_ws.malformed")


def fields(wire, workdir, display_filter, *names):
    path = os.path.join(workdir, "wire.pcap")
    options = [o for name in names for o in ("-e", name)]
    return [line.split("\t") for line in
            wire.tshark(path, "-Y", display_filter, "-T", "fields", *options)]


def test_tshark_dissects_every_ihad_message(campus, ihad, desk, peer, correspondent, capture,
                                            workdir):
    wire = capture(campus.ha, "eth0")
    server = correspondent(campus.server, campus.server_address)
    desk.register()
    desk.ask(care_of=campus.agent)
    desk.ask(ident=mip.timestamp(3600))
    desk.ask(flags=mip.T, extensions=mip.udp_tunnel_request())
    request = desk.build(agent="192.0.2.99")
    desk.send(request)
    desk.reply(request)
    desk.register(extensions=mip.nai("alice@corp.example") + mip.udp_tunnel_request())
    nonce = peer(campus.desk, campus.desk_address, "10.50.0.9", campus.agent,
                 sa=topology.NONCE_SA)
    nonce.ask()
    peer(campus.desk, campus.desk_address, "0.0.0.0", campus.agent,
         sa=topology.OTHER_SA).register(extensions=mip.nai("bob@corp.example"))
    for last, sa in ((10, topology.KEYED_SA), (11, topology.SHA1_SA), (12, topology.SHA256_SA)):
        peer(campus.desk, campus.desk_address, f"10.50.0.{last}", campus.agent, sa=sa).register()
    fa = peer(campus.desk, "10.1.0.12", campus.home, campus.agent)
    vouched = fa.build(flags=mip.T)
    fa.send(vouched + topology.FA_SA.extension(vouched, mip.EXT_FHAE))
    fa.reply()
    desk.register()
    desk.listen_ipip()
    server.send(b"in ip-in-ip", (campus.home, 6000))
    desk.receive_ipip()
    desk.register(extensions=mip.udp_tunnel_request(forced=True))
    server.send(b"in udp", (campus.home, 6000))
    desk.receive_udp()
    desk.send_udp(mip.echo_request(campus.home, campus.agent))
    desk.receive_udp()
    server.send(b"unreachable", ("10.50.0.99", 6000))
    desk.deregister()

    assert malformed(wire, workdir) == []
    replies = fields(wire, workdir, "mip.type == 3", "mip.code", "mip.ext.type")
    assert len(replies) == 15
    assert {code for code, _ in replies} == {"0", "129", "133", "134", "136"}
    assert all("149" in types.split(",") for _, types in replies)
    assert fields(wire, workdir, "mip.type == 4 && ip.src == 10.0.0.2", "frame.number")


def test_tshark_dissects_every_xhad_message(internet, xhad, peer, correspondent, capture, workdir):
    wire = capture(internet.xha, "eth0")
    server = correspondent(internet.vpn, internet.vpn_address)
    laptop = peer(internet.laptop, internet.laptop_address, internet.home, internet.agent)
    roamer = peer(internet.roamer, internet.roamer_address, internet.other_home, internet.agent,
                  sa=topology.OTHER_SA)
    laptop.register(extensions=mip.udp_tunnel_request())
    roamer.register(extensions=mip.udp_tunnel_request())
    roamer.register(extensions=mip.udp_tunnel_request(forced=True))
    roamer.ask(extensions=mip.udp_tunnel_request(encapsulation=99))
    server.send(b"in udp", (internet.home, 6000))
    assert laptop.receive_udp().data == b"in udp"
    laptop.send_udp(mip.echo_request(internet.home, internet.agent))
    laptop.receive_udp()
    laptop.deregister(extensions=mip.udp_tunnel_request())

    assert malformed(wire, workdir) == []
    replies = fields(wire, workdir, "mip.type == 3", "mip.code", "mip.ext.type")
    assert len(replies) == 5
    assert all("149" not in types.split(",") for _, types in replies)
    inner = fields(wire, workdir, f"mip.type == 4 && ip.src == {internet.agent}", "ip.dst")
    assert all(internet.home in addresses for (addresses,) in inner) and len(inner) == 2


@pytest.mark.parametrize("mode", [mip.GRE, mip.MINIMAL])
def test_tshark_dissects_other_encapsulations_in_udp(campus, ihad, desk, correspondent, mode):
    """RFC 3519 §4.1; at the end of the run, as all frames are. Here: that there are any."""
    server = correspondent(campus.server, campus.server_address)
    desk.register(extensions=mip.udp_tunnel_request(forced=True, encapsulation=mode))
    server.send(b"in udp", (campus.home, 6000))
    octets, source = desk.receive(mip.TUNNEL_DATA)
    assert source == (campus.agent, mip.PORT)
    assert octets[:4] == bytes([mip.TUNNEL_DATA, mode, 0, 0])
    if mode == mip.GRE:
        assert octets[4:8] == b"\0\0\x08\0" and mip.parse_ipv4(octets[8:]).data == b"in udp"
    else:
        assert mip.checksum(octets[4:16]) == 0 and octets[16 + 8:] == b"in udp"


@pytest.mark.parametrize("at, value, said", [
    (None, 0, ""), (-1, 1, "Bad checksum"), (28, 99, "Malformed"), (28 + 21, 200, "Malformed")])
def test_what_tshark_cannot_read_is_noticed(campus, workdir, at, value, said):
    """The dissection at the end of each run, tried on a reply and on three that are wrong."""
    before = bytes.fromhex("03000258c000020ac0000201e8fe6f8012345678")
    octets = before + mip.Association().extension(before)
    packet = bytearray(mip.udp_packet(campus.agent, mip.PORT, campus.desk_address, 40000, octets))
    if at is not None:
        packet[at] ^= value
    if at and at > 0:                           # wrong in the message only
        packet[26:28] = b"\0\0"
    tap = Tap(campus.ha, campus.agent)
    with campus.ha.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        campus.ha.run(["ping", "-c1", campus.desk_address])
        raw.sendto(bytes(packet), (campus.desk_address, 0))
        until(lambda: Frames(workdir).add("test", tap, mip.PORT) or os.path.getsize(
            glob.glob(f"{workdir}/*.frames")[0]), "a frame")
    tap.close()
    happened, faults = read_back(workdir)
    assert (said in faults[0]) if said else faults == [], (happened, faults)


def test_our_own_codec_agrees_with_the_vector_of_rfc_5944(workdir):
    """V1 and V2 of the specification's digest: the peer of these tests is no judge of itself."""
    sa = mip.Association()
    fixed = bytes.fromhex("01220708c000020ac0000201c633644de8fe6f8012345678")
    assert (fixed + sa.extension(fixed)).hex() == (
        "01220708c000020ac0000201c633644de8fe6f80123456782014000001000a10"
        "fea7899d1b1c0caa180f115773f8")
    assert fixed == mip.request("192.0.2.10", "192.0.2.1", "198.51.100.77", 1800,
                                ident=0xe8fe6f8012345678)
    reply = mip.parse_reply(bytes.fromhex(
        "03000258c000020ac0000201e8fe6f80123456782014000001009f0c0e837c91"
        "02590c486736cb51e754"))
    assert reply.is_authentic(sa)
    assert (reply.code, reply.lifetime, reply.ident) == (0, 600, 0xe8fe6f8012345678)
    keyed = mip.Association(258, bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), "keyed-md5")
    fixed = bytes.fromhex("01200258c000020ac0000201c633644de8fe6ff800000001")
    assert keyed.extension(fixed)[6:].hex() == "86425025bc012e7d596dcc62e9f8762f"
    assert struct.unpack("!I", keyed.extension(fixed)[2:6])[0] == 258
