/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two steps down, each taken by every daemon, however it was started. Under the service units the
 * first has little to do, as systemd has done it; started as root by hand or by another init, it
 * ends at the same place.
 *
 * The capabilities go first of all, since a thread keeps its own and a child inherits them: what is
 * started later starts with the few. The set-up so runs with what the daemon has for the rest of
 * its life, and what works at the start works at a reload and for interfaces that come later.
 *
 * The filter comes last, when programs are loaded and descriptors open: it is the same for set-up
 * and service, but a fault there is told best by the set-up itself. Unknown calls fail with ENOSYS,
 * which every C library takes for an older kernel and has an answer to; EPERM would make it give
 * up where a newer one tries a newer call first.
 *
 * Who stays root (no such user on this host, or privileges.user: root) still owns root's files:
 * it says so with a warning.
 */
#include "common/privs.h"

#include "common/err.h"
#include "common/log.h"
#include "common/sanitized.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_USER "home-agent"
#define GROUPS_MAX   64
#define PATH_SIZE    4096

static const struct {
	unsigned int cap;
	bool bpf;
} kept_caps[] = {
	{ CAP_NET_BIND_SERVICE, false }, { CAP_NET_ADMIN, false }, { CAP_NET_RAW, false },
	{ CAP_PERFMON, true },           { CAP_BPF, true },
};

#define KEPT_CNT (sizeof(kept_caps) / sizeof(kept_caps[0]))

static int refused(const char *what, int err)
{
	log_error("cannot drop privileges", "event=start-failed what=\"%s\" error=\"%s\"", what,
		  err_text(err));
	return err;
}

/* --- user and groups --- */

struct identity {
	bool change;
	uid_t uid;
	gid_t gid;
	char name[64];
};

/* Whom to become. @retval ERR_NOT_FOUND  logged: the user was named, and there is none */
static int find_user(const struct privs_conf *conf, struct identity *ret_id)
{
	const char *name = conf->user ? conf->user : DEFAULT_USER;
	struct identity id = { 0 };
	const struct passwd *pw;

	if (geteuid() != 0) {
		(void)snprintf(id.name, sizeof(id.name), "%u", (unsigned int)geteuid());
		*ret_id = id;
		return 0;
	}
	pw = getpwnam(name);
	if (!pw && conf->user) {
		log_error("there is no such user",
			  "event=start-failed user=%s remedy=\"make it, or set privileges.user\"",
			  name);
		return ERR_NOT_FOUND;
	}
	(void)snprintf(id.name, sizeof(id.name), "%s", pw ? name : "root");
	id.change = pw && pw->pw_uid != 0;
	if (id.change) {
		id.uid = pw->pw_uid;
		id.gid = pw->pw_gid;
	}
	*ret_id = id;
	return 0;
}

/* Who owns a file may give it to a group that he is in: we need no CAP_CHOWN for the socket. */
static int join_groups(const struct privs_conf *conf, const struct identity *id)
{
	gid_t groups[GROUPS_MAX];
	const struct group *gr;
	int cnt = GROUPS_MAX - 1;

	if (geteuid() != 0)
		return 0;
	if (!id->change)
		cnt = 0;
	else if (getgrouplist(id->name, id->gid, groups, &cnt) < 0)
		return refused("groups of the user", -E2BIG);
	gr = conf->group ? getgrnam(conf->group) : NULL;
	if (gr) /* who opens the socket complains if there is none */
		groups[cnt++] = gr->gr_gid;
	return setgroups((size_t)cnt, groups) < 0 ? refused("setgroups", -errno) : 0;
}

/* --- directories --- */

/* What is missing of the path, as mkdir -p; the last part belongs to the user. */
static int make_dir(const struct privs_dir *dir, const struct identity *id)
{
	char path[PATH_SIZE];
	char *slash;
	int fd, rc = 0;

	if (access(dir->path, F_OK) == 0 || strlen(dir->path) >= sizeof(path))
		return 0; /* it is the operator's: whether it will do is seen when it is used */
	(void)snprintf(path, sizeof(path), "%s", dir->path);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchown(fd, id->uid, id->gid) < 0 || fchmod(fd, dir->mode) < 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}

static void make_dirs(const struct privs_conf *conf, const struct identity *id)
{
	size_t i;
	int rc;

	for (i = 0; i < conf->dir_cnt; i++) {
		if (*conf->dirs[i].path != '/')
			continue;
		rc = conf->dirs[i].mode != 0 ? make_dir(&conf->dirs[i], id) : 0;
		if (conf->dirs[i].out_fd)
			*conf->dirs[i].out_fd = open(conf->dirs[i].path,
						     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (rc < 0) /* who uses it will say whether that matters */
			log_debug("a directory could not be made",
				  "event=directory-failed directory=%s error=\"%s\"",
				  conf->dirs[i].path, err_text(rc));
	}
}

/* What is in it, too? Files of a former life as root are as good as lost to another user. */
static bool may_use_all_of(const char *path)
{
	bool may = faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
	DIR *dir = may ? opendir(path) : NULL;
	const struct dirent *entry;

	while (may && dir && (entry = readdir(dir)))
		if (entry->d_type == DT_REG)
			may = faccessat(dirfd(dir), entry->d_name, R_OK | W_OK, AT_EACCESS) == 0;
	if (dir)
		(void)closedir(dir);
	return may;
}

/*
 * Asked once we are the user: directories that were there already may be root's, of a start before
 * there was that user. Giving them away is the operator's, who alone knows what else is in them.
 */
static int check_dirs(const struct privs_conf *conf, const struct identity *id)
{
	const struct privs_dir *d;

	for (d = conf->dirs; d < conf->dirs + conf->dir_cnt; d++) {
		if (*d->path != '/' || !d->is_own || access(d->path, F_OK) < 0 ||
		    may_use_all_of(d->path))
			continue;
		log_error("a directory of the daemon's is not its user's",
			  "event=start-failed directory=%s user=%s error=\"%s\" "
			  "remedy=\"chown -R %s: %s\"",
			  d->path, id->name, err_text(-EACCES), id->name, d->path);
		return -EACCES;
	}
	return 0;
}

/* --- capabilities --- */

/* Of what we have, what is on the list: into libcap-ng's state, and by name into `text`. */
static void choose_caps(bool any, bool bpf, char *text, size_t size)
{
	bool has[KEPT_CNT];
	size_t i, len = 0;

	for (i = 0; i < KEPT_CNT; i++)
		has[i] = any && (bpf || !kept_caps[i].bpf) &&
			 capng_have_capability(CAPNG_PERMITTED, kept_caps[i].cap);
	capng_clear(CAPNG_SELECT_BOTH);
	(void)snprintf(text, size, "none");
	for (i = 0; i < KEPT_CNT; i++) {
		if (!has[i])
			continue;
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept_caps[i].cap);
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? "," : "",
						capng_capability_to_name(kept_caps[i].cap));
	}
}

/* Nothing that is executed, nothing that is inherited gets back what we gave up. */
static int apply_caps(const struct identity *id, bool may_bound)
{
	if (id->change) {
		if (capng_change_id((int)id->uid, (int)id->gid,
				    CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT) != 0)
			return -EPERM;
	} else if (capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) {
		return -EPERM;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int drop_caps(const struct identity *id, bool any, bool bpf, char *text, size_t size)
{
	bool may_bound;
	int rc;

	if (capng_get_caps_process() != 0)
		return refused("read capabilities", -EPERM);
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	choose_caps(any, bpf, text, size);
	rc = apply_caps(id, may_bound);
	return rc < 0 ? refused("capabilities", rc) : 0;
}

int privs_drop(const struct privs_conf *conf)
{
	struct identity id;
	char caps[128];
	int rc;

	for (size_t i = 0; i < conf->dir_cnt; i++)
		if (conf->dirs[i].out_fd)
			*conf->dirs[i].out_fd = -1;
	rc = find_user(conf, &id);
	if (rc == 0)
		rc = join_groups(conf, &id);
	if (rc < 0)
		return rc;
	if (id.change)
		make_dirs(conf, &id);
	rc = drop_caps(&id, true, conf->bpf, caps, sizeof(caps));
	if (rc < 0)
		return rc;
	if (id.change)
		rc = check_dirs(conf, &id);
	if (rc < 0)
		return rc;
	log_info("privileges dropped",
		 "event=privileges user=%s capabilities=%s no-new-privileges=yes", id.name, caps);
	if (geteuid() == 0)
		log_warning("runs as root, though with few capabilities: root's files are its own",
			    "event=privileges-root remedy=\"make the user %s, or set "
			    "privileges.user\"",
			    DEFAULT_USER);
	if (conf->file && faccessat(AT_FDCWD, conf->file, R_OK, AT_EACCESS) < 0)
		log_warning("a reload will not be possible",
			    "event=reload-unreadable config=%s user=%s error=\"%s\" "
			    "remedy=\"chgrp it to the user's group, and chmod g+r\"",
			    conf->file, id.name, err_text(-errno));
	return 0;
}

int privs_drop_all(void)
{
	const struct identity stay = { 0 };
	char caps[128];

	return drop_caps(&stay, false, false, caps, sizeof(caps));
}

/* --- system calls --- */

static const char allowed[] =
	/* descriptors */
	"read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 close "
	"close_range lseek _llseek fcntl fcntl64 ioctl dup dup2 dup3 pipe pipe2 eventfd "
	"eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4 flock "
	/* waiting */
	"poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create "
	"epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 pause restart_syscall "
	"nanosleep clock_nanosleep clock_nanosleep_time64 "
	/* sockets */
	"socket socketcall socketpair bind connect listen accept accept4 getsockname "
	"getpeername getsockopt setsockopt shutdown send sendto sendmsg sendmmsg recv recvfrom "
	"recvmsg recvmmsg recvmmsg_time64 "
	/* files: configuration, state, settings of the network, pins */
	"open openat openat2 creat access faccessat faccessat2 stat stat64 lstat lstat64 fstat "
	"fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64 getdents "
	"getdents64 getcwd readlink readlinkat mkdir mkdirat rmdir unlink unlinkat rename "
	"renameat renameat2 link linkat chmod fchmod fchmodat chown fchown lchown fchownat "
	"umask truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 "
	"fsync fdatasync sync_file_range syncfs msync sendfile sendfile64 copy_file_range "
	/* memory */
	"brk mmap mmap2 munmap mremap mprotect madvise mlock mlock2 munlock memfd_create "
	"membarrier "
	/* threads, children, signals */
	"clone clone3 fork vfork futex futex_time64 futex_waitv get_robust_list "
	"set_robust_list set_tid_address set_thread_area arch_prctl rseq sched_yield "
	"sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler getcpu exit "
	"exit_group wait4 waitpid waitid kill tgkill tkill rt_sigaction rt_sigprocmask "
	"rt_sigpending rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
	"rt_sigqueueinfo sigaltstack sigreturn sigaction sigprocmask alarm setitimer getitimer "
	/* who and when */
	"getpid getppid gettid getpgrp getpgid getsid getuid getuid32 geteuid geteuid32 getgid "
	"getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups "
	"getgroups32 capget capset prctl seccomp getrlimit ugetrlimit setrlimit prlimit64 "
	"getrusage getpriority setpriority sched_setattr "
	"times uname sysinfo time gettimeofday clock_gettime clock_gettime64 clock_getres "
	"clock_getres_time64 getrandom "
#ifdef SANITIZED /* the leak check at the end stops its own process from a thread */
	"ptrace personality "
#endif
	"";

/* A child that talks to sockets it opens itself, and to its parent: it writes to no file. */
static const char allowed_child[] =
	"read readv write writev close close_range lseek _llseek fcntl fcntl64 ioctl dup dup2 dup3 "
	"pipe pipe2 eventfd eventfd2 "
	"poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 restart_syscall "
	"nanosleep clock_nanosleep clock_nanosleep_time64 "
	"socket socketcall bind connect getsockname getpeername getsockopt setsockopt shutdown "
	"send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 "
	/* to be read: what a resolver reads, and the time zone */
	"access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 "
	"newfstatat fstatat64 statx statfs statfs64 readlink readlinkat getcwd getdents getdents64 "
	"brk mmap mmap2 munmap mremap mprotect madvise "
	/* one above, one below, which is started again */
	"clone clone3 fork wait4 waitpid waitid futex futex_time64 set_robust_list rseq "
	"set_tid_address sched_yield sched_getaffinity exit exit_group kill tgkill "
	"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend sigaltstack sigreturn sigaction "
	"sigprocmask "
	"getpid getppid gettid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid "
	"getegid32 prctl getrlimit ugetrlimit prlimit64 getrusage times uname sysinfo time "
	"gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 getrandom "
#ifdef SANITIZED
	"ptrace personality "
#endif
	"";

/* None of our code does, ever: whoever tries is not us. */
static const char deadly[] =
	"execve execveat process_vm_readv process_vm_writev mount umount umount2 move_mount "
	"fsopen fsmount open_tree pivot_root chroot setns unshare init_module finit_module "
	"delete_module kexec_load kexec_file_load reboot swapon swapoff settimeofday "
	"clock_settime adjtimex keyctl add_key request_key userfaultfd "
	"io_uring_setup open_by_handle_at "
#ifndef SANITIZED
	"ptrace "
#endif
	"";

/* @param names  blank-separated. A C library or an architecture that has not one has another. */
static int add_rules(scmp_filter_ctx ctx, uint32_t action, const char *names,
		     unsigned int *out_added)
{
	char name[32];
	size_t len;
	int nr, rc;

	for (*out_added = 0; *names; names += len + strspn(names + len, " ")) {
		len = strcspn(names, " ");
		(void)snprintf(name, sizeof(name), "%.*s", (int)len, names);
		nr = seccomp_syscall_resolve_name(name);
		if (nr < 0) /* __NR_SCMP_ERROR, or one that another architecture has */
			continue;
		rc = seccomp_rule_add(ctx, action, nr, 0);
		if (rc < 0)
			return rc;
		(*out_added)++;
	}
	return 0;
}

/* Files are opened to be read, with what is there. */
static int add_open_to_read(scmp_filter_ctx ctx)
{
	const scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				  SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));

	if (rc == 0 && SCMP_SYS(open) >= 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	return rc;
}

struct filter_size {
	unsigned int allowed, deadly; /* system calls */
};

/* @param names, more  what passes. @param add  adds rules beside the names; or NULL */
static int load_filter(const char *names, const char *more, int (*add)(scmp_filter_ctx ctx),
		       struct filter_size *out_size)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	unsigned int added = 0;
	int rc;

	*out_size = (struct filter_size){ 0 };
	if (!ctx)
		return refused("system call filter", -ENOMEM);
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_ALLOW, names, &out_size->allowed);
	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_ALLOW, more, &added);
	out_size->allowed += added;
	if (rc == 0 && add)
		rc = add(ctx);
	if (rc == 0)
		rc = add_rules(ctx, SCMP_ACT_KILL_PROCESS, deadly, &out_size->deadly);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc < 0 ? refused("system call filter", rc) : 0;
}

int privs_filter(bool bpf)
{
	struct filter_size size;
	int rc = load_filter(allowed, bpf ? "bpf" : "", NULL, &size);

	if (rc < 0)
		return rc;
	log_info("system calls are filtered",
		 "event=system-calls-filtered allowed=%u deadly=%u bpf=%s", size.allowed,
		 size.deadly, bpf ? "yes" : "no");
	return 0;
}

int privs_filter_child(void)
{
	struct filter_size size;
	int rc = load_filter(allowed_child, "", add_open_to_read, &size);

	if (rc == 0)
		log_debug("system calls of a child are filtered",
			  "event=child-system-calls-filtered allowed=%u deadly=%u", size.allowed,
			  size.deadly);
	return rc;
}
