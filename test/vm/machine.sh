# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
#
# A virtual machine with the kernel that Debian's users have, for the scripts beside this file to
# source: run (a command on this file system) and systemd (a host with a service manager). No boot
# loader, no disk, no KVM. Before sourcing: $cache, where packages are kept, and $timeout, in seconds,
# are set. Afterwards: $work, a directory of this run's own; $kernel, the unpacked package;
# $version; $modules, below either root.
#
# Exit codes: 77 the machine or its kernel cannot be had, which the last line says; 124 it did not
# end in time; 125 it did not start.

package=linux-image-cloud-amd64
mkdir -p "$cache" || exit 125
cache=$(realpath "$cache")
work=$(mktemp -d)
virtiofsd_pid=
cleanup() {
	[ -z "$virtiofsd_pid" ] || { kill "$virtiofsd_pid"; wait "$virtiofsd_pid"; } 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

skip() {
	echo "$*"
	exit 77
}

# --- the kernel ---

find_virtiofsd() {
	local path
	for path in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
		[ ! -x "$path" ] || { echo "$path"; return; }
	done
}

# fetch: the newest kernel package, unless a day has not passed since it was looked for
fetch() {
	local name deb
	[ -z "$(find "$cache/looked" -mtime -1 2>/dev/null)" ] || return 0
	name=$(apt-cache depends "$package" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }')
	[ -n "$name" ] || return 1
	if [ ! -d "$cache/$name" ]; then
		(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$name") || return 1
		deb=$(echo "$work/$name"_*.deb)
		rm -rf "$work/kernel"
		dpkg -x "$deb" "$work/kernel" || return 1
		busybox depmod -b "$work/kernel" "${name#linux-image-}" || return 1
		rm -rf "$cache"/linux-image-* "$deb"
		mv "$work/kernel" "$cache/$name" || return 1
	fi
	touch "$cache/looked"
}

# find_kernel PROGRAM...: sets $kernel, $version and $modules; the programs are needed besides
find_kernel() {
	[ "$(id -u)" -eq 0 ] || { echo "${0##*/}: needs root" >&2; exit 125; }
	[ "$(uname -m)" = x86_64 ] || skip "no virtual machine: this is $(uname -m), the kernel amd64"
	for program in qemu-system-x86_64 busybox cpio dpkg apt-get "$@"; do
		command -v "$program" >/dev/null || skip "no virtual machine: no $program here"
	done
	fetch || compgen -G "$cache/linux-image-*" >/dev/null ||
		skip "no virtual machine: $package cannot be downloaded"
	kernel=$(compgen -G "$cache/linux-image-*")
	version=${kernel##*/linux-image-}
	modules=lib/modules/$version
}

# --- the initramfs ---

# begin_initramfs MODULE...: $root with busybox and what it takes to mount what the machine is of
begin_initramfs() {
	root=$work/root init_modules="virtio_pci overlay ${*##*/}"
	mkdir -p "$root"/{bin,dev,proc,sys,lower,memory,new}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/modprobe"
	for module in drivers/virtio/{virtio,virtio_ring,virtio_pci{,_legacy_dev,_modern_dev}} \
		fs/overlayfs/overlay "$@"; do
		install -D -m 644 -t "$root/$modules/kernel/${module%/*}" \
			"$kernel/$modules/kernel/$module.ko"
	done
	cp "$kernel/$modules"/modules.dep "$root/$modules"
}

# How every init begins: what the machine is of, "-t TYPE WHAT", at /lower; a memory over it, at /new.
init_head() {
	# shellcheck disable=SC2016
	echo '#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for module in '"$init_modules"'; do $b modprobe $module; done
$b mount -o ro' "$*" '/lower
$b mount -t tmpfs -o size=75% memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work overlay /new'
}

end_initramfs() {
	chmod +x "$root/init"
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$work/initramfs" || exit 125
}

# --- the machine ---

# share DIRECTORY: sets $with, for boot
share() {
	local virtiofsd
	virtiofsd=$(find_virtiofsd)
	[ -n "$virtiofsd" ] || skip "no virtual machine: no virtiofsd here"
	"$virtiofsd" --socket-path="$work/socket" -o source="$1" -o sandbox=chroot \
		-o cache=always -o log_level=warn >"$work/virtiofsd.log" 2>&1 &
	virtiofsd_pid=$!
	for _ in $(seq 100); do
		[ ! -S "$work/socket" ] || break
		kill -0 "$virtiofsd_pid" 2>/dev/null || break
		sleep 0.05
	done
	[ -S "$work/socket" ] || { cat "$work/virtiofsd.log" >&2; exit 125; }
	with=(-object memory-backend-memfd,id=memory,size=1024M,share=on -numa node,memdev=memory
		-chardev "socket,id=root,path=$work/socket"
		-device vhost-user-fs-pci,chardev=root,tag=root)
}

# boot [KERNEL-PARAMETER...]: runs it to its end, with what $with adds to it. What comes by the
# console is shown and kept in $work/console; its "vm: exit CODE" is the exit code.
boot() {
	local code

	echo "on Linux $version, in a virtual machine"
	# Retpolines guard nothing here, and cost an emulated processor much.
	timeout "$timeout" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 \
		"${with[@]}" -nodefaults -no-user-config -display none -serial stdio -no-reboot \
		-kernel "$kernel/boot/vmlinuz-$version" -initrd "$work/initramfs" \
		-append "console=ttyS0 quiet panic=-1 random.trust_cpu=on spectre_v2=off retbleed=off $*" </dev/null |
		sed -u 's,\r,,g' | tee "$work/console"
	[ "${PIPESTATUS[0]}" -ne 124 ] ||
		{ echo "${0##*/}: not done in $timeout s" >&2; exit 124; }
	code=$(sed -n 's/^vm: exit \([0-9]*\)$/\1/p' "$work/console" | tail -n 1)
	[ -n "$code" ] ||
		{ cat "$work"/*.log 2>/dev/null >&2; echo "${0##*/}: the machine died" >&2; exit 125; }
	exit "$code"
}
