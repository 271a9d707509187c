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
    for name, key, value in records():
        octets = b"\4" + bytes([len(key)]) + key + struct.pack("!H", len(value)) + value
        write("memory", name, octets)
        write("memory", f"{name}-later", b"\1" + octets[1:])
        write("import", name, b"\1" + bytes([len(key)]) + key.replace(addr(NODE), addr("10.50.0.7")) + value)
        write("journal", name, b"\0" + segment([(key, value), (b"Nbob@corp.example", b"")], [(key, b"x")]))
    line = '{"home-agent":"10.0.0.2","home-address":"10.50.0.7","bindings":1,"crc":1,"key":"410a320007","record":"01"}'
    write("import", "text", b"\0" + line.encode())
    write("import", "text-blanks", b"\0" + line.replace(":", " : ").encode())
    for name, octets in requests():
        write("ctl", name, octets)
    write("journal", "garbage", b"\1" + segment() + b"garbage behind it")
    write("store", "sound", b"")
    for which in range(3):
        for kind, at in ((0, 8192), (0, 40), (1, 100), (1, 4100), (2, 33), (2, 5000), (3, 0)):
            write("store", f"{which}-{kind}-{at}", struct.pack("!BBIB", which, kind, at, 4) + b"\xff\0\1\2"[:4 * (kind == 0)])
    for name, inner in INNER.items():
        for node, kind in enumerate(("ipip", "gre", "udp-ipip", "udp-gre")):
            own = inner[:12] + addr("192.0.2.9") + inner[16:]
            write("bpf", f"to-{name}-{kind}", bytes([node, 4]) + own[:1440])
            outer = dict(tunnels(inner[:16] + addr("192.0.2.9") + inner[20:], {"src": CARE_OF, "dst": HA}))[kind]
            write("bpf", f"from-{name}-{kind}", bytes([node, 2]) + outer[:1440])
    for name, text in configurations():
        write("conf", name, text.encode())
    write("nodes", "each", b"""# a comment
10.50.0.7 alice@corp.example 256 hmac-md5 00112233445566778899aabbccddeeff
- bob@corp.example 0x101 hmac-sha256 00112233445566778899aabbccddeeff nonce # another
10.50.0.8 - 258 keyed-md5 0011 timestamp
10.50.0.7 alice@corp.example 257 hmac-sha1 00
""")
    write("nodes", "faults", b"10.50.0.7 - 255 md5 0\n\n10.50.0.7\n- - 256 hmac-md5 00\n1 2 3 4 5 6 7\n\xff\x00\r\n")
    write("nodes", "twice", b"10.50.0.7 - 256 hmac-md5 00\n10.50.0.7 - 256 hmac-md5 01\n10.50.128.9 - 256 hmac-md5 01\n")
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
    for name, inner in INNER.items():
        for place, kind in enumerate(("ipip", "minimal", "gre", "udp-ipip", "udp-gre", "udp-minimal", "udp-ipip")):
            home, peer = f"192.0.2.{10 + place}", f"198.51.100.{10 + place}"
            own = inner[:12] + addr(home) + inner[16:]
            outer = dict(tunnels(own, {"src": peer, "dst": "192.0.2.1"}))[kind]
            udp_data = kind.startswith("udp")
            head = struct.pack("!BBBHBH", udp_data, place, 7, 40000, 0, len(outer) - 28 * udp_data)
            write("tun", f"from-{name}-{kind}", b"\2" + head + outer[28 * udp_data:])
            to = struct.pack("!BBBHBH", 3, place, 6, 0, 0, len(inner)) + inner
            quote = dict(tunnels(inner[:16] + addr(home), {"src": "192.0.2.1", "dst": peer}))[kind][:548]
            error = ip(1, icmp(3, 4, b"\0\0\5\0", quote), src="203.0.113.1", dst="192.0.2.1")
            error = struct.pack("!BBBHBH", 2, place, 4, 0, 0, len(error)) + error
            write("tun", f"to-{name}-{kind}", b"\0" + to + error + to)
    all_nodes = ip(17, udp(138, 138, b"hello all"), dst="192.0.2.255")
    write("tun", "broadcast", b"\0" + struct.pack("!BBBHBH", 4, 0, 4, 0, 0, len(all_nodes)) + all_nodes)
    ike = ip(17, udp(500, 500, b"12345678"), src=NODE, dst="203.0.113.10")
    signalling = ip(4, ip(17, udp(434, 434, b"\1" * 50), src=NODE, dst="192.0.2.1"))
    write("tun", "signalling", b"\0" + struct.pack("!BBBHBH", 0, 0, 7, 0, 0, len(signalling)) + signalling)
    write("tun", "ike", b"\1" + struct.pack("!BBBHBH", 0, 0, 7, 0, 0, len(ike) + 20) + ip(4, ike))
    echo = ip(1, icmp(8, 0, b"\0\7\0\1", b"keep alive"), src="192.0.2.16", dst="192.0.2.1")
    write("tun", "keepalive", b"\0" + struct.pack("!BBBHBH", 1, 6, 7, 5, 0, len(echo) + 4) + b"\4\4\0\0" + echo)
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
            if agent == 1:
                yield f"{name}-untrusted", struct.pack("!BHI", agent, 0, at[name]) + message("203.0.113.9", 434, octets)
            asked.append((at[name], step))
        for first in range(0, len(asked), 6):
            some = sorted(asked[first:first + 6])
            octets, now = struct.pack("!BHI", agent, 0, some[0][0]), some[0][0]
            for clock, step in some:
                octets += b"\1" + struct.pack("!H", min((clock - now) * 10, 65535)) + step
                now = clock
            yield f"{path.stem}-all-{first}", octets + b"\2\3"


def record(lease="0.0.0.0", bindings=(), boot=0xB007, ident=0xE8FE6F8000000001):
    """Of a mobile node, as memory.c writes it."""
    octets = struct.pack("!BI", 1, boot) + addr(lease) + b"\2"
    octets += struct.pack("!IBQ", 256, 2, ident) + struct.pack("!IBQ", 259, 3, 0x10000001)
    return octets + bytes([len(bindings)]) + b"".join(bindings)


def stored(care_of, bits=4, encap=4, spi=256, networks=b"\0", revocation=b"", lifetime=1800):
    octets = bytes([bits]) + addr(care_of) * 2 + struct.pack("!HB", 434, 0x22) + addr(care_of)
    octets += struct.pack("!HBHHIQ", 0 if not bits & 1 else 40000, encap, 110, lifetime, spi, 0xE8FE6F8000000001)
    return octets + struct.pack("!QQ", 2000000, 0xE8FE6FF000000000) + networks + revocation


def records():
    static, dynamic, router = b"A" + addr(NODE), b"Nmn2@example.org", b"A" + addr("192.0.2.11")
    revocable = addr("198.51.100.1") + struct.pack("!III", 513, 1, 2)
    yield "empty", static, record()
    yield "one", static, record(bindings=[stored(CARE_OF)])
    yield "two", static, record(bindings=[stored(CARE_OF, encap=47), stored("198.51.100.78", encap=55)])
    yield "same-care-of", static, record(bindings=[stored(CARE_OF), stored(CARE_OF, encap=47)])
    yield "no-encapsulation", static, record(bindings=[stored(CARE_OF, encap=77)])
    yield "in-itself", static, record(bindings=[stored(NODE)])
    yield "no-lifetime", static, record(bindings=[stored(CARE_OF, lifetime=0)])
    yield "udp", static, record(bindings=[stored(CARE_OF, bits=5)])
    yield "revocable", static, record(bindings=[stored("198.51.100.1", bits=4 + 32 + 64, revocation=revocable)])
    yield "dynamic", dynamic, record("192.0.2.21", [stored(CARE_OF)])
    yield "router", router, record(bindings=[stored(CARE_OF, spi=257, networks=b"\1" + addr("10.60.0.0") + b"\x18")])
    yield "for-ever", static, record(bindings=[stored(CARE_OF, lifetime=65535)])
    yield "stranger", b"A" + addr("192.0.2.99"), record(bindings=[stored(CARE_OF)])


def configurations():
    """Keys and what may stand for them; the commented examples are read as they are."""
    for name in ("ihad", "xhad"):
        text = (HERE.parents[1] / "etc" / f"{name}.yaml").read_text()
        yield f"{name}-example", text
        yield f"{name}-all", re.sub(r"(?m)^( *)# ?(?=[a-z-]+:|- )", r"\1", text)
    base = "home-agent: {address: 10.0.0.2}\nhome-networks:\n- prefix: 10.50.0.0/16\n  dynamic-pool: 10.50.128.0/17\n"
    yield "least", base
    yield "nodes", base + """mobile-nodes:
- {home-address: 10.50.0.7, nai: alice@corp.example, spi: 256, key: 00112233445566778899aabbccddeeff}
- {nai: bob@corp.example, spi: 0x101, algorithm: hmac-sha256, key: 00112233445566778899aabbccddeeff, replay: nonce}
- {home-address: 10.50.0.7, nai: alice@corp.example, spi: 257, key: 0011, previous-key: 2233,
   previous-key-until: 2026-12-01T00:00:00Z, services: [ims], service-required: true,
   mobile-networks: [10.60.0.0/24], mobile-network-mode: implicit}
foreign-agents: [{address: 10.20.0.1, spi: 512, algorithm: hmac-md5, key: ffeeddccbbaa99887766554433221100}]
"""
    yield "vpn", base + "forwarding: {policy: ipsec-only, vpn-gateways: [198.51.100.10]}\ninside: {interfaces: [dmz1], networks: [10.0.0.0/8]}\n"
    yield "trusted", base + "trusted-networks: [10.0.0.0/8, 192.168.0.0/16]\nmobile-nodes-file: /dev/null\ninclude: /nowhere\n"
    yield "faults", base + "home-agent: 7\nregistration: {max-lifetime: 0, nonsense: &a [*a]}\nlog: {level: \"\\x07loud\"}\n"
    yield "anchors", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def requests():
    for words in ("show bindings", "show bindings 10.50.0.7", "show bindings alice@corp.example", "show counters",
                  "show status", "show mobile-nodes", "show violations", "clear violations", "show data-path",
                  "show trusted-networks", "show config", "show config registration", "trace 10.50.0.7",
                  "clear binding 10.50.0.7", "drain", "drain off", "state check", "state export", "state import {}",
                  "reload", "log-level error", "help", "show", "nonsense\\x20word \\t\\\\ \\q", "help show"):
        yield words.replace(" ", "-").replace("\\", ""), f"ctl/1 {words}\n".encode()
    yield "other-version", b"ctl/2 show status\n"
    yield "no-newline", b"ctl/1 show status"
    yield "zero", b"ctl/1 show\0status\n"
    yield "many-words", b"ctl/1" + b" a" * 40 + b"\n"


def crc32c(octets):
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def segment(*batches):
    """Of the journal, its checksums left to the target."""
    octets = b"HAjourn\0" + struct.pack("!IQQI", 1, 1, 0, 0)
    for batch in batches:
        changes = b"".join(struct.pack("!HH", len(k), len(v)) + k + v for k, v in batch)
        octets += b"HAJR" + struct.pack("!IIIQ", 24 + len(changes), 0, 0, 32) + changes
    return octets


if __name__ == "__main__":
    main()
