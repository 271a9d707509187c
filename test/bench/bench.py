# SPDX-License-Identifier: BSD-2-Clause
"""
What the benchmarks share: a daemon and a load generator on two cores, a cable between them, and
what the kernel says the daemon has cost. Needs root and a build with tests (RelWithDebInfo).
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test", "netns"))

from fixtures.namespaces import Network, run          # noqa: E402
from fixtures.programs import Program, to_yaml        # noqa: E402

HOME_AGENT = "192.0.2.1"
FIRST_HOME = "10.65.0.0"
CARE_OF = "20.0.0.0"        # and as many more as there are nodes, twice
DAEMON_CORE, LOAD_CORE = 0, 1


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg(), "when": time.strftime("%Y-%m-%d %H:%M:%S %z")}


def pin(pid, core):
    """To a core; and where each session is a group to the scheduler, nice -n holds for groups."""
    if os.cpu_count() > 1:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {core})
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as f:
            f.write(str(os.getpriority(os.PRIO_PROCESS, 0)))
    except OSError:
        pass        # none here


def cpu_seconds(pid):
    """What all threads of a process have run, by the scheduler's clock."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass        # a thread that has just ended, as a reload's does
    return total / 1e9


def user_share(before, after):
    """Of what a process ran between two user_and_system(): how much was its own, not the kernel's."""
    user, system = (b - a for a, b in zip(before, after))
    return user / (user + system) if user + system > 0 else 0


def user_and_system(pid):
    """In ticks, as getrusage(2) has them: for shares, not for sums."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def memory(pid):
    """Resident octets: of its own, and all (with shared libraries and mapped files)."""
    sizes = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(("RssAnon", "VmRSS", "VmHWM")):
                key, value = line.split(":")
                sizes[key] = int(value.split()[0]) * 1024
    return sizes


class Daemon(Program):
    """A daemon whose word to the service manager is read as it comes."""

    def told(self, what):
        """Waits a moment; has it said so?"""
        try:
            return what in self._notify.recv(4096).decode().split("\n")
        except socket.timeout:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{self.log()}") from None
            return False


class Load:
    """test/bench/load as a process that is told phases."""

    def __init__(self, host, argv):
        self.process = host.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  start_new_session=True)
        pin(self.process.pid, LOAD_CORE)

    def phase(self, line, pid=None):
        """Its result; with a pid, and what that process ran meanwhile."""
        before, ticks = (cpu_seconds(pid), user_and_system(pid)) if pid else (0, None)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"load ended at: {line}")
        result = json.loads(answer)
        if pid:
            result["daemon-cpu-seconds"] = round(cpu_seconds(pid) - before, 6)
            share = user_share(ticks, user_and_system(pid))
            done = result["accepted"] + result["denied"] + result["nonces-learnt"]
            if done:
                result["cpu-us"] = round(result["daemon-cpu-seconds"] * 1e6 / done, 3)
                result["user-us"] = round(result["cpu-us"] * share, 3)
        return result

    def start(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """One daemon (or the echo), one load generator, a cable between them."""

    def __init__(self, build, name):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        self.build = os.path.abspath(build)
        self.bin = os.path.join(self.build, "bin")
        self.own = os.path.join(self.build, "test", "bench")
        self.workdir = tempfile.mkdtemp(prefix=f"{name}.")
        self.network = Network(os.environ.get("HA_NETNS_PREFIX", "hb"))
        self.programs, self.loads, self.echoes = [], [], []
        self.server = self.network.host("server")
        self.client = self.network.host("client")
        self.network.link(self.server, "lan0", f"{HOME_AGENT}/24",
                          self.client, "lan0", "192.0.2.2/24")
        # Every care-of address is the client's own, and lies behind it.
        self.client.ip("route add local 20.0.0.0/8 dev lo",
                       f"route add 10.64.0.0/10 via {HOME_AGENT}")    # for data to the nodes
        self.server.ip("route add 20.0.0.0/8 via 192.0.2.2")
        self.client.run(["ping", "-c", "1", "-W", "2", HOME_AGENT])

    def path(self, name):
        return os.path.join(self.workdir, name)

    def nodes_file(self, nodes, nonce_every=0):
        path = self.path(f"nodes-{nodes}-{nonce_every}")
        if not os.path.exists(path):
            run([f"{self.own}/load", "--first-home", FIRST_HOME, "--nodes", nodes,
                 "--nonce-every", nonce_every, "--write-nodes", path], timeout=300)
        return path

    def daemon(self, nodes, nonce_every=0, store=False, data_path="tun", lifetime=65534, more=None):
        """ihad with so many nodes configured, serving. Returns it, and the seconds it took."""
        conf = {
            "home-agent": {"address": HOME_AGENT},
            "home-networks": [{"prefix": "10.64.0.0/10"}],
            "trusted-networks": ["0.0.0.0/0"],
            "mobile-nodes-file": self.nodes_file(nodes, nonce_every),
            "registration": {"max-lifetime": lifetime, "timestamp-tolerance": 60,
                             # Every node that uses nonces is denied once, to learn its first.
                             "max-denials": 0, "max-denials-per-node": 0},
            "tunnel": {"data-path": data_path, "interfaces": ["lan0"]},
            "control": {"socket": self.path("ihad.sock")},
            "snmp": {"enabled": False},
            "log": {"level": "warning"},
        }
        conf.update(self.state(store))
        for key, value in (more or {}).items():
            conf.setdefault(key, {}).update(value)
        path = self.path("ihad.yaml")
        with open(path, "w", encoding="ascii") as f:
            f.write(to_yaml(conf))
        os.chmod(path, 0o600)
        daemon = Daemon(self.server, [f"{self.bin}/ihad", "-c", path], self.workdir,
                         f"ihad-{len(self.programs)}")
        self.programs.append(daemon)
        started = time.monotonic()
        daemon.start()
        seconds = time.monotonic() - started
        pin(daemon.process.pid, DAEMON_CORE)
        return daemon, round(seconds, 3)

    def state(self, store):
        if not store:   # nor the host's own, that is there by default
            return {"state": {"directory": "none"}}
        directory = self.path("state")
        os.makedirs(directory, mode=0o700, exist_ok=True)
        return {"state": {"directory": directory}}

    def echo(self):
        process = self.server.popen([f"{self.own}/echo", HOME_AGENT, "434"],
                                    start_new_session=True)
        self.echoes.append(process)
        pin(process.pid, DAEMON_CORE)
        return process

    def load(self, nodes, *options, nonce_every=0, mix="90:8:2"):
        load = Load(self.client, [f"{self.own}/load", "--home-agent", HOME_AGENT,
                                  "--first-home", FIRST_HOME, "--care-of", CARE_OF,
                                  "--nodes", str(nodes), "--nonce-every", str(nonce_every),
                                  "--mix", mix, *options])
        self.loads.append(load)
        return load

    def probe(self, nodes):
        """
        A load that nobody leaves and that is answered for the time it waits: before whoever else is
        on its core, the big load above all, or it would measure how long it waits for that one.
        """
        probe = self.load(nodes, mix="90:10:0")
        os.sched_setscheduler(probe.process.pid, os.SCHED_FIFO, os.sched_param(1))
        return probe

    def hactl(self, *argv):
        return self.server.run([f"{self.bin}/hactl", "-s", self.path("ihad.sock"), *argv],
                               timeout=300)

    def close(self):
        for load in self.loads:
            if load.process.poll() is None:
                load.close()
        for echo in self.echoes:
            if echo.poll() is None:
                echo.kill()
        for program in self.programs:
            if program.process and program.process.poll() is None:
                program.stop()
        self.network.close()
        for name in os.listdir(self.workdir):
            path = self.path(name)
            if os.path.isdir(path):
                for inner in os.listdir(path):
                    os.unlink(os.path.join(path, inner))
                os.rmdir(path)
            else:
                os.unlink(path)
        os.rmdir(self.workdir)


def table(rows, columns):
    """Text: right-aligned under the columns' names."""
    cells = [[name for name, _ in columns]]
    cells += [[str(value(row)) for _, value in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths)) for line in cells)
