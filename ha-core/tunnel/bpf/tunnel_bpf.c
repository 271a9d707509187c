/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tiers "xdp" and "tc": the common packet from wire to wire in the kernel. tunnel.c calls it.
 *
 * The programs (ha_xdp.bpf.c, ha_tc.bpf.c) do what their maps say (habpf.h): this file writes the
 * maps, bpf_ports.c has the programs attached. Everything is pinned in a directory of the daemon's
 * (tunnel.bpffs), so packets go on while the daemon is away, killed or not. A binding's expiry is
 * in its entry: nothing is forwarded for longer than was granted, whoever is away for how long.
 *
 * The map of nodes is the truth of what is carried; there is no copy of it here. It is mapped into
 * our memory, so that to change a binding's entry or to read its counters costs no system call
 * (bpf_nodes.c says how that is done under the programs' eyes). A new daemon takes over the pinned
 * maps if they are of its own layout and large enough, puts its own programs over them, has each
 * binding that the store gives back put, and then removes the entries that nobody put (reconcile).
 * Whom a node has sent to under a filter (contacts) is in its entry as bits, by the order of the
 * configuration's peers. While the entries are written for another list of peers than the one
 * before, here or by an earlier daemon, the programs leave every packet alone (realigning).
 * Maps that are of no use to it are removed with all that hangs on them.
 *
 * Counters of a binding lie in its entry, all of them: what it counted before, and what tun carries
 * for it, is added there, so that its count goes on, and never back, when a daemon is killed and
 * another takes over. binding.fast_slot is that entry's number and one, 0 for none. When the entry
 * goes its count goes to the binding, if that still lives; that of a binding without an entry
 * begins at 0 with each daemon.
 *
 * config.layout 0 makes the programs leave every packet alone: that is how all of it is switched
 * off at once where it could not do what tun does, for a filter with more rows or peers than it
 * has, and for IPsec policies of this host, which a packet past the kernel's own path would never
 * meet.
 */
#include "common/err.h"
#include "common/log.h"
#include "ha-core/tunnel/bpf/bpf_hops.h"
#include "ha-core/tunnel/bpf/bpf_nodes.h"
#include "ha-core/tunnel/bpf/bpf_ports.h"
#include "ha-core/tunnel/bpf/habpf.h"
#include "ha-core/tunnel/rtnl.h"
#include "ha-core/tunnel/tunnel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <habpf.skel.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DROPS_PER_SECOND 10 /* that tun logs, of each reason */
#define PATH_SIZE        320
#define NS_PER_MS        1000000ull

struct tunnel_dp {
	const struct tunnel_conf *conf;
	char *dir;   /* owned */
	int lock_fd; /* the directory, locked: nobody else's as long as we live */
	struct habpf *skel;
	struct bpf_ports *ports;
	struct bpf_hops *hops;
	int config_fd, select_fd, totals_fd;
	uint32_t selected; /* which of the two configurations holds */
	struct habpf_config config;
	const char *obstacle;   /* why nothing is carried although all is in place; or NULL */
	struct bpf_nodes nodes; /* its entries are mapped */
	size_t nodes_size;
	uint32_t slot_cnt;
	uint32_t cpu_cnt;   /* possible ones */
	uint32_t route_mtu; /* as in struct habpf_config */
	bool adopted, reconciled;
	bool realigning;              /* contacts in the entries are of another list of peers */
	struct habpf_totals *per_cpu; /* owned; to read into */
	struct habpf_totals before;   /* what a daemon before us had counted */
};

/* --- what went wrong --- */

/* The first complaint of libbpf or the verifier since the last look. */
static char complaint[160];

__attribute__((format(printf, 2, 0))) static int on_libbpf(enum libbpf_print_level level,
							   const char *format, va_list args)
{
	char line[sizeof(complaint)];

	if (level == LIBBPF_DEBUG)
		return 0;
	(void)vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (level == LIBBPF_WARN && complaint[0] == '\0')
		(void)snprintf(complaint, sizeof(complaint), "%s", line);
	log_write(LOG_LEVEL_DEBUG, line, "event=libbpf");
	return 0;
}

/* @param buf  for a text of its own */
static const char *remedy_of(const char *bpffs, int err, char buf[PATH_SIZE])
{
	const char *parent = strrchr(bpffs, '/');

	switch (err) {
	case -EPERM:
	case -EACCES:
		return "start as root or by systemd, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";
	case -EBUSY:
		return "a tunnel.bpffs of its own for each daemon";
	case -EMEDIUMTYPE:
		if (!parent || parent == bpffs)
			return "a tunnel.bpffs below /sys/fs/bpf";
		(void)snprintf(buf, PATH_SIZE, "mount -t bpf bpf %.*s", (int)(parent - bpffs),
			       bpffs);
		return buf;
	case -E2BIG:
	case -ENOMEM:
		return "a smaller tunnel.fast-path-nodes";
	case -EINVAL:
	case -EOPNOTSUPP:
	case -ENOSYS:
		return "Linux 6.1 or later, with BPF, or tunnel.data-path: tun";
	default:
		return "see the error";
	}
}

/* Is there a directory where a map is to be pinned? The kernel then says EACCES, or EEXIST. */
static bool dir_is_in_the_way(const struct tunnel_dp *dp, char remedy[PATH_SIZE])
{
	DIR *d = dp->lock_fd >= 0 ? opendir(dp->dir) : NULL;
	struct dirent *entry = NULL;
	bool found;
	struct stat st;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, "ha_", 3) == 0 &&
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			break;
	found = entry;
	if (found)
		(void)snprintf(remedy, PATH_SIZE, "remove the directory %s/%s", dp->conf->bpffs,
			       entry->d_name);
	if (d)
		(void)closedir(d);
	return found;
}

static int refuse(const struct tunnel_dp *dp, const char *what, int err)
{
	const char *error = err == -EMEDIUMTYPE ? "it is not on a BPF file system" : err_text(err);
	char buf[PATH_SIZE];
	const char *remedy =
		dir_is_in_the_way(dp, buf) ? buf : remedy_of(dp->conf->bpffs, err, buf);

	tunnel_refuse(dp->conf, what, error);
	log_warning("no fast path: tun carries all traffic",
		    "event=data-path-degraded data-path=tun what=\"%s\" error=\"%s\" detail=\"%s\" "
		    "remedy=\"%s\"",
		    what, error, complaint, remedy);
	complaint[0] = '\0';
	return err;
}

/* --- the directory --- */

static void path_in(char path[PATH_SIZE], const char *dir, const char *name)
{
	(void)snprintf(path, PATH_SIZE, "%s/%s", dir, name);
}

/* Makes the directory and what leads to it, on a BPF file system and nowhere else. */
static int make_dir(const char *dir)
{
	char path[PATH_SIZE];
	struct statfs fs;
	char *end;
	int err;

	(void)snprintf(path, sizeof(path), "%s", dir);
	if (statfs(path, &fs) < 0) {
		if (errno != ENOENT)
			return -errno;
		end = strrchr(path, '/');
		if (!end || end == path)
			return -EMEDIUMTYPE;
		*end = '\0';
		err = make_dir(path);
		if (err < 0)
			return err;
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return -errno;
		return 0;
	}
	return fs.f_type == BPF_FS_MAGIC ? 0 : -EMEDIUMTYPE;
}

/* The directory is ours until the descriptor is closed. */
static int lock_dir(const char *dir, int *ret_fd)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* Takes the programs off and the maps away. @return how many there were */
static unsigned int clean_dir(const char *dir)
{
	unsigned int cnt = bpf_ports_clean(dir);
	char path[PATH_SIZE];
	struct dirent *entry;
	bool again = true;
	DIR *d;

	while (again && (d = opendir(dir))) {
		again = false;
		while (!again && (entry = readdir(d))) {
			if (entry->d_name[0] == '.')
				continue;
			path_in(path, dir, entry->d_name);
			again = unlink(path) == 0;
			cnt += again;
		}
		(void)closedir(d);
	}
	return cnt;
}

/* By which the directory is reached: its name, or what ha.c found for a user whom it shuts out. */
static const char *way_to_dir(const struct tunnel_conf *conf)
{
	return conf->bpffs_way ? conf->bpffs_way : conf->bpffs;
}

static int bpf_clean(const struct tunnel_conf *conf)
{
	struct statfs fs;
	int fd = -1, err = lock_dir(way_to_dir(conf), &fd);
	unsigned int cnt;

	if (err < 0)
		return err == -ENOENT ? 0 : err; /* there is none, or it is in use */
	if (fstatfs(fd, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		(void)close(fd);
		return 0; /* what is in there is none of ours */
	}
	cnt = clean_dir(way_to_dir(conf));
	if (!conf->bpffs_stays)
		(void)rmdir(conf->bpffs);
	(void)close(fd);
	if (cnt > 0)
		log_info("a fast path that was left in place is taken away",
			 "event=data-path-cleaned directory=%s", conf->bpffs);
	return 0;
}

/* --- the filter, in the programs' words --- */

/* @return false: it is beyond them */
static bool set_filter(struct habpf_config *config, const struct tunnel_filter *filter)
{
	size_t i;

	if (filter->reverse_needs_grant)
		config->flags |= HABPF_REVERSE_NEEDS_GRANT;
	if (filter->pass_all)
		return true;
	config->flags |= HABPF_FILTER;
	if (filter->row_cnt > HABPF_FILTER_CNT || filter->peers.cnt > HABPF_PEER_CNT)
		return false;
	for (i = 0; i < filter->peers.cnt; i++)
		if (filter->peers.prefixes[i].len != 32)
			return false;
	for (i = 0; i < filter->row_cnt; i++)
		config->rows[i] = (struct habpf_filter_row){
			.protocol = filter->rows[i].protocol,
			.port = filter->rows[i].port,
		};
	config->row_cnt = (__u8)filter->row_cnt;
	for (i = 0; i < filter->peers.cnt; i++)
		config->peers[i] = filter->peers.prefixes[i].addr.s_addr;
	config->peer_cnt = (__u8)filter->peers.cnt;
	return true;
}

static bool same_peers(const struct habpf_config *a, const struct habpf_config *b)
{
	return a->peer_cnt == b->peer_cnt && memcmp(a->peers, b->peers, sizeof(a->peers)) == 0;
}

/* --- taking over --- */

/* The pinned configuration that holds. @retval -ENOENT  there is none */
static int read_pinned_config(const char *dir, uint32_t *ret_selected, struct habpf_config *ret)
{
	struct bpf_map_info info = { 0 };
	uint32_t zero = 0, selected = 0;
	__u32 len = sizeof(info);
	char path[PATH_SIZE];
	int fd, err = 0;

	path_in(path, dir, "ha_select");
	if (access(path, F_OK) < 0)
		return -errno; /* before the kernel asks what we may */
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_map_lookup_elem(fd, &zero, &selected) < 0)
		err = -errno;
	(void)close(fd);
	if (err < 0)
		return err;
	path_in(path, dir, "ha_config");
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		err = -errno;
	else if (info.value_size != sizeof(*ret) || selected > 1)
		err = -EINVAL;
	else if (bpf_map_lookup_elem(fd, &selected, ret) < 0)
		err = -errno;
	(void)close(fd);
	*ret_selected = selected;
	return err;
}

static bool is_usable(const struct tunnel_dp *dp, const struct habpf_config *pinned)
{
	return (pinned->layout == HABPF_LAYOUT || pinned->layout == 0) &&
	       pinned->slot_cnt >= bpf_nodes_slot_cnt(dp->conf->fast_nodes);
}

/* Does a daemon before us leave maps that we can go on with? If not, they are removed. */
static void look_for_pinned(struct tunnel_dp *dp)
{
	struct habpf_config pinned = { 0 }, ours = { 0 };
	int err = read_pinned_config(dp->dir, &dp->selected, &pinned);

	dp->adopted = err == 0 && is_usable(dp, &pinned);
	if (dp->adopted) {
		(void)set_filter(&ours, dp->conf->filter);
		dp->realigning = !same_peers(&ours, &pinned);
		dp->slot_cnt = pinned.slot_cnt;
		return;
	}
	dp->selected = 0;
	if (err != -ENOENT)
		log_notice("the fast path of an earlier daemon is of no use here and is laid anew",
			   "event=data-path-laid-anew directory=%s layout=%u slots=%u",
			   dp->conf->bpffs, pinned.layout, pinned.slot_cnt);
	(void)clean_dir(dp->dir);
}

static void unload(struct tunnel_dp *dp)
{
	habpf__destroy(dp->skel);
	dp->skel = NULL;
}

/* Opens, sizes and loads the programs over pinned maps, or over new ones that are then pinned. */
static int load_once(struct tunnel_dp *dp, bool with_xdp)
{
	char path[PATH_SIZE];
	struct bpf_map *map;
	int err;

	dp->skel = habpf__open();
	if (!dp->skel)
		return -errno;
	err = bpf_map__set_max_entries(dp->skel->maps.ha_nodes, habpf_entry_cnt(dp->slot_cnt));
	if (err == 0)
		err = bpf_program__set_autoload(dp->skel->progs.ha_xdp, with_xdp);
	bpf_object__for_each_map(map, dp->skel->obj)
	{
		/* Constants of the programs are theirs, not a daemon's after us. */
		if (err < 0 || bpf_map__is_internal(map))
			continue;
		path_in(path, dp->dir, bpf_map__name(map));
		err = bpf_map__set_pin_path(map, path);
	}
	if (err == 0)
		err = habpf__load(dp->skel);
	if (err < 0)
		unload(dp);
	return err;
}

static int load(struct tunnel_dp *dp)
{
	bool with_xdp = dp->conf->choice != TUNNEL_TC;
	int err = load_once(dp, with_xdp);

	if (err < 0 && dp->adopted) {
		log_notice(
			"the fast path of an earlier daemon cannot be taken over and is laid anew",
			"event=data-path-laid-anew directory=%s error=\"%s\" detail=\"%s\"",
			dp->conf->bpffs, err_text(err), complaint);
		complaint[0] = '\0';
		(void)clean_dir(dp->dir);
		dp->adopted = false;
		dp->selected = 0;
		dp->slot_cnt = bpf_nodes_slot_cnt(dp->conf->fast_nodes);
		err = load_once(dp, with_xdp);
	}
	if (err < 0 && with_xdp) {
		(void)clean_dir(dp->dir);
		err = load_once(dp, false);
	}
	if (err < 0)
		return refuse(dp, "load the programs", err);
	complaint[0] = '\0';
	dp->config_fd = bpf_map__fd(dp->skel->maps.ha_config);
	dp->select_fd = bpf_map__fd(dp->skel->maps.ha_select);
	dp->totals_fd = bpf_map__fd(dp->skel->maps.ha_totals);
	return 0;
}

/* --- nodes and their counters --- */

static uint32_t slot_of(const struct tunnel_dp *dp, const struct habpf_node *node)
{
	return (uint32_t)(node - dp->nodes.entries);
}

static void add_node(const struct habpf_node *node, struct binding_count *sum)
{
	sum->packets_to += __atomic_load_n(&node->count.packets_to, __ATOMIC_RELAXED);
	sum->bytes_to += __atomic_load_n(&node->count.bytes_to, __ATOMIC_RELAXED);
	sum->packets_from += __atomic_load_n(&node->count.packets_from, __ATOMIC_RELAXED);
	sum->bytes_from += __atomic_load_n(&node->count.bytes_from, __ATOMIC_RELAXED);
}

/* The programs add to it at the same time. */
static void add_to_node(struct habpf_node *node, const struct binding_count *more)
{
	__atomic_fetch_add(&node->count.packets_to, more->packets_to, __ATOMIC_RELAXED);
	__atomic_fetch_add(&node->count.bytes_to, more->bytes_to, __ATOMIC_RELAXED);
	__atomic_fetch_add(&node->count.packets_from, more->packets_from, __ATOMIC_RELAXED);
	__atomic_fetch_add(&node->count.bytes_from, more->bytes_from, __ATOMIC_RELAXED);
}

/* The binding whose count lies in this entry, or NULL: it is gone, or its daemon is. */
static struct binding *owner_of(const struct tunnel_dp *dp, const struct habpf_node *node)
{
	const struct binding_key key = { { bpf_nodes_home_addr(node) }, dp->conf->home_agent };
	struct binding *b = binding_find(dp->conf->cache, key);

	while (b && b->fast_slot != slot_of(dp, node) + 1)
		b = binding_sibling(b);
	return b;
}

/* The entry goes, and what was counted in it is the binding's own from now on. */
static void release(struct tunnel_dp *dp, struct habpf_node *node)
{
	struct binding *owner = owner_of(dp, node);

	bpf_nodes_del(&dp->nodes, node);
	if (owner) {
		add_node(node, &owner->count);
		owner->fast_slot = 0;
	}
}

static int map_nodes(struct tunnel_dp *dp)
{
	size_t size = habpf_entry_cnt(dp->slot_cnt) * sizeof(*dp->nodes.entries);
	void *entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     bpf_map__fd(dp->skel->maps.ha_nodes), 0);

	if (entries == MAP_FAILED)
		return -errno;
	dp->nodes_size = size;
	bpf_nodes_init(&dp->nodes, entries, dp->slot_cnt, dp->conf->fast_nodes);
	return 0;
}

/* --- the configuration of the programs --- */

/* Writes what holds now; a packet meets the old configuration or the new one. */
static int write_config(struct tunnel_dp *dp)
{
	const struct tunnel_conf *conf = dp->conf;
	uint32_t zero = 0, other = 1 - dp->selected;
	struct habpf_config config = {
		.layout = HABPF_LAYOUT,
		.home_agent = conf->home_agent.s_addr,
		.port = htons(conf->port),
		.drops_per_second = DROPS_PER_SECOND,
		.device_ifindex = if_nametoindex(conf->device),
		.slot_cnt = dp->slot_cnt,
		.seed = dp->config.seed,
		.route_mtu = dp->route_mtu,
	};
	const char *before = dp->obstacle;

	if (conf->ecn_normal)
		config.flags |= HABPF_ECN_NORMAL;
	if (conf->udp_checksums)
		config.flags |= HABPF_UDP_CHECKSUM;
	dp->obstacle = NULL;
	if (!set_filter(&config, conf->filter))
		dp->obstacle = "the forwarding policy names more peers than the fast path takes";
	else if (rtnl_has_ipsec_policies())
		dp->obstacle = "this host has IPsec policies, which the fast path would pass by";
	if (dp->obstacle || dp->realigning)
		config.layout = 0;
	if (memcmp(&config, &dp->config, sizeof(config)) == 0)
		return 0;
	if (bpf_map_update_elem(dp->config_fd, &other, &config, BPF_ANY) < 0 ||
	    bpf_map_update_elem(dp->select_fd, &zero, &other, BPF_ANY) < 0)
		return -errno;
	dp->selected = other;
	dp->config = config;
	if (dp->obstacle && dp->obstacle != before)
		log_warning("the fast path is off: tun carries all traffic",
			    "event=data-path-degraded data-path=tun why=\"%s\"", dp->obstacle);
	else if (before && !dp->obstacle)
		log_notice("the fast path is on again", "event=data-path-restored");
	return 0;
}

/* Bit i: the key's node has sent to the programs' peer i. */
static __u16 contacts_of(const struct tunnel_dp *dp, const struct binding *first)
{
	__u16 contacts = 0;
	unsigned int i;

	for (i = 0; i < dp->config.peer_cnt; i++)
		if (binding_has_contact(first, (struct in_addr){ dp->config.peers[i] }))
			contacts |= (__u16)(1u << i);
	return contacts;
}

/* What cannot be said to the programs must not be done by them: without them tun does it. */
static void renew_config(struct tunnel_dp *dp)
{
	int err = write_config(dp);

	if (err == 0)
		return;
	tunnel_refuse(dp->conf, "tell the programs of a change", err_text(err));
	log_error("the fast path cannot be told of a change and is taken away: tun carries all "
		  "traffic",
		  "event=data-path-degraded data-path=tun error=\"%s\"", err_text(err));
	dp->ports = bpf_ports_close(dp->ports, false);
}

static void on_looked(void *ctx, uint32_t route_mtu)
{
	struct tunnel_dp *dp = ctx;

	dp->route_mtu = route_mtu;
	renew_config(dp);
}

/* --- opening and closing --- */

static int read_totals(const struct tunnel_dp *dp, struct habpf_totals *out_sum)
{
	uint32_t zero = 0, cpu, i;
	const struct habpf_totals *t = dp->per_cpu;

	*out_sum = (struct habpf_totals){ 0 };
	if (bpf_map_lookup_elem(dp->totals_fd, &zero, dp->per_cpu) < 0)
		return -errno;
	for (cpu = 0; cpu < dp->cpu_cnt; cpu++, t++) {
		out_sum->count.packets_to += t->count.packets_to;
		out_sum->count.bytes_to += t->count.bytes_to;
		out_sum->count.packets_from += t->count.packets_from;
		out_sum->count.bytes_from += t->count.bytes_from;
		for (i = 0; i < HABPF_DROP_CNT; i++)
			out_sum->drops[i] += t->drops[i];
		for (i = 0; i < HABPF_LEAVE_CNT; i++)
			out_sum->left[i] += t->left[i];
	}
	return 0;
}

static void bpf_close(struct tunnel_dp *dp)
{
	bool keep = dp && dp->conf->keep_forwarding && dp->ports;

	if (!dp)
		return;
	(void)bpf_ports_close(dp->ports, keep);
	(void)bpf_hops_close(dp->hops);
	if (dp->nodes_size > 0)
		(void)munmap(dp->nodes.entries, dp->nodes_size);
	if (dp->skel)
		unload(dp);
	if (dp->lock_fd >= 0) {
		if (!keep) {
			(void)clean_dir(dp->dir);
			(void)rmdir(dp->dir);
		}
		(void)close(dp->lock_fd);
	}
	free(dp->per_cpu);
	free(dp->dir);
	free(dp);
}

static int open_dir(struct tunnel_dp *dp)
{
	int err;

	dp->dir = strdup(way_to_dir(dp->conf));
	if (!dp->dir)
		return -ENOMEM;
	err = make_dir(dp->dir);
	if (err < 0)
		return refuse(dp, "keep programs in tunnel.bpffs", err);
	err = lock_dir(dp->dir, &dp->lock_fd);
	return err < 0 ? refuse(dp, "use tunnel.bpffs", err) : 0;
}

static int open_ports(struct tunnel_dp *dp)
{
	const bool has_xdp = bpf_program__fd(dp->skel->progs.ha_xdp) >= 0;
	const struct bpf_ports_conf conf = {
		.choice = dp->conf->choice,
		.dir = dp->dir,
		.home_agent = dp->conf->home_agent,
		.interfaces = dp->conf->interfaces,
		.interface_cnt = dp->conf->interface_cnt,
		.xdp_fd = has_xdp ? bpf_program__fd(dp->skel->progs.ha_xdp) : -1,
		.tc_fd = bpf_program__fd(dp->skel->progs.ha_tc),
		.ports_fd = bpf_map__fd(dp->skel->maps.ha_ports),
		.drops_fd = bpf_map__fd(dp->skel->maps.ha_drops),
		.loop = dp->conf->loop,
		.looked = on_looked,
		.ctx = dp,
	};

	return bpf_ports_open(&conf, &dp->ports);
}

static int bpf_open(const struct tunnel_conf *conf, struct tunnel_dp **ret_dp)
{
	struct tunnel_dp *dp = calloc(1, sizeof(*dp));
	int cpus = libbpf_num_possible_cpus();
	int err;

	if (!dp)
		return -ENOMEM;
	(void)libbpf_set_print(on_libbpf);
	dp->conf = conf;
	dp->lock_fd = -1;
	dp->slot_cnt = bpf_nodes_slot_cnt(conf->fast_nodes);
	dp->cpu_cnt = cpus > 0 ? (uint32_t)cpus : 1;
	if (getrandom(&dp->config.seed, sizeof(dp->config.seed), GRND_NONBLOCK) < 0)
		dp->config.seed = (uint32_t)(uintptr_t)dp; /* early in boot */
	err = open_dir(dp);
	if (err == 0) {
		look_for_pinned(dp);
		err = load(dp);
	}
	if (err < 0)
		goto out; /* it has been told */
	dp->per_cpu = calloc(dp->cpu_cnt, sizeof(*dp->per_cpu));
	err = dp->per_cpu ? map_nodes(dp) : -ENOMEM;
	if (err == 0)
		err = read_totals(dp, &dp->before);
	if (err == 0)
		err = write_config(dp);
	if (err == 0)
		err = bpf_hops_open(bpf_map__fd(dp->skel->maps.ha_hops), conf->loop, &dp->hops);
	if (err == 0)
		err = open_ports(dp);
	if (err < 0)
		(void)refuse(dp, "lay down the maps", err);
out:
	if (err < 0) {
		bpf_close(dp);
		return err;
	}
	log_info("the fast path is in place",
		 "event=data-path-opened data-path=%s directory=%s nodes=%u adopted=%s",
		 bpf_ports_tier(dp->ports), conf->bpffs, conf->fast_nodes,
		 dp->adopted ? "true" : "false");
	*ret_dp = dp;
	return 0;
}

/* --- bindings --- */

static struct habpf_tunnel tunnel_of(const struct tunnel_dp *dp, const struct binding *b,
				     struct tunnel_soft soft)
{
	const struct binding_tunnel *t = &b->tunnel;
	struct habpf_tunnel tunnel = {
		.expires_ns =
			b->expires_ms == BINDING_NEVER_MS ? UINT64_MAX : b->expires_ms * NS_PER_MS,
		.peer = t->peer.s_addr,
		.mtu = soft.mtu < UINT16_MAX ? (__u16)soft.mtu : UINT16_MAX,
		.mode = t->encap,
		.contacts = contacts_of(dp, b),
	};

	if (t->udp) {
		tunnel.flags |= HABPF_NODE_UDP;
		tunnel.peer_port = htons(t->peer_port);
		if (!addr_eq(t->peer, b->care_of))
			tunnel.flags |= HABPF_NODE_NAT;
	}
	if (t->reverse)
		tunnel.flags |= HABPF_NODE_REVERSE;
	if (t->udp ? dp->conf->clamp_udp : dp->conf->clamp_plain)
		tunnel.flags |= HABPF_NODE_CLAMP;
	return tunnel;
}

static int bpf_put(struct tunnel_dp *dp, struct binding *first, struct tunnel_soft soft)
{
	const __be32 home_addr = first->key.home_addr.s_addr;
	const struct habpf_tunnel tunnel = tunnel_of(dp, first, soft);
	struct habpf_node *node = bpf_nodes_find(&dp->nodes, home_addr);

	if (!node)
		node = bpf_nodes_take(&dp->nodes, home_addr);
	else if (first->fast_slot == 0 && (dp->reconciled || !dp->adopted))
		/* One that was kept forwarding goes on counting; another binding's count ends. */
		node->count = (struct habpf_count){ 0 };
	if (!node)
		return -ENOSPC;
	if (first->fast_slot == 0) {
		add_to_node(node, &first->count);
		first->count = (struct binding_count){ 0 };
	}
	first->fast_slot = slot_of(dp, node) + 1;
	bpf_nodes_write(&dp->nodes, node, home_addr, &tunnel);
	return 0;
}

static int bpf_del(struct tunnel_dp *dp, struct binding_key key)
{
	struct habpf_node *node = bpf_nodes_find(&dp->nodes, key.home_addr.s_addr);

	if (node)
		release(dp, node);
	return 0;
}

static void bpf_reconcile(struct tunnel_dp *dp)
{
	uint32_t before = dp->nodes.cnt;
	struct habpf_node *node = NULL;

	while (dp->adopted && (node = bpf_nodes_next(&dp->nodes, node)))
		if (!owner_of(dp, node))
			release(dp, node);
	dp->reconciled = true;
	if (dp->realigning) { /* each entry that is left was put by us */
		dp->realigning = false;
		renew_config(dp);
	}
	if (dp->adopted)
		log_info("the fast path was taken over from an earlier daemon",
			 "event=data-path-reconciled nodes=%u removed=%u", dp->nodes.cnt,
			 before - dp->nodes.cnt);
}

/* The entries' contacts, by the order that the peers have now. */
static void realign(struct tunnel_dp *dp)
{
	struct habpf_node *node = NULL;
	struct habpf_tunnel tunnel;

	while ((node = bpf_nodes_next(&dp->nodes, node))) {
		tunnel = node->tunnel;
		tunnel.contacts = contacts_of(dp, owner_of(dp, node));
		bpf_nodes_write(&dp->nodes, node, bpf_nodes_home_addr(node), &tunnel);
	}
}

static void bpf_filter_changed(struct tunnel_dp *dp)
{
	struct habpf_config next = { 0 };

	(void)set_filter(&next, dp->conf->filter);
	if (!same_peers(&next, &dp->config)) {
		dp->realigning = true;
		renew_config(dp);
		realign(dp);
		dp->realigning = false;
	}
	renew_config(dp);
}

static void bpf_settings_changed(struct tunnel_dp *dp)
{
	const struct tunnel_conf *conf = dp->conf;

	renew_config(dp);
	if (dp->ports &&
	    bpf_ports_set_interfaces(dp->ports, conf->interfaces, conf->interface_cnt) < 0)
		log_error("the fast path stays on the interfaces that it is on",
			  "event=data-path-degraded error=\"%s\" "
			  "remedy=\"give it memory, and reload\"",
			  err_text(-ENOMEM));
}

/* --- what was carried --- */

static void bpf_add_count(struct tunnel_dp *dp, const struct binding *b, struct binding_count *sum)
{
	if (b->fast_slot != 0)
		add_node(&dp->nodes.entries[b->fast_slot - 1], sum);
}

static void bpf_count(struct tunnel_dp *dp, const struct binding *b,
		      const struct binding_count *more)
{
	add_to_node(&dp->nodes.entries[b->fast_slot - 1], more);
}

static const size_t drop_counters[HABPF_DROP_CNT] = {
	[HABPF_DROP_MALFORMED] = offsetof(struct stats, tunnel_malformed_drops),
	[HABPF_DROP_WRONG_SOURCE] = offsetof(struct stats, tunnel_wrong_source_drops),
	[HABPF_DROP_WRONG_ENCAPSULATION] = offsetof(struct stats, tunnel_wrong_encapsulation_drops),
	[HABPF_DROP_NO_REVERSE] = offsetof(struct stats, tunnel_no_reverse_drops),
	[HABPF_DROP_DESTINATION] = offsetof(struct stats, tunnel_destination_drops),
	[HABPF_DROP_LOOP] = offsetof(struct stats, tunnel_loop_drops),
	[HABPF_DROP_FILTER_PEER] = offsetof(struct stats, filter_peer_drops),
	[HABPF_DROP_FILTER_PROTOCOL] = offsetof(struct stats, filter_protocol_drops),
	[HABPF_DROP_FILTER_PORT] = offsetof(struct stats, filter_port_drops),
	[HABPF_DROP_FILTER_LENGTH] = offsetof(struct stats, filter_length_drops),
	[HABPF_DROP_FILTER_UNSOLICITED] = offsetof(struct stats, filter_unsolicited_drops),
};

static void bpf_add_stats(struct tunnel_dp *dp, struct stats *sum)
{
	const struct habpf_totals *before = &dp->before;
	struct habpf_totals now;
	uint64_t *counter;
	uint32_t i;

	if (read_totals(dp, &now) < 0)
		return;
	sum->packets_to_nodes += now.count.packets_to - before->count.packets_to;
	sum->bytes_to_nodes += now.count.bytes_to - before->count.bytes_to;
	sum->packets_from_nodes += now.count.packets_from - before->count.packets_from;
	sum->bytes_from_nodes += now.count.bytes_from - before->count.bytes_from;
	sum->fast_path_packets += now.count.packets_to - before->count.packets_to +
				  now.count.packets_from - before->count.packets_from;
	for (i = 0; i < HABPF_DROP_CNT; i++) {
		counter = (uint64_t *)((char *)sum + drop_counters[i]);
		*counter += now.drops[i] - before->drops[i];
		sum->fast_path_drops += now.drops[i] - before->drops[i];
		if (i >= HABPF_DROP_FILTER_PEER && i <= HABPF_DROP_FILTER_UNSOLICITED)
			sum->filter_drops += now.drops[i] - before->drops[i];
	}
	for (i = 0; i < HABPF_LEAVE_CNT; i++)
		sum->fast_path_left += now.left[i] - before->left[i];
}

static const char *bpf_tier(struct tunnel_dp *dp)
{
	return dp->obstacle || !dp->ports ? "tun" : bpf_ports_tier(dp->ports);
}

static struct tunnel_upkeep bpf_upkeep(struct tunnel_dp *dp)
{
	return (struct tunnel_upkeep){
		.repairs = dp->ports ? bpf_ports_repair_cnt(dp->ports) : 0,
	};
}

struct obstructed {
	void (*fn)(void *ctx, const struct tunnel_port *port);
	void *ctx;
	const char *why;
};

static void obstructed_port(void *ctx, const struct tunnel_port *port)
{
	const struct obstructed *o = ctx;

	o->fn(o->ctx, &(struct tunnel_port){ .interface = port->interface,
					     .tier = "tun",
					     .why = o->why,
					     .ifindex = port->ifindex,
					     .drops = port->drops });
}

static void bpf_for_each_port(struct tunnel_dp *dp,
			      void (*fn)(void *ctx, const struct tunnel_port *port), void *ctx)
{
	struct obstructed o = { fn, ctx, dp->obstacle };

	if (dp->ports && dp->obstacle)
		bpf_ports_for_each(dp->ports, obstructed_port, &o);
	else if (dp->ports)
		bpf_ports_for_each(dp->ports, fn, ctx);
}

const struct tunnel_ops tunnel_bpf = {
	.name = "bpf",
	.caps = TUNNEL_CAP_IPIP | TUNNEL_CAP_GRE | TUNNEL_CAP_UDP | TUNNEL_CAP_FILTER,
	.outlives = true,
	.open = bpf_open,
	.close = bpf_close,
	.put = bpf_put,
	.del = bpf_del,
	.clean = bpf_clean,
	.reconcile = bpf_reconcile,
	.filter_changed = bpf_filter_changed,
	.settings_changed = bpf_settings_changed,
	.upkeep = bpf_upkeep,
	.add_count = bpf_add_count,
	.count = bpf_count,
	.add_stats = bpf_add_stats,
	.tier = bpf_tier,
	.for_each_port = bpf_for_each_port,
};
