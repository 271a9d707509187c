# SPDX-License-Identifier: BSD-2-Clause
"""
What the README tells an operator to type: its five commands as they are written there, on a host where
snmpd was started as its package does, with etc/snmp/snmpd.conf for its configuration.
"""

import os
import re
import select
import shlex
import shutil
import signal
import subprocess

import pytest

from fixtures import snmp, topology
from fixtures.namespaces import run
from fixtures.programs import Program
from fixtures.wait import until

pytestmark = pytest.mark.skipif(bool(snmp.missing), reason=f"not installed: {snmp.missing}")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = "/lib/systemd/system/snmpd.service"
PASSWORDS = ("authpassphrase", "privpassphrase")
ENGINE = "0x80007ed9046578616d706c65"       # of the host's snmpd: whom the receiver knows

# The host's own files, where the programs look for them.
LAY_OUT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /var
mkdir -p /var/lib/snmp /var/agentx /var/log
! id Debian-snmp >/dev/null 2>&1 || chown Debian-snmp /var/lib/snmp
mount -t tmpfs tmpfs /etc/snmp
mkdir -p /usr/share/snmp/mibs
mount -t tmpfs tmpfs /usr/share/snmp/mibs
cp {root}/test/lint/mibs/* {root}/mibs/HOME-AGENT*-MIB.txt /usr/share/snmp/mibs
cp {files}/*.conf /etc/snmp
for name in hosts group; do mount --bind {files}/$name /etc/$name; done
echo laid-out
exec sleep infinity
"""


def readme_section():
    with open(f"{ROOT}/README.md", encoding="utf-8") as f:
        return re.search(r"^### From a manager\n(.*?)^##", f.read(), re.M | re.S).group(1)


def commands():
    """{program: the command, comment and all}"""
    lines = re.findall(r"^    (snmp\w+ .*)$", readme_section(), re.M)
    assert len(lines) == 5
    return {line.split()[0]: line for line in lines}


def v3_options():
    """What the README gives as an example for $V3, its dots filled in."""
    [example] = re.findall(r"`(-v3 [^`]*)`", " ".join(readme_section().split()))
    assert example.count("...") == len(PASSWORDS)
    for password in PASSWORDS:
        example = example.replace("...", password, 1)
    return example


def needs_snmp(bindir):
    with open(os.path.join(bindir, "ihad"), "rb") as f:
        if b"netsnmp_" not in f.read():
            pytest.skip("built without SNMP")


def snmpd_argv():
    """As its package starts it, whose unit may be elsewhere or not there."""
    if os.path.exists(UNIT):
        with open(UNIT, encoding="utf-8") as f:
            return shlex.split(re.search(r"^ExecStart=(.*)$", f.read(), re.M).group(1))
    return [shutil.which("snmpd", path=os.environ["PATH"] + ":/usr/sbin"), "-LOw", "-f"]


class Machine:
    """The home agents' host with files of its own in a mount namespace."""

    def __init__(self, host, workdir):
        self.host = host
        self._holder = None
        files = os.path.join(workdir, "etc")
        os.mkdir(files)

        def write(name, text):
            with open(f"{files}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        with open(f"{ROOT}/etc/snmp/snmpd.conf", encoding="utf-8") as f:
            fragment = f.read()
        assert "\n#trapsess " in fragment
        write("snmpd.conf", fragment.replace("\n#trapsess ", "\ntrapsess "))
        auth, priv = PASSWORDS
        # Beside it: what net-snmp-create-v3-user leaves, and no more.
        write("snmpd.local.conf", f"exactEngineID {ENGINE}\n"
              f'createUser operator SHA "{auth}" AES "{priv}"\n')
        write("snmptrapd.conf", f'createUser -e {ENGINE} operator SHA "{auth}" AES "{priv}"\n'
              "authUser log operator\n")
        write("hosts", "127.0.0.1 localhost HOST manager.example\n")
        with open("/etc/group", encoding="utf-8") as f:
            write("group", "".join(l for l in f if not l.startswith("home-agent:")) + "home-agent:x:64434:\n")
        self._script = LAY_OUT.format(root=ROOT, files=files)

    def start(self):
        self._holder = self.host.popen(["unshare", "-m", "sh", "-c", self._script], text=True,
                                       stdout=subprocess.PIPE)
        assert self._holder.stdout.readline() == "laid-out\n"
        return self

    def argv(self, argv):
        return ["nsenter", "-t", str(self._holder.pid), "-m", *argv]

    def shell(self, line):
        """argv of a command line typed on it, with $V3 set."""
        environment = {k: v for k, v in os.environ.items() if k not in ("MIBS", "MIBDIRS", "SNMPCONFPATH")}
        return {"args": self.host.argv(self.argv(["sh", "-c", line])),
                "env": environment | {"V3": v3_options(), "HOME": "/nonexistent"}}

    def type(self, line, check=True):
        how = self.shell(line)
        return run(how.pop("args"), check=check, **how).stdout

    def close(self):
        if self._holder:
            self._holder.kill()
            self._holder.wait()


class Shown:
    """A command that goes on, and what it has shown."""

    def __init__(self, machine, line):
        self._process = subprocess.Popen(**machine.shell(f"exec {line}"), stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)
        self._seen = b""

    def text(self):
        while select.select([self._process.stdout], [], [], 0)[0]:
            octets = os.read(self._process.stdout.fileno(), 65536)
            if not octets:
                break
            self._seen += octets
        return self._seen.decode()

    def close(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)


@pytest.fixture
def machine(campus, workdir, things, bindir):
    needs_snmp(bindir)
    things.append(Machine(campus.ha, workdir))
    m = things[-1].start()
    master = Program(campus.ha, m.argv(snmpd_argv()), workdir, "snmpd")
    master.start(wait=False)
    things.append(master)
    master.close = lambda: (master.process.kill(), master.process.wait())
    until(lambda: "Timeticks" in m.type("snmpget $V3 HOST .1.3.6.1.2.1.1.3.0 2>&1", check=False),
          "snmpd answers")
    return m


@pytest.fixture
def both(campus, machine, run_daemon):
    """ihad and xhad under it, where they look for a master agent if they are not told."""
    campus.ha.ip("addr add 10.0.0.3/24 dev eth0")
    campus.router.route("172.31.0.0/16", "10.0.0.2")

    def start(name, conf):
        daemon = run_daemon(campus.ha, name, conf | {"snmp": {"enabled": True}}, start=False)
        daemon.argv = machine.argv(daemon.argv)
        daemon.start()
        until(lambda: daemon.status()["snmp"] == "connected", f"{name} has a master:\n{daemon.log()}")
        return daemon
    return start("ihad", campus.ihad_conf), start("xhad", {
        "home-agent": {"address": "10.0.0.3"}, "home-networks": [{"prefix": "172.31.0.0/16"}],
        "mobile-nodes": topology.nodes("172.31.0")[:6]})


def test_the_five_commands_of_the_readme_show_what_they_say(campus, machine, both, things, desk, peer):
    ihad, _ = both
    typed = commands()
    things.append(Shown(machine, typed["snmptrapd"]))
    receiver = things[-1]
    until(lambda: re.search(r"^NET-SNMP version [\d.]+$", receiver.text(), re.M), "snmptrapd listens")
    desk.register()
    peer(campus.desk, campus.desk_address, "172.31.0.7", "10.0.0.3").register()
    stranger = peer(campus.stranger, campus.stranger_address, campus.home, campus.agent)
    stranger.send(stranger.build())
    ihad.wait_counter("requests-dropped-untrusted", 1)

    system = machine.type(typed["snmpwalk"])
    assert "HOME-AGENT-MIB::heName.0 = STRING: ihad" in system
    assert "HOME-AGENT-MIB::heRole.0 = INTEGER: internal(1)" in system
    assert re.search(r"heUpSince.0 = Timeticks: \(\d+\)", system)
    got = machine.type(typed["snmpget"])
    assert re.findall(r"^HOME-AGENT-MIB::(\w+)\.0 = Gauge32: (\d+)", got, re.M) == [
        ("heBindings", "1"), ("heRequestRate", re.search(r"heRequestRate.0 = Gauge32: (\d+)", got).group(1)),
        ("heTrustedNetworks", "1")]
    table = machine.type(typed["snmptable"])
    assert "untrusted" in table and str(stranger.port) in table
    assert '"0A 32 00 07 "' in table                    # 10.50.0.7, which it named
    bindings = machine.type(typed["snmpbulkwalk"])
    assert f"172.31.0.7.{campus.desk_address}" in bindings and campus.home not in bindings
    until(lambda: "heUntrustedRequest" in receiver.text(), f"it is told of:\n{receiver.text()}")
    assert "HOME-AGENT-MIB::heName.0 = STRING: ihad" in receiver.text()


def test_the_home_agents_group_may_use_the_socket(machine):
    """Daemons that run as a user of their own have nothing else to get there by."""
    assert machine.type("stat -c '%a %G' /var/agentx/master").split() == ["660", "home-agent"]
    assert machine.type("stat -c '%A' /var/agentx").strip().endswith("r-x")


def test_nobody_reads_without_authentication_and_privacy(machine, both):
    """What the configuration we hand out lets in."""
    name = ".1.3.6.1.4.1.32473.5265.1.1.1.0"
    assert "ihad" in machine.type(f"snmpget $V3 -On HOST {name}")
    assert "xhad" in machine.type(f"snmpget $V3 -n xhad -On HOST {name}")
    for who in ("-v2c -c public", "-v1 -c public", "-v3 -u operator -l noAuthNoPriv",
                "-v3 -u operator -l authNoPriv -a SHA -A authpassphrase",
                "-v3 -u operator -l authPriv -a SHA -A otherpassphrase -x AES -X privpassphrase",
                "-v3 -u nobody -l authPriv -a SHA -A authpassphrase -x AES -X privpassphrase"):
        said = machine.type(f"snmpget -t 0.5 -r 1 {who} -On HOST {name} 2>&1", check=False)
        assert "had" not in said.replace("HOST", ""), (who, said)
    assert "noAccess" in machine.type(f"snmpset $V3 HOST {name} s other 2>&1", check=False)
