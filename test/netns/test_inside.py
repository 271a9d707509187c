# SPDX-License-Identifier: BSD-2-Clause
"""
What remains to somebody who has taken a daemon over, as the kernel answers the process itself
(fixtures/inside.py): no program is executed, nobody else's file is read, no privilege comes back.
What remains is listed, too, in golden/: system-calls.txt and open-files.txt. HA_GOLDEN=write makes
them anew.
"""

import errno
import json
import os
import pwd
import re
import signal
import struct

import pytest

from fixtures import inside
from fixtures.wait import until
from test_privileges import with_tun_for_all

GOLDEN = os.path.join(os.path.dirname(__file__), "golden")
ALLOW, KILL, NOT_THERE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.ENOSYS
AT_FDCWD = -100
NOBODY = pwd.getpwnam("nobody").pw_uid

pytestmark = pytest.mark.skipif(not inside.is_possible(),
                                reason="system calls are made by hand on x86_64 only")


@pytest.fixture(params=["ihad", "xhad"])
def taken(request, workdir, run_daemon):
    """A daemon that was started as root and became nobody, and is not its own master any more."""
    place = request.getfixturevalue({"ihad": "campus", "xhad": "internet"}[request.param])
    name = request.param
    host, conf = (place.ha, place.ihad_conf) if name == "ihad" else (place.xha, place.xhad_conf)
    os.chmod(workdir, 0o711)
    conf = conf | {
        "privileges": {"user": "nobody"}, "tunnel": {"data-path": "tun"},
        "control": {"socket": f"{workdir}/run/{name}.sock", "group": "daemon"},
        "state": {"directory": f"{workdir}/lib/{name}"}}
    daemon = run_daemon(host, name, conf, start=False)
    os.chown(daemon.config_path, 0, pwd.getpwnam("nobody").pw_gid)
    os.chmod(daemon.config_path, 0o640)
    daemon.argv = with_tun_for_all(daemon.argv, workdir)
    return daemon.start()


def is_sanitized(daemon):
    with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as f:
        return "libasan" in f.read()


def golden(name, text):
    path = os.path.join(GOLDEN, name)
    if os.environ.get("HA_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    with open(path, encoding="utf-8") as f:
        assert text == f.read(), f"what remains is not what {path} lists"


def test_the_system_calls_that_remain_are_those_listed(taken):
    with inside.Inside(taken) as process:
        try:
            filters = process.filters()
        except OSError as refusal:
            pytest.skip(f"this kernel does not show filters: {refusal}")
    assert len(filters) == 1
    by_verdict = {ALLOW: [], KILL: [], NOT_THERE: []}
    for name, number in sorted(inside.system_calls().items()):
        by_verdict[inside.verdict(filters[0], number)].append(name)
    for of_the_leak_check in ("ptrace", "personality") if is_sanitized(taken) else ():
        by_verdict[ALLOW].remove(of_the_leak_check)
        if of_the_leak_check == "ptrace":
            by_verdict[KILL].append(of_the_leak_check)
    golden("system-calls.txt",
           "# Any other is ENOSYS.\n" + "".join(
               f"{word} {name}\n" for word, which in (("allowed", ALLOW), ("deadly", KILL))
               for name in sorted(by_verdict[which])))


def test_the_files_that_remain_open_are_those_listed(taken, workdir):
    name = taken.name

    def same_each_time(path):
        path = path.replace(workdir, "WORKDIR")
        return re.sub(r"\b[0-9a-f]{8,}\b", "N", path)

    def text():
        files = inside.open_files(taken.process.pid, same_each_time)
        return "".join(f"{f}\n" for f in files)

    def is_listed():
        """What is open for a moment only, as to say READY=1, is not what remains."""
        with open(os.path.join(GOLDEN, f"open-files-{name}.txt"), encoding="utf-8") as f:
            return text() == f.read()

    try:
        until(is_listed, "what remains", seconds=3 if os.environ.get("HA_GOLDEN") == "write" else 30)
    except (AssertionError, FileNotFoundError):
        golden(f"open-files-{name}.txt", text())


@pytest.mark.parametrize("call, args", [
    ("execve", (b"/bin/sh", 0, 0)), ("execveat", (AT_FDCWD, b"/bin/sh", 0, 0, 0)),
    ("process_vm_readv", (1, 0, 0, 0, 0, 0)), ("mount", (b"x", b"/", b"tmpfs", 0, 0)),
    ("unshare", (0x10000000,)), ("setns", (0, 0)), ("chroot", (b"/",)),
    ("init_module", (0, 0, b"")), ("ptrace", (16, 1, 0, 0))])
def test_who_executes_traces_or_leaves_the_namespace_is_killed(taken, call, args):
    if call == "ptrace" and is_sanitized(taken):
        with inside.Inside(taken) as process:       # its leak check needs the call; not of others
            assert process.call(call, *args) == -errno.EPERM
        return
    with pytest.raises(inside.Killed) as death, inside.Inside(taken) as process:
        process.call(call, *args)
    assert death.value.args[0] == signal.SIGSYS


def test_nobody_elses_files_are_read_and_none_is_made_with_privilege(taken, workdir):
    secret = os.path.join(workdir, "of-another")
    with open(secret, "w", encoding="ascii") as f:
        os.fchmod(f.fileno(), 0o600)
        os.fchown(f.fileno(), pwd.getpwnam("daemon").pw_uid, -1)
    own = os.path.join(workdir, "lib", taken.name, "mine").encode()
    with inside.Inside(taken) as process:
        for path in (b"/etc/shadow", secret.encode(), b"/proc/1/mem", b"/dev/mem"):
            assert process.call("openat", AT_FDCWD, path, os.O_RDONLY, 0) in (
                -errno.EACCES, -errno.EPERM, -errno.ENOENT), path
        for path in (b"/etc/passwd", b"/bin/sh", b"/etc/cron.d/x", b"/etc/ld.so.preload"):
            assert process.call("openat", AT_FDCWD, path, os.O_WRONLY | os.O_CREAT, 0o644) \
                in (-errno.EACCES, -errno.EPERM, -errno.ENOENT), path
        assert process.call("openat", AT_FDCWD, own, os.O_WRONLY | os.O_CREAT, 0o600) >= 0
        assert process.call("chown", own, 0, 0) == -errno.EPERM
        assert process.call("mknod", own + b"-device", 0o60600, 0x801) == -errno.ENOSYS


def test_no_privilege_comes_back(taken):
    everything = struct.pack("6I", *6 * [0xFFFFFFFF])
    header = struct.pack("Ii", 0x20080522, 0)
    with inside.Inside(taken) as process:
        for call, args in (("setuid", (0,)), ("setgid", (0,)), ("setresuid", (0, 0, 0)),
                           ("setreuid", (0, 0)), ("setfsuid", (0,)), ("setgroups", (0, 0))):
            assert process.call(call, *args) == -errno.ENOSYS, call
        assert process.call("capset", header, everything) == -errno.EPERM
        assert process.call("prctl", 38, 0, 0, 0, 0) == -errno.EINVAL   # PR_SET_NO_NEW_PRIVS to 0
        assert process.call("prctl", 22, 0, 0, 0, 0) < 0                # PR_SET_SECCOMP: none
        assert process.call("kill", 1, 0) == -errno.EPERM
        assert process.call("getuid") == process.call("geteuid") == NOBODY
    assert taken.hactl("show", "status")["name"] == taken.name          # and it serves on


def test_the_filter_is_what_holds_it(taken, campus, run_daemon, workdir):
    """That the tests above can fail: without the filter and as root, the same calls do their work."""
    if taken.name != "ihad":
        pytest.skip("once is enough")
    taken.stop()
    free = run_daemon(campus.ha, "ihad", campus.ihad_conf | {
        "privileges": {"user": "root", "system-call-filter": False}}, label="free")
    with inside.Inside(free) as process:
        assert process.call("setuid", NOBODY) in (0, -errno.EPERM)
        assert process.call("getppid") == os.getpid()
        assert process.filters() == []
    json.dumps(free.status())
