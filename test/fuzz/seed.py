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

HA, NODE, CARE_OF, GATEWAY = "192.0.2.2", "192.0.2.10", "198.51.100.77", "198.51.100.10"
HOST, ROUTER, STRANGER = "192.0.2.9", "203.0.113.1", "203.0.113.5"


def write(target, name, octets):
    directory = HERE / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(octets)


# --- packets ---


def checksum(octets):
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def addr(text):
    return bytes(int(n) for n in text.split("."))


def ip(protocol, payload, src=HOST, dst=NODE, tos=0, frag=0x4000, ttl=63, options=b""):
    length = 20 + len(options) + len(payload)
    head = bytes([0x45 + len(options) // 4, tos])
    head += struct.pack("!HHHBBH", length, 0x1234, frag, ttl, protocol, 0)
    head += addr(src) + addr(dst) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(kind, code, rest=bytes(4), payload=b""):
    message = bytes([kind, code, 0, 0]) + rest + payload
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def tcp_syn(options=bytes.fromhex("020405b4")):
    offset = (5 + len(options) // 4) << 4
    return struct.pack("!HHIIBBHHH", 5000, 80, 1, 0, offset, 2, 65535, 0, 0) + options


def gre(inner):
    return bytes.fromhex("00000800") + inner


def minimal(inner):
    forwarding = bytes([inner[9], 0x80, 0, 0]) + inner[16:20] + inner[12:16]
    return forwarding[:2] + struct.pack("!H", checksum(forwarding)) + forwarding[4:] + inner[20:]


OPTIONS = bytes.fromhex("94040000") + bytes([1, 1, 7, 3, 4, 0, 0, 0])
INNER = {
    "udp": ip(17, udp(5000, 53, b"question")),
    "tcp-syn": ip(6, tcp_syn()),
    "echo": ip(1, icmp(8, 0, b"\0\7\0\1", b"ping" * 4)),
    "options": ip(17, udp(1, 2, b"x" * 40), options=OPTIONS),
    "fragment": ip(17, b"f" * 64, frag=0x2003),
    "ecn": ip(17, udp(1, 2, b"marked"), tos=0xB9),
    "long": ip(17, udp(1, 2, bytes(range(256)) * 6), frag=0),
}


def tunnels(inner, src, dst):
    """The packet in each encapsulation, by its name."""
    ends = {"src": src, "dst": dst}
    made = {
        "ipip": ip(4, inner, **ends),
        "gre": ip(47, gre(inner), **ends),
        "gre-key": ip(47, bytes.fromhex("200008000000000a") + inner, **ends),
        "minimal": ip(55, minimal(inner), **ends),
    }
    for name, mode, data in (("ipip", 4, inner), ("gre", 47, gre(inner)), ("minimal", 55, minimal(inner))):
        made[f"udp-{name}"] = ip(17, udp(434, 40000, bytes([4, mode, 0, 0]) + data), **ends)
    return made


# --- messages ---


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


def messages():
    """Of vectors: whole ones, and what stands behind their fixed parts."""
    fixed = {1: 24, 3: 20, 7: 20, 15: 12}
    for name, _, octets in vectors():
        if not octets or len(octets) > 1472:
            continue
        write("describe", name, octets)
        if octets[0] in fixed:
            write("reg", name, octets)
            write("ext", name, octets[fixed[octets[0]]:])
        elif octets[0] == 4:
            write("encap", name, struct.pack("!BHHB", 1, 100, 7, 0) + octets)


AGENTS = {"core": 0, "ihad": 1, "extensions": 1, "later-ihad": 1, "nat": 2, "later-xhad": 2,
          "dynamic-ha": 3}


def clocks(path):
    """When each packet of a file of vectors was heard; None: it never was."""
    at = {}
    for block in path.read_text().split("\npacket ")[1:]:
        clock = re.search(r"clock=([0-9a-f]+)", block)
        at[f"{path.stem}-{block.split(':')[0]}"] = int(clock[1], 16) if clock else None
    return at


def message(src, port, octets):
    return b"\0" + addr(src) + struct.pack("!HH", port, len(octets)) + octets


def conversation(agent, now, steps):
    octets = struct.pack("!BHI", agent, 0, now)
    for clock, step in steps:
        if clock > now:
            octets += b"\1" + struct.pack("!H", min((clock - now) * 10, 65535))
        octets += step
        now = clock
    return octets


# Bits of settings: what a reload in the middle of a conversation takes away, re-keys and adds.
CHANGES = (("gone", 0xFFFF, 0, 0xF), ("rekeyed", 0, 0xFFFF, 0), ("added", 0x1C, 0, 0xF))


def conversations():
    """Each request of the vectors at its clock, from a stranger too, and six after each other."""
    for path in sorted(VECTORS.glob("*.hex")):
        agent, at, asked = AGENTS[path.stem], clocks(path), []
        for name, way, octets in vectors():
            if not at.get(name) or octets[:1] not in (b"\1", b"\7", b"\17"):
                continue
            src, port = way.split(" > ")[0].split(":")
            step = (at[name], message(src, int(port), octets))
            write("engine", name, conversation(agent, at[name], [step]))
            if agent == 1:
                strange = (at[name], message("203.0.113.9", 434, octets))
                write("engine", f"{name}-untrusted", conversation(agent, at[name], [strange]))
            asked.append(step)
        for first in range(0, len(asked), 6):
            some = sorted(asked[first:first + 6])
            whole = conversation(agent, some[0][0], some) + b"\2\3"
            write("engine", f"{path.stem}-all-{first}", whole)
            for name, gone, rekeyed, added in CHANGES:
                change = b"\4" + struct.pack("!HHB", gone, rekeyed, added)
                middle = [(some[len(some) // 2][0], change)]
                whole = conversation(agent, some[0][0], some[:len(some) // 2] + middle + some[len(some) // 2:])
                write("engine", f"{path.stem}-{name}-{first}", whole)


# --- the data path ---


def encapsulations():
    head = struct.pack("!BHHB", 0, 500, 7, 0)
    for name, inner in INNER.items():
        write("encap", name, head + inner)
        for kind, outer in tunnels(inner, CARE_OF, HA).items():
            write("encap", f"{name}-in-{kind}", head + outer)
            if kind.startswith("udp"):
                write("encap", f"{name}-in-{kind}-data", head + outer[28:])


def errors():
    kinds = {"too-big": (3, 4, b"\0\0\5\0"), "unreachable": (3, 1), "ttl": (11, 0)}
    for name, inner in INNER.items():
        for kind, outer in tunnels(inner, HA, CARE_OF).items():
            for what, (icmp_type, code, *rest) in kinds.items():
                if what != "too-big" and name != "udp":
                    continue
                error = icmp(icmp_type, code, rest[0] if rest else bytes(4), outer[:548])
                error = ip(1, error, src=ROUTER, dst=HA)
                head = struct.pack("!BHH", 0, 1000, len(error))
                write("icmp", f"{what}-{name}-{kind}", head + error)
    echo = INNER["echo"]
    write("icmp", "echo", struct.pack("!BHH", 2, 10, len(echo)) + echo)


def policy():
    for name, dport, protocol in (("ike", 500, 17), ("natt", 4500, 17), ("dns", 53, 17), ("esp", 1, 50)):
        out = ip(protocol, udp(500, dport, b"12345678"), src=NODE, dst=GATEWAY)
        back = ip(protocol, udp(dport, 500, b"12345678"), src=GATEWAY, dst=NODE)
        strange = ip(protocol, udp(500, dport, b"1"), src=NODE, dst=STRANGER)
        error_in = ip(1, icmp(3, 4, b"\0\0\5\0", out), src=ROUTER, dst=NODE)
        error_out = ip(1, icmp(3, 3, bytes(4), back), src=NODE, dst=GATEWAY)
        write("filter", f"{name}-out", b"\1" + out)
        write("filter", f"{name}-in", b"\0" + back)
        write("filter", f"{name}-stranger", b"\1" + strange)
        write("filter", f"{name}-error-in", b"\0" + error_in)
        write("filter", f"{name}-error-out", b"\1" + error_out)
    source_route = ip(50, b"12345678", src=NODE, dst=GATEWAY, options=bytes([131, 3, 4, 0]))
    write("filter", "options", b"\1" + source_route)


RAW, UDP, ERROR, FORWARD, BROADCAST = range(5)


def tun_step(kind, place, octets, helped=7, port=40000):
    return struct.pack("!BBBHBH", kind, place, helped, port, 0, len(octets)) + octets


def tun():
    kinds = ("ipip", "minimal", "gre", "udp-ipip", "udp-gre", "udp-minimal", "udp-ipip")
    for name, inner in INNER.items():
        for place, kind in enumerate(kinds):
            home, peer = f"192.0.2.{10 + place}", f"198.51.100.{10 + place}"
            outer = tunnels(inner[:12] + addr(home) + inner[16:], peer, "192.0.2.1")[kind]
            is_udp = kind.startswith("udp")
            heard = outer[28:] if is_udp else outer
            step = tun_step(UDP if is_udp else RAW, place, heard)
            write("tun", f"from-{name}-{kind}", b"\2" + step)
            to = tun_step(FORWARD, place, inner, 6, 0)
            quote = tunnels(inner[:16] + addr(home), "192.0.2.1", peer)[kind][:548]
            error = ip(1, icmp(3, 4, b"\0\0\5\0", quote), src=ROUTER, dst="192.0.2.1")
            write("tun", f"to-{name}-{kind}", b"\0" + to + tun_step(ERROR, place, error, 4, 0) + to)
    all_nodes = ip(17, udp(138, 138, b"hello all"), dst="192.0.2.255")
    write("tun", "broadcast", b"\0" + tun_step(BROADCAST, 0, all_nodes, 4, 0))
    signalling = ip(4, ip(17, udp(434, 434, b"\1" * 50), src=NODE, dst="192.0.2.1"))
    write("tun", "signalling", b"\0" + tun_step(RAW, 0, signalling))
    ike = ip(4, ip(17, udp(500, 500, b"12345678"), src=NODE, dst="203.0.113.10"))
    write("tun", "ike", b"\1" + tun_step(RAW, 0, ike))
    echo = ip(1, icmp(8, 0, b"\0\7\0\1", b"keep alive"), src="192.0.2.16", dst="192.0.2.1")
    write("tun", "keepalive", b"\0" + tun_step(UDP, 6, b"\4\4\0\0" + echo, port=5))


def fast_path():
    for name, inner in INNER.items():
        for node, kind in enumerate(("ipip", "gre", "udp-ipip", "udp-gre")):
            to = inner[:12] + addr(HOST) + inner[16:]
            write("bpf", f"to-{name}-{kind}", bytes([node, 4]) + to[:1440])
            outer = tunnels(inner[:16] + addr(HOST) + inner[20:], CARE_OF, HA)[kind]
            write("bpf", f"from-{name}-{kind}", bytes([node, 2]) + outer[:1440])


def link():
    macs = bytes.fromhex("ffffffffffff020000000011")
    arp = macs + bytes.fromhex("08060001080006040001020000000011")
    arp += addr(HOST) + bytes(6) + addr(NODE)
    write("link", "arp-question", b"\0" + arp)
    write("link", "arp-reply", b"\0" + arp[:21] + b"\2" + arp[22:])
    packets = {
        "solicitation": ip(1, icmp(10, 0), ttl=1),
        "broadcast": ip(17, udp(138, 138, b"hello all"), dst="192.0.2.255"),
        "registration": ip(17, udp(138, 434, b"hello all"), dst="192.0.2.255"),
    }
    for name, packet in packets.items():
        write("link", name, b"\0" + macs + b"\x08\0" + packet)


# --- what a home agent remembers ---

IDENT = 0xE8FE6F8000000001


def record(*bindings, lease="0.0.0.0"):
    """Of a mobile node, as memory.c writes it."""
    octets = struct.pack("!BI", 1, 0xB007) + addr(lease) + b"\2"
    octets += struct.pack("!IBQ", 256, 2, IDENT) + struct.pack("!IBQ", 259, 3, 0x10000001)
    return octets + bytes([len(bindings)]) + b"".join(bindings)


def stored(care_of=CARE_OF, bits=4, encap=4, spi=256, networks=b"\0", behind=b"", lifetime=1800):
    port = 40000 if bits & 1 else 0
    octets = bytes([bits]) + addr(care_of) * 2 + struct.pack("!HB", 434, 0x22) + addr(care_of)
    octets += struct.pack("!HBHHIQ", port, encap, 110, lifetime, spi, IDENT)
    return octets + struct.pack("!QQ", 2000000, 0xE8FE6FF000000000) + networks + behind


def records():
    static, dynamic, router = b"A" + addr(NODE), b"Nmn2@example.org", b"A" + addr("192.0.2.11")
    agreed = addr("198.51.100.1") + struct.pack("!III", 513, 1, 2)
    network = b"\1" + addr("10.60.0.0") + b"\x18"
    yield "empty", static, record()
    yield "one", static, record(stored())
    yield "two", static, record(stored(encap=47), stored("198.51.100.78", encap=55))
    yield "same-care-of", static, record(stored(), stored(encap=47))
    yield "no-encapsulation", static, record(stored(encap=77))
    yield "in-itself", static, record(stored(NODE))
    yield "no-lifetime", static, record(stored(lifetime=0))
    yield "udp", static, record(stored(bits=5))
    yield "revocable", static, record(stored("198.51.100.1", bits=4 + 32 + 64, behind=agreed))
    yield "dynamic", dynamic, record(stored(), lease="192.0.2.21")
    yield "router", router, record(stored(spi=257, networks=network))
    yield "for-ever", static, record(stored(lifetime=65535))
    yield "stranger", b"A" + addr("192.0.2.99"), record(stored())


def segment(*batches):
    """Of the journal, its checksums left to the target."""
    octets = b"HAjourn\0" + struct.pack("!IQQI", 1, 1, 0, 0)
    for batch in batches:
        changes = b"".join(struct.pack("!HH", len(k), len(v)) + k + v for k, v in batch)
        octets += b"HAJR" + struct.pack("!IIIQ", 24 + len(changes), 0, 0, 32) + changes
    return octets


def memory():
    for name, key, value in records():
        octets = bytes([len(key)]) + key + struct.pack("!H", len(value)) + value
        write("memory", name, b"\4" + octets)
        write("memory", f"{name}-later", b"\1" + octets)
        write("memory", f"{name}-followed", b"\x14" + octets * 2)
        local = key.replace(addr(NODE), addr("10.50.0.7"))
        write("import", name, b"\1" + bytes([len(key)]) + local + value)
        journal = segment([(key, value), (b"Nbob@corp.example", b"")], [(key, b"x")])
        write("journal", name, b"\0" + journal)
    revoked = b"R" + addr(NODE) + addr("198.51.100.1")
    waits = struct.pack("!BIB", 1, 0xB007, 3) + addr("198.51.100.1") * 2 + struct.pack(
        "!HIIQIQQ", 434, 513, 1, 2000, 2000, 2000000, 0xE8FE6FF000000000)
    write("memory", "revocation", b"\4\x09" + revoked + struct.pack("!H", len(waits)) + waits)
    write("journal", "garbage", b"\1" + segment() + b"garbage behind it")
    line = '{"home-agent":"10.0.0.2","home-address":"10.50.0.7","bindings":1,"crc":1,'
    line += '"key":"410a320007","record":"01"}'
    write("import", "text", b"\0" + line.encode())
    write("import", "text-blanks", b"\0" + line.replace(":", " : ").encode())
    write("store", "sound", b"")
    spoils = ((0, 8192), (0, 40), (1, 100), (1, 4100), (2, 33), (2, 5000), (3, 0))
    for which in range(3):
        for kind, at in spoils:
            octets = struct.pack("!BBIB", which, kind, at, 4) + (b"" if kind else b"\xff\0\1\2")
            write("store", f"{which}-{kind}-{at}", octets)
    # An early segment without its records: the next does not join on.
    write("store", "0-2-32", struct.pack("!BBIB", 0, 2, 32, 0))


def cluster():
    """Steps of fuzz_cluster.c."""
    shake = b"\1" + struct.pack("!I", 7)
    late = b"\4" + struct.pack("!H", 1200)

    def told(key, value, ident=IDENT):
        octets = bytes([len(key)]) + key + struct.pack("!QQH", ident, IDENT, len(value))
        return octets + value

    def shared(value, version=IDENT):
        return b"\2" + value[1:9] + struct.pack("!QQ", IDENT, version) + value[9:]

    for name, key, value in records():
        scan = shake + b"\3" + told(key, shared(value))
        write("cluster", f"scan-{name}", b"\0" + scan + late)
        write("cluster", f"stream-{name}", b"\4" + scan + b"\2\0" + told(key, shared(value), IDENT + 1)
              + b"\2\0" + told(key, shared(record()), IDENT + 2) + b"\2\5" + told(key, value, 1))
    whole = shake + b"\3" + told(b"A" + addr(NODE), shared(record(stored())))
    write("cluster", "change", b"\3" + whole + b"\5" + late + b"\0\0" + struct.pack("!H", 4) + b":1\r\n"
          + b"\0\0" + struct.pack("!H", 4) + b":1\r\n" + b"\5" + late)
    write("cluster", "small-queue", b"\x21" + b"\5" * 6 + whole + late)
    write("cluster", "reload", b"\0" + whole + b"\7\5\7" + late + b"\6")
    for name, text in (("unasked", b"+OK\r\n" * 9), ("endless", b"*2147483647\r\n"), ("error", b"-ERR no\r\n"),
                       ("none", b"HTTP/1.1 400\r\n"), ("nested", b"*1\r\n" * 12)):
        said = bytes([0, 0]) + struct.pack("!H", len(text)) + text
        write("cluster", name, b"\0" + said + late)
        write("cluster", f"{name}-later", b"\0" + whole + said.replace(b"\0\0", b"\0\1", 1) + late)
    master = b"+OK\r\n*2\r\n+198.51.100.9\r\n+6379\r\n"
    write("cluster", "sentinel", b"\x18\0\0" + struct.pack("!H", len(master)) + master + whole + late)
    write("cluster", "silence", b"\0" + late * 8)
    peers = b"*2\r\n+other\r\n+1 active 0123456789abcdef 7 0 1700000000000 3 2\r\n"
    beat = peers + b":1\r\n+5a5a5a5a5a5a5a5a\r\n:9\r\n"
    write("cluster", "peers", b"\0" + whole + late + b"\0\0" + struct.pack("!H", len(beat)) + beat)


# --- what an operator writes ---

BASE = """home-agent: {address: 10.0.0.2}
home-networks:
- prefix: 10.50.0.0/16
  dynamic-pool: 10.50.128.0/17
"""

NODES = """mobile-nodes:
- {home-address: 10.50.0.7, nai: alice@corp.example, spi: 256, key: 00112233445566778899aabb}
- {nai: bob@corp.example, spi: 0x101, algorithm: hmac-sha256, key: 00112233, replay: nonce}
- {home-address: 10.50.0.7, nai: alice@corp.example, spi: 257, key: 0011, previous-key: 2233,
   previous-key-until: 2026-12-01T00:00:00Z, services: [ims], service-required: true,
   mobile-networks: [10.60.0.0/24], mobile-network-mode: implicit}
foreign-agents: [{address: 10.20.0.1, spi: 512, algorithm: hmac-md5, key: ffeeddccbbaa9988}]
"""

VPN = """forwarding: {policy: ipsec-only, vpn-gateways: [198.51.100.10]}
inside: {interfaces: [dmz1], networks: [10.0.0.0/8]}
"""

TRUSTED = """trusted-networks: [10.0.0.0/8, 192.168.0.0/16]
mobile-nodes-file: /dev/null
include: /nowhere
"""

FAULTS = """home-agent: 7
registration: {max-lifetime: 0, nonsense: &a [*a]}
log: {level: "\\x07loud"}
"""


def configurations():
    """Keys and what may stand for them; the commented examples, and all that is commented there."""
    for name in ("ihad", "xhad"):
        text = (HERE.parents[1] / "etc" / f"{name}.yaml").read_text()
        write("conf", f"{name}-example", text.encode())
        everything = re.sub(r"(?m)^( *)# ?(?=[a-z-]+:|- )", r"\1", text)
        write("conf", f"{name}-all", everything.encode())
    for name, text in {"least": "", "nodes": NODES, "vpn": VPN, "trusted": TRUSTED, "faults": FAULTS}.items():
        write("conf", name, (BASE + text).encode())
    write("conf", "anchors", b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    write("nodes", "each", b"""# a comment
10.50.0.7 alice@corp.example 256 hmac-md5 00112233445566778899aabbccddeeff
- bob@corp.example 0x101 hmac-sha256 00112233445566778899aabbccddeeff nonce # another
10.50.0.8 - 258 keyed-md5 0011 timestamp
10.50.0.7 alice@corp.example 257 hmac-sha1 00
""")
    write("nodes", "faults", b"10.50.0.7 - 255 md5 0\n\n10.50.0.7\n- - 256 hmac-md5 00\n"
          b"1 2 3 4 5 6 7\n\xff\x00\r\n")
    write("nodes", "twice", b"10.50.0.7 - 256 hmac-md5 00\n10.50.0.7 - 256 hmac-md5 01\n"
          b"10.50.128.9 - 256 hmac-md5 01\n")


REQUESTS = """show bindings
show bindings 10.50.0.7
show bindings alice@corp.example
show counters
show status
show mobile-nodes
show violations
clear violations
show data-path
show trusted-networks
show config
show config registration
trace 10.50.0.7
clear binding 10.50.0.7
drain
drain off
state check
state export
state import {}
reload
log-level error
help
show
nonsense\\x20word \\t\\\\ \\q
help show
"""


def requests():
    for words in REQUESTS.splitlines():
        name = words.replace(" ", "-").replace("\\", "")
        write("ctl", name, f"ctl/1 {words}\n".encode())
    write("ctl", "other-version", b"ctl/2 show status\n")
    write("ctl", "no-newline", b"ctl/1 show status")
    write("ctl", "zero", b"ctl/1 show\0status\n")
    write("ctl", "many-words", b"ctl/1" + b" a" * 40 + b"\n")


def main():
    for seeds in (messages, conversations, encapsulations, errors, policy, tun, fast_path, link,
                  memory, cluster, configurations, requests):
        seeds()


if __name__ == "__main__":
    main()
