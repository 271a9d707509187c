#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the seeds of the corpora: the specification's vectors (test/unit/vectors/*.hex), cut for
each target, and what no vector has. Fuzzing adds to them (test/fuzz/run --merge); they are checked
in together, in test/fuzz/corpus/TARGET/. Seeds have names, what was found has hashes."""

import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "unit" / "vectors"


def vectors():
    """(name, way, octets) of each packet: way as written, "src:port > dst:port"."""
    for path in sorted(VECTORS.glob("*.hex")):
        name, way, octets = None, "", bytearray()
        for line in path.read_text().splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if not line.startswith("\t"):
                if name:
                    yield f"{path.stem}-{name}", way, bytes(octets)
                name = words[1].rstrip(":") if words[0] == "packet" else None
                way, octets = "", bytearray()
            elif name and words[0] == "way":
                way = " ".join(words[1:])
            elif name and words[0] != "when":
                octets += bytes.fromhex(words[0])
        if name:
            yield f"{path.stem}-{name}", way, bytes(octets)


def write(target, name, octets):
    directory = HERE / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(octets)


def checksum(octets):
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def addr(text):
    return bytes(int(n) for n in text.split("."))


def ip(protocol, payload, src="192.0.2.9", dst="192.0.2.10", tos=0, frag=0x4000, ttl=63, options=b""):
    head = bytes([0x45 + len(options) // 4, tos])
    head += struct.pack("!HHHBBH", 20 + len(options) + len(payload), 0x1234, frag, ttl, protocol, 0)
    head += addr(src) + addr(dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(kind, code, rest, payload):
    message = bytes([kind, code, 0, 0]) + rest + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def tcp_syn(options=bytes.fromhex("020405b4")):
    return struct.pack("!HHIIBBHHH", 5000, 80, 1, 0, (5 + len(options) // 4) << 4, 2, 65535, 0, 0) + options


def minimal(inner):
    protocol, dst, src = inner[9], inner[16:20], inner[12:16]
    forwarding = bytes([protocol, 0x80, 0, 0]) + dst + src
    return forwarding[:2] + struct.pack("!H", checksum(forwarding)) + forwarding[4:] + inner[20:]


HA, NODE, CARE_OF, GATEWAY = "192.0.2.2", "192.0.2.10", "198.51.100.77", "198.51.100.10"

INNER = {
    "udp": ip(17, udp(5000, 53, b"question")),
    "tcp-syn": ip(6, tcp_syn()),
    "echo": ip(1, icmp(8, 0, b"\0\7\0\1", b"ping" * 4)),
    "options": ip(17, udp(1, 2, b"x" * 40), options=bytes.fromhex("94040000") + bytes([1, 1, 7, 3, 4, 0, 0, 0])),
    "fragment": ip(17, b"f" * 64, frag=0x2003),
    "ecn": ip(17, udp(1, 2, b"marked"), tos=0xB9),
    "long": ip(17, udp(1, 2, bytes(range(256)) * 6), frag=0),
}


def tunnels(inner, ends):
    yield "ipip", ip(4, inner, **ends)
    yield "gre", ip(47, bytes.fromhex("00000800") + inner, **ends)
    yield "gre-key", ip(47, bytes.fromhex("200008000000000a") + inner, **ends)
    yield "minimal", ip(55, minimal(inner), **ends)
    for name, mode, data in (("ipip", 4, inner), ("gre", 47, bytes.fromhex("00000800") + inner), ("minimal", 55, minimal(inner))):
        yield f"udp-{name}", ip(17, udp(434, 40000, bytes([4, mode, 0, 0]) + data), **ends)


def packets():
    for name, inner in INNER.items():
        yield name, inner
        for kind, outer in tunnels(inner, {"src": CARE_OF, "dst": HA}):
            yield f"{name}-in-{kind}", outer


def main():
    for name, _, octets in vectors():
        if not octets or len(octets) > 1472:
            continue
        write("describe", name, octets)
        if octets[0] in (1, 3):
            write("reg", name, octets)
            write("ext", name, octets[24 if octets[0] == 1 else 20:])
        elif octets[0] in (7, 15):
            write("reg", name, octets)
            write("ext", name, octets[20 if octets[0] == 7 else 12:])
        elif octets[0] == 4:
            write("encap", name, struct.pack("!BHHB", 1, 100, 7, 0) + octets)
    for name, octets in conversations():
        write("engine", name, octets)
    for name, packet in packets():
        write("encap", name, struct.pack("!BHHB", 0, 500, 7, 0) + packet)
        if "-in-udp" in name:
            write("encap", f"{name}-data", struct.pack("!BHHB", 0, 500, 7, 0) + packet[28:])
    for name, inner in INNER.items():
        for kind, outer in tunnels(inner, {"src": HA, "dst": CARE_OF}):
            for what, head in (("too-big", (3, 4, b"\0\0\5\0")), ("unreachable", (3, 1, bytes(4))), ("ttl", (11, 0, bytes(4)))):
                if what == "too-big" or name == "udp":
                    error = ip(1, icmp(*head, outer[:548]), src="203.0.113.1", dst=HA)
                    write("icmp", f"{what}-{name}-{kind}", struct.pack("!BHH", 0, 1000, len(error)) + error)
    write("icmp", "echo", struct.pack("!BHH", 2, 10, len(INNER["echo"])) + INNER["echo"])
    for name, dport, protocol in (("ike", 500, 17), ("natt", 4500, 17), ("dns", 53, 17), ("esp", 1, 50)):
        out = ip(protocol, udp(500, dport, b"12345678"), src=NODE, dst=GATEWAY)
        back = ip(protocol, udp(dport, 500, b"12345678"), src=GATEWAY, dst=NODE)
        write("filter", f"{name}-out", b"\1" + out)
        write("filter", f"{name}-in", b"\0" + back)
        write("filter", f"{name}-stranger", b"\1" + ip(protocol, udp(500, dport, b"1"), src=NODE, dst="203.0.113.5"))
        write("filter", f"{name}-error-in", b"\0" + ip(1, icmp(3, 4, b"\0\0\5\0", out), src="203.0.113.1", dst=NODE))
        write("filter", f"{name}-error-out", b"\1" + ip(1, icmp(3, 3, bytes(4), back), src=NODE, dst=GATEWAY))
    write("filter", "options", b"\1" + ip(50, b"12345678", src=NODE, dst=GATEWAY, options=bytes([131, 3, 4, 0])))
    macs = bytes.fromhex("ffffffffffff020000000011")
    arp = macs + bytes.fromhex("08060001080006040001020000000011") + addr("192.0.2.9") + bytes(6) + addr(NODE)
    write("link", "arp-question", b"\0" + arp)
    write("link", "arp-reply", b"\0" + arp[:21] + b"\2" + arp[22:])
    write("link", "solicitation", b"\0" + macs + b"\x08\0" + ip(1, icmp(10, 0, bytes(4), b""), ttl=1))
    write("link", "broadcast", b"\0" + macs + b"\x08\0" + ip(17, udp(138, 138, b"hello all"), dst="192.0.2.255"))
    write("link", "registration", b"\0" + macs + b"\x08\0" + ip(17, udp(138, 434, b"hello all"), dst="192.0.2.255"))


def message(src, port, octets):
    return b"\0" + addr(src) + struct.pack("!HH", port, len(octets)) + octets


def conversations():
    """Each request of the vectors at each of its clocks, and one after the other."""
    agents = {"core": 0, "ihad": 1, "extensions": 1, "later-ihad": 1, "nat": 2, "later-xhad": 2, "dynamic-ha": 3}
    for path in sorted(VECTORS.glob("*.hex")):
        agent = agents[path.stem]
        at, asked = {}, []
        for block in path.read_text().split("\npacket ")[1:]:
            clock = re.search(r"clock=([0-9a-f]+)", block)
            at[f"{path.stem}-{block.split(':')[0]}"] = int(clock[1], 16) if clock else None
        for name, way, octets in vectors():
            if not at.get(name) or octets[:1] not in (b"\1", b"\7", b"\17"):
                continue
            src, port = way.split(" > ")[0].split(":")
            step = message(src, int(port), octets)
            yield name, struct.pack("!BHI", agent, 0, at[name]) + step
            asked.append((at[name], step))
        for first in range(0, len(asked), 6):
            some = sorted(asked[first:first + 6])
            octets, now = struct.pack("!BHI", agent, 0, some[0][0]), some[0][0]
            for clock, step in some:
                octets += b"\1" + struct.pack("!H", min((clock - now) * 10, 65535)) + step
                now = clock
            yield f"{path.stem}-all-{first}", octets + b"\2\3"


if __name__ == "__main__":
    main()
