/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load generator of the benchmarks: so many mobile nodes in one process, each with its own
 * home address, key, care-of address and replay protection, registering as RFC 5944 has it. It
 * sends from the care-of addresses themselves, so the network it runs in must have them (a local
 * route), and takes any number of nodes from one socket, in batches.
 *
 * It reads phases from standard input, a line each, and answers each with one line of JSON:
 *
 *	fill                    every node registers once (those with nonces learn one first)
 *	closed WINDOW SECONDS   WINDOW requests (or of half of the nodes) are always under way:
 *	                        how many does it take?
 *	open RATE SECONDS       RATE requests a second whatever comes back: how long does it take?
 *	                        Time counts from when a request was due, not from when it was sent.
 *	moves SECONDS           one node after the other moves; packets go to its home address:
 *	                        how long is it from the request to the first that comes out of the
 *	                        tunnel at the new care-of address?
 *
 * A phase is a mix of renewals, moves (another care-of address) and deregistrations; who has
 * deregistered registers again when its turn comes. Nodes take turns at random. A request without
 * a reply for three seconds is lost, and counted.
 *
 * With --echo the other end is test/bench/echo, which returns what it is sent. That measures the
 * network and this program, with the very same requests.
 */
#include "common/addr.h"
#include "common/clock.h"
#include "ha-core/auth/mac.h"
#include "ha-core/wire/reg.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH        64
#define MESSAGE_MAX  128
#define SPI          256
#define KEY_LEN      16
#define LOST_US      3000000
#define VERIFY_EVERY 16 /* replies: this program shall not be what is measured */
#define MOVE_OFFSET  (1u << 22)
#define DATA_PORT    9       /* discard */
#define DATA_NS      50000   /* between two packets to a node that moves */
#define MOVE_NS      2000000 /* between two moves */
#define MOVED_US     1000000 /* whoever has no packet by then is lost */

/* Latencies in microseconds: 64 linear steps in each power of two, so 1.6 % off at most. */
#define HIST_STEPS 64
#define HIST_SIZE  (HIST_STEPS * 26)

struct node {
	uint64_t due_us; /* when the request under way was to be sent; 0: none is */
	uint32_t nonce;
	uint32_t ident; /* its low half: the reply copies it */
	bool is_registered : 1;
	bool leaves : 1;  /* the request under way is a deregistration */
	bool is_away : 1; /* at its second care-of address */
};

struct mix {
	unsigned int renewals, moves, deregs; /* of a hundred */
};

struct result {
	uint64_t sent, accepted, renewals, moves, deregs, first, resynced, denied, lost, forged;
	uint64_t hist[HIST_SIZE];
	uint64_t max_us;
	double seconds;
};

static struct {
	uint32_t home_agent, first_home, first_care_of; /* host order */
	uint16_t port;
	uint32_t node_cnt, nonce_every;
	uint16_t lifetime_s;
	uint64_t ends_us; /* monotonic: all bindings are to end then; 0: lifetime_s after each */
	uint64_t seed;
	bool echo;
	struct mix mix;
	const char *nodes_file;
} conf = { .port = REG_PORT, .lifetime_s = 1800, .seed = 1, .mix = { 90, 8, 2 } };

static struct node *nodes;
static struct result res;
static uint32_t in_flight;
static uint64_t random_state;
static int sock;
static bool is_moving; /* the histogram is of packets, not of replies */

static struct {
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	uint8_t data[BATCH][MESSAGE_MAX];
	uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
	unsigned int cnt;
} out, in;

static uint64_t mix64(uint64_t x) /* the finaliser of SplitMix64 */
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t random64(void)
{
	return mix64(random_state += 0x9e3779b97f4a7c15u);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool has_nonces(uint32_t i)
{
	return conf.nonce_every > 0 && i % conf.nonce_every == 0;
}

static struct in_addr home_of(uint32_t i)
{
	return addr_from_host(conf.first_home + i);
}

static struct in_addr care_of(uint32_t i)
{
	return addr_from_host(conf.first_care_of + i + (nodes[i].is_away ? MOVE_OFFSET : 0));
}

static void key_of(uint32_t i, uint8_t key[static KEY_LEN])
{
	const uint64_t halves[2] = { mix64(conf.seed ^ (uint64_t)i << 20), mix64(~conf.seed ^ i) };

	memcpy(key, halves, KEY_LEN);
}

static struct mac *mac_of(uint32_t i)
{
	static union {
		struct mac mac;
		uint8_t room[sizeof(struct mac) + KEY_LEN];
	} m;
	uint8_t key[KEY_LEN];

	key_of(i, key);
	if (mac_init(&m.mac, MAC_HMAC_MD5, key, KEY_LEN) < 0) {
		fprintf(stderr, "load: HMAC-MD5 is not to be had\n");
		exit(3);
	}
	return &m.mac;
}

/* --- the histogram --- */

static size_t hist_slot(uint64_t us)
{
	unsigned int shift = us < HIST_STEPS ? 0 : 58 - (unsigned int)__builtin_clzll(us);
	size_t slot = shift * (HIST_STEPS / 2) + (size_t)(us >> shift);

	return slot < HIST_SIZE ? slot : HIST_SIZE - 1;
}

static uint64_t hist_value(size_t slot)
{
	size_t shift = slot < HIST_STEPS ? 0 : slot / (HIST_STEPS / 2) - 1;

	return (slot - shift * (HIST_STEPS / 2)) << shift;
}

static void note_latency(uint64_t us)
{
	res.hist[hist_slot(us)]++;
	if (us > res.max_us)
		res.max_us = us;
}

static uint64_t percentile(double p)
{
	uint64_t total = 0, seen = 0;
	size_t i;

	for (i = 0; i < HIST_SIZE; i++)
		total += res.hist[i];
	for (i = 0; i < HIST_SIZE; i++) {
		seen += res.hist[i];
		if (seen > 0 && (double)seen >= p / 100 * (double)total)
			return hist_value(i);
	}
	return 0;
}

/* --- requests --- */

static void flush(void)
{
	unsigned int done = 0;
	int n;

	while (done < out.cnt) {
		n = sendmmsg(sock, out.msg + done, out.cnt - done, 0);
		if (n > 0) {
			done += (unsigned int)n;
		} else if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS) {
			perror("load: sendmmsg");
			exit(3);
		}
	}
	res.sent += out.cnt;
	out.cnt = 0;
}

/* From the care-of address: the socket is bound to none, so each message names its own. */
static void set_source(unsigned int slot, struct in_addr src)
{
	const struct in_pktinfo info = { .ipi_spec_dst = src };
	struct msghdr *hdr = &out.msg[slot].msg_hdr;
	struct cmsghdr *c;

	hdr->msg_control = out.control[slot];
	hdr->msg_controllen = sizeof(out.control[slot]);
	c = CMSG_FIRSTHDR(hdr);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static uint64_t ident_of(uint32_t i)
{
	if (!has_nonces(i))
		return clock_read().ntp;
	return (uint64_t)nodes[i].nonce << 32 | (uint32_t)random64();
}

static uint16_t lifetime(void)
{
	uint64_t at_us = now_us();

	if (conf.ends_us == 0)
		return conf.lifetime_s;
	return conf.ends_us > at_us ? (uint16_t)((conf.ends_us - at_us) / 1000000 + 1) : 1;
}

static void queue_request(uint32_t i, uint16_t lifetime_s, uint64_t due_us)
{
	static struct sockaddr_in to;
	const struct reg_request req = {
		.flags = REG_FLAG_D | REG_FLAG_T,
		.lifetime_s = lifetime_s,
		.home_addr = home_of(i),
		.home_agent = addr_from_host(conf.home_agent),
		.care_of = care_of(i),
		.ident = ident_of(i),
	};
	const unsigned int slot = out.cnt++;
	struct wire_writer w = wire_writer(out.data[slot], MESSAGE_MAX);
	size_t covered;

	reg_request_encode(&w, &req);
	ext_put_header(&w, EXT_MOBILE_HOME_AUTH, 4 + 16);
	wire_put_u32(&w, SPI);
	covered = wire_len(&w);
	mac_sign(mac_of(i), w.start, covered, wire_room(&w, 16));

	to = (struct sockaddr_in){ .sin_family = AF_INET,
				   .sin_addr = addr_from_host(conf.home_agent),
				   .sin_port = htons(conf.port) };
	out.iov[slot] = (struct iovec){ out.data[slot], wire_len(&w) };
	out.msg[slot].msg_hdr = (struct msghdr){ .msg_name = &to,
						 .msg_namelen = sizeof(to),
						 .msg_iov = &out.iov[slot],
						 .msg_iovlen = 1 };
	set_source(slot, req.care_of);
	if (nodes[i].due_us == 0)
		in_flight++;
	nodes[i].due_us = due_us;
	nodes[i].leaves = lifetime_s == 0;
	nodes[i].ident = (uint32_t)req.ident;
	if (out.cnt == BATCH)
		flush();
}

/* The next request of a mix: of a node that waits for no reply, taken at random. */
static void send_next(uint64_t due_us)
{
	uint64_t r = random64();
	uint32_t i = (uint32_t)((r >> 32) * conf.node_cnt >> 32);
	unsigned int percent = (unsigned int)(r & 0xffffff) % 100;
	struct node *n;

	while (nodes[i].due_us != 0)
		i = i + 1 < conf.node_cnt ? i + 1 : 0;
	n = &nodes[i];
	if (!n->is_registered) {
		res.first++;
	} else if (percent < conf.mix.moves) {
		n->is_away = !n->is_away;
		res.moves++;
	} else if (percent < conf.mix.moves + conf.mix.deregs) {
		res.deregs++;
		queue_request(i, 0, due_us);
		return;
	} else {
		res.renewals++;
	}
	queue_request(i, lifetime(), due_us);
}

/* --- replies --- */

static bool is_genuine(uint32_t i, const uint8_t *msg, size_t len)
{
	struct wire_reader r = wire_reader(msg + REG_REPLY_LEN, len - REG_REPLY_LEN);
	struct reg_auth auth;
	struct ext ext;

	while (ext_next(&r, &ext) > 0)
		if (ext.type == EXT_MOBILE_HOME_AUTH && reg_auth_decode(msg, &ext, &auth) == 0)
			return mac_verify(mac_of(i), msg, auth.covered_len, auth.mac,
					  auth.mac_len) == 0;
	return false;
}

static void take_reply(const uint8_t *msg, size_t len, uint64_t at_us)
{
	static unsigned int serial;
	struct wire_reader r = wire_reader(msg, len);
	struct reg_reply reply = { 0 };
	struct node *n;
	uint32_t i;

	/* A request that comes back has its home address where a reply has it. */
	if (conf.echo ? len < REG_REQUEST_LEN : reg_reply_decode(&r, &reply) < 0)
		return;
	if (conf.echo)
		memcpy(&reply.home_addr, msg + 4, sizeof(reply.home_addr));
	i = addr_host(reply.home_addr) - conf.first_home;
	if (i >= conf.node_cnt || nodes[i].due_us == 0)
		return;
	n = &nodes[i];
	if (!conf.echo && (uint32_t)reply.ident != n->ident)
		return; /* to one that was given up */
	if (!conf.echo && serial++ % VERIFY_EVERY == 0 && !is_genuine(i, msg, len)) {
		res.forged++;
		return;
	}
	if (has_nonces(i) && !conf.echo) {
		n->nonce = (uint32_t)(reply.ident >> 32);
		if (reply.code == REG_IDENT_MISMATCH) { /* the first one, or a reply was lost */
			res.resynced++;
			queue_request(i, lifetime(), n->due_us);
			return;
		}
	}
	if (!is_moving)
		note_latency(at_us > n->due_us ? at_us - n->due_us : 0);
	n->due_us = 0;
	in_flight--;
	if (reply.code > REG_ACCEPTED_NO_SIMULTANEOUS) {
		res.denied++;
		return;
	}
	res.accepted++;
	n->is_registered = !n->leaves;
}

/* @return replies taken */
static int receive(int wait_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint64_t at_us;
	int i, n;

	if (wait_ms > 0)
		(void)poll(&p, 1, wait_ms);
	for (i = 0; i < BATCH; i++) {
		in.iov[i] = (struct iovec){ in.data[i], MESSAGE_MAX };
		in.msg[i].msg_hdr = (struct msghdr){ .msg_iov = &in.iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(sock, in.msg, BATCH, MSG_DONTWAIT, NULL);
	at_us = now_us();
	for (i = 0; i < n; i++)
		take_reply(in.data[i], in.msg[i].msg_len, at_us);
	return n > 0 ? n : 0;
}

/* Once a second and at the end: what has been under way for too long is not any more. */
static void give_up_lost(uint64_t at_us)
{
	static uint64_t last_us;
	uint32_t i;

	if (at_us - last_us < LOST_US)
		return;
	last_us = at_us;
	for (i = 0; i < conf.node_cnt && in_flight > 0; i++) {
		if (nodes[i].due_us == 0 || at_us - nodes[i].due_us < LOST_US)
			continue;
		nodes[i].due_us = 0;
		in_flight--;
		res.lost++;
	}
}

/* Until fewer are under way; half a batch at a time, or each end would handle one by one. */
static void wait_below(unsigned int limit)
{
	flush();
	while (in_flight >= limit) {
		if (receive(0) == 0 && receive(100) == 0)
			give_up_lost(now_us());
		flush();
	}
}

static void drain(void)
{
	wait_below(1);
}

/* --- phases --- */

static void fill(unsigned int window)
{
	uint32_t next = 0, left = conf.node_cnt;

	/* A node that was lost is asked for again, in another round. */
	while (left > 0) {
		for (next = 0; next < conf.node_cnt; next++) {
			if (nodes[next].is_registered || nodes[next].due_us != 0)
				continue;
			res.first++;
			queue_request(next, lifetime(), now_us());
			if (in_flight >= window)
				wait_below(window - BATCH / 2);
		}
		drain();
		for (left = 0, next = 0; next < conf.node_cnt; next++)
			left += !nodes[next].is_registered;
		if (res.denied > 0)
			return;
	}
}

static void closed_loop(unsigned int window, double seconds)
{
	const uint64_t end_us = now_us() + (uint64_t)(seconds * 1e6);
	uint64_t at_us;

	if (window > conf.node_cnt / 2)
		window = conf.node_cnt / 2; /* a node has one request under way */
	while ((at_us = now_us()) < end_us) {
		while (in_flight < window)
			send_next(at_us);
		wait_below(window > BATCH ? window - BATCH / 2 : window);
	}
}

static void open_loop(double rate, double seconds)
{
	const uint64_t start_us = now_us();
	uint64_t due = 0, sent = 0, at_us;
	const uint64_t total = (uint64_t)(rate * seconds);
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct timespec wait = { 0 };

	while (sent < total) {
		at_us = now_us();
		due = (uint64_t)((double)(at_us - start_us) * rate / 1e6);
		if (due > total)
			due = total;
		for (; sent < due && in_flight < conf.node_cnt / 2; sent++)
			send_next(start_us + (uint64_t)((double)sent * 1e6 / rate));
		flush();
		while (receive(0) == BATCH)
			flush();
		flush();
		give_up_lost(at_us);
		/* To the next request due, or the next reply. */
		wait.tv_nsec = rate > 0 ? (long)(1e9 / rate) : 0;
		if (wait.tv_nsec > 999999999)
			wait.tv_nsec = 999999999;
		(void)ppoll(&p, 1, &wait, NULL);
	}
}

/* Has a packet for this node come out of the tunnel where it is now? What is older is dropped. */
static bool has_arrived(int tunnelled, uint32_t i)
{
	struct {
		struct iphdr outer, inner;
	} p;

	while (recv(tunnelled, &p, sizeof(p), MSG_DONTWAIT) == (ssize_t)sizeof(p))
		if (p.outer.ihl == 5 && p.outer.daddr == care_of(i).s_addr &&
		    p.inner.daddr == home_of(i).s_addr)
			return true;
	return false;
}

/* @return microseconds; MOVED_US: none has come */
static uint64_t wait_for_data(int sender, int tunnelled, uint32_t i, uint64_t start_us)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_addr = home_of(i),
					.sin_port = htons(DATA_PORT) };
	const struct timespec pause = { .tv_nsec = DATA_NS };
	struct pollfd p = { .fd = tunnelled, .events = POLLIN };
	uint64_t at_us;

	do {
		(void)sendto(sender, "", 1, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
		(void)ppoll(&p, 1, &pause, NULL);
		at_us = now_us();
		if (has_arrived(tunnelled, i))
			return at_us - start_us;
	} while (at_us - start_us < MOVED_US);
	return MOVED_US;
}

static void move_on(double seconds)
{
	const int tunnelled = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP);
	const int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timespec pause = { .tv_nsec = MOVE_NS };
	const uint64_t end_us = now_us() + (uint64_t)(seconds * 1e6);
	uint64_t start_us, took_us;
	uint32_t i = 0;

	if (tunnelled < 0 || sender < 0) {
		perror("load: a raw socket");
		exit(3);
	}
	is_moving = true;
	for (start_us = now_us(); start_us < end_us; start_us = now_us()) {
		i = i + 1 < conf.node_cnt ? i + 1 : 0;
		nodes[i].is_away = !nodes[i].is_away;
		queue_request(i, lifetime(), start_us);
		flush();
		took_us = wait_for_data(sender, tunnelled, i, start_us);
		res.moves++;
		res.lost += took_us == MOVED_US;
		note_latency(took_us);
		drain();
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	is_moving = false;
	close(tunnelled);
	close(sender);
}

static void print_result(const char *phase)
{
	static const double wanted[] = { 50, 90, 99, 99.9, 99.99 };
	static const char *const names[] = { "p50", "p90", "p99", "p99.9", "p99.99" };
	size_t i;

	printf("{\"phase\": \"%s\", \"seconds\": %.3f, \"sent\": %" PRIu64
	       ", \"accepted\": %" PRIu64 ", \"denied\": %" PRIu64 ", \"lost\": %" PRIu64
	       ", \"forged\": %" PRIu64 ", \"first\": %" PRIu64 ", \"renewals\": %" PRIu64
	       ", \"moves\": %" PRIu64 ", \"deregistrations\": %" PRIu64
	       ", \"nonces-learnt\": %" PRIu64 ", \"per-second\": %.0f, \"latency-us\": {",
	       phase, res.seconds, res.sent, res.accepted, res.denied, res.lost, res.forged,
	       res.first, res.renewals, res.moves, res.deregs, res.resynced,
	       (double)res.accepted / res.seconds);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		printf("\"%s\": %" PRIu64 ", ", names[i], percentile(wanted[i]));
	printf("\"max\": %" PRIu64 "}}\n", res.max_us);
	fflush(stdout);
}

static int run_phase(const char *line)
{
	double a = 0, b = 0;
	char phase[16];
	uint64_t start_us;
	int cnt = sscanf(line, "%15s %lf %lf", phase, &a, &b);

	memset(&res, 0, sizeof(res));
	start_us = now_us();
	if (cnt == 1 && strcmp(phase, "fill") == 0)
		fill(512);
	else if (cnt == 3 && strcmp(phase, "closed") == 0)
		closed_loop((unsigned int)a, b);
	else if (cnt == 3 && strcmp(phase, "open") == 0)
		open_loop(a, b);
	else if (cnt == 2 && strcmp(phase, "moves") == 0)
		move_on(a);
	else
		return -1;
	res.seconds = (double)(now_us() - start_us) / 1e6;
	drain();
	print_result(phase);
	return 0;
}

/* --- start --- */

static int write_nodes_file(void)
{
	FILE *f = fopen(conf.nodes_file, "w");
	uint8_t key[KEY_LEN];
	uint32_t i;
	size_t k;

	if (!f || fchmod(fileno(f), 0600) < 0) {
		perror(conf.nodes_file);
		return 3;
	}
	for (i = 0; i < conf.node_cnt; i++) {
		fprintf(f, "%s - %u hmac-md5 ", addr_text(home_of(i)).s, SPI);
		key_of(i, key);
		for (k = 0; k < KEY_LEN; k++)
			fprintf(f, "%02x", key[k]);
		fprintf(f, "%s\n", has_nonces(i) ? " nonce" : "");
	}
	return fclose(f) == 0 ? 0 : 3;
}

static int open_socket(void)
{
	const int size = 16 << 20;
	const struct sockaddr_in any = { .sin_family = AF_INET };

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return -1;
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return 0;
}

static int usage(void)
{
	fputs("Usage: load --home-agent A --first-home A --care-of A --nodes N [OPTIONS] <PHASES\n"
	      "\n"
	      "Registers N mobile nodes; reads phases, a line each, prints a line of JSON for "
	      "each:\n"
	      "fill | closed WINDOW SECONDS | open RATE SECONDS | moves SECONDS\n"
	      "\n"
	      "  --nonce-every K      each K-th node uses nonces; 0, the default: none\n"
	      "  --lifetime SECONDS   asked for (1800)\n"
	      "  --ends-in SECONDS    asked for is what is left until then\n"
	      "  --mix R:M:D          renewals, moves, deregistrations of a hundred (90:8:2)\n"
	      "  --port P             (434)\n"
	      "  --echo               the other end is test/bench/echo\n"
	      "  --write-nodes FILE   write the mobile-nodes-file of these nodes, and end\n",
	      stderr);
	return 2;
}

static bool read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "home-agent", required_argument, NULL, 'a' },
		{ "first-home", required_argument, NULL, 'h' },
		{ "care-of", required_argument, NULL, 'c' },
		{ "nodes", required_argument, NULL, 'n' },
		{ "nonce-every", required_argument, NULL, 'k' },
		{ "lifetime", required_argument, NULL, 'l' },
		{ "ends-in", required_argument, NULL, 't' },
		{ "mix", required_argument, NULL, 'm' },
		{ "port", required_argument, NULL, 'p' },
		{ "echo", no_argument, NULL, 'e' },
		{ "write-nodes", required_argument, NULL, 'w' },
		{ 0 },
	};
	struct in_addr addr;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (strchr("ahc", opt) && addr_parse(optarg, &addr) < 0)
			return false;
		switch (opt) {
		case 'a':
			conf.home_agent = addr_host(addr);
			break;
		case 'h':
			conf.first_home = addr_host(addr);
			break;
		case 'c':
			conf.first_care_of = addr_host(addr);
			break;
		case 'n':
			conf.node_cnt = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			conf.nonce_every = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			conf.lifetime_s = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 't':
			conf.ends_us = now_us() + strtoul(optarg, NULL, 10) * 1000000;
			break;
		case 'm':
			if (sscanf(optarg, "%u:%u:%u", &conf.mix.renewals, &conf.mix.moves,
				   &conf.mix.deregs) != 3 ||
			    conf.mix.renewals + conf.mix.moves + conf.mix.deregs != 100)
				return false;
			break;
		case 'p':
			conf.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'e':
			conf.echo = true;
			break;
		case 'w':
			conf.nodes_file = optarg;
			break;
		default:
			return false;
		}
	}
	return optind == argc && conf.node_cnt > 1 && conf.node_cnt < MOVE_OFFSET &&
	       conf.first_home != 0;
}

int main(int argc, char **argv)
{
	char line[128];
	uint32_t i;

	if (!read_options(argc, argv))
		return usage();
	if (conf.nodes_file)
		return write_nodes_file();
	nodes = calloc(conf.node_cnt, sizeof(*nodes));
	if (!nodes || open_socket() < 0) {
		perror("load");
		return 3;
	}
	/* An echo's nodes are all there. */
	for (i = 0; conf.echo && i < conf.node_cnt; i++)
		nodes[i].is_registered = true;
	while (fgets(line, sizeof(line), stdin)) {
		if (run_phase(line) < 0) {
			fprintf(stderr, "load: not a phase: %s", line);
			return 2;
		}
	}
	free(nodes);
	close(sock);
	return 0;
}
