/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mn: a mobile node for a Linux host, to test home agents with. The command line.
 */
#include "common/daemon.h"
#include "common/err.h"
#include "common/log.h"
#include "test/instrument/options.h"
#include "test/mn/node.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE_DEFAULT 5265
#define NAI_MAX       255

/* Options of an agent, those of the external one follow those of the internal one. */
enum {
	OPT_AGENT = 256, /* + enum detect_agent, and so on */
	OPT_HOME_ADDRESS = OPT_AGENT + DETECT_AGENT_CNT,
	OPT_SPI = OPT_HOME_ADDRESS + DETECT_AGENT_CNT,
	OPT_KEY = OPT_SPI + DETECT_AGENT_CNT,
	OPT_ALGORITHM = OPT_KEY + DETECT_AGENT_CNT,
	OPT_REPLAY = OPT_ALGORITHM + DETECT_AGENT_CNT,
	OPT_DEVICE = OPT_REPLAY + DETECT_AGENT_CNT,
	OPT_NAI = OPT_DEVICE + DETECT_AGENT_CNT,
	OPT_INTERFACE,
	OPT_FOREIGN_AGENT,
	OPT_HOME_ROUTER,
	OPT_VICI,
	OPT_VPN_IKE,
	OPT_VPN_CHILD,
	OPT_VPN_DEVICE,
	OPT_VPN_GATEWAY,
	OPT_LIFETIME,
	OPT_T_MONITOR,
	OPT_GRACE,
	OPT_DETECTION,
	OPT_UDP,
	OPT_NO_REVERSE,
	OPT_ROUTE,
	OPT_NETWORK,
	OPT_TABLE,
	OPT_CONTROL,
	OPT_DEREGISTER,
	OPT_LOG_LEVEL,
};

static const struct option options[] = {
	{ "internal-agent", required_argument, NULL, OPT_AGENT + DETECT_INTERNAL },
	{ "external-agent", required_argument, NULL, OPT_AGENT + DETECT_EXTERNAL },
	{ "home-address", required_argument, NULL, OPT_HOME_ADDRESS + DETECT_INTERNAL },
	{ "external-home-address", required_argument, NULL, OPT_HOME_ADDRESS + DETECT_EXTERNAL },
	{ "internal-spi", required_argument, NULL, OPT_SPI + DETECT_INTERNAL },
	{ "external-spi", required_argument, NULL, OPT_SPI + DETECT_EXTERNAL },
	{ "internal-key", required_argument, NULL, OPT_KEY + DETECT_INTERNAL },
	{ "external-key", required_argument, NULL, OPT_KEY + DETECT_EXTERNAL },
	{ "internal-algorithm", required_argument, NULL, OPT_ALGORITHM + DETECT_INTERNAL },
	{ "external-algorithm", required_argument, NULL, OPT_ALGORITHM + DETECT_EXTERNAL },
	{ "internal-replay", required_argument, NULL, OPT_REPLAY + DETECT_INTERNAL },
	{ "external-replay", required_argument, NULL, OPT_REPLAY + DETECT_EXTERNAL },
	{ "device", required_argument, NULL, OPT_DEVICE + DETECT_INTERNAL },
	{ "external-device", required_argument, NULL, OPT_DEVICE + DETECT_EXTERNAL },
	{ "nai", required_argument, NULL, OPT_NAI },
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "foreign-agent", required_argument, NULL, OPT_FOREIGN_AGENT },
	{ "home-router", required_argument, NULL, OPT_HOME_ROUTER },
	{ "vici", required_argument, NULL, OPT_VICI },
	{ "vpn-connection", required_argument, NULL, OPT_VPN_IKE },
	{ "vpn-child", required_argument, NULL, OPT_VPN_CHILD },
	{ "vpn-device", required_argument, NULL, OPT_VPN_DEVICE },
	{ "vpn-gateway", required_argument, NULL, OPT_VPN_GATEWAY },
	{ "lifetime", required_argument, NULL, OPT_LIFETIME },
	{ "t-monitor", required_argument, NULL, OPT_T_MONITOR },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "detection-ms", required_argument, NULL, OPT_DETECTION },
	{ "udp", required_argument, NULL, OPT_UDP },
	{ "no-reverse-tunnel", no_argument, NULL, OPT_NO_REVERSE },
	{ "route", required_argument, NULL, OPT_ROUTE },
	{ "mobile-network", required_argument, NULL, OPT_NETWORK },
	{ "table", required_argument, NULL, OPT_TABLE },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "deregister-on-exit", no_argument, NULL, OPT_DEREGISTER },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help[] =
	"mn, a mobile node to test home agents with: finds out whether it is inside, registers,\n"
	"tunnels (RFC 5265, RFC 5944, RFC 3519). Not for production.\n"
	"\n"
	"Usage: mn --home-address ADDRESS --internal-agent ADDRESS --internal-spi N\n"
	"          --internal-key HEX --control PATH [...]\n"
	"\n"
	"The internal home agent\n"
	"  --home-address ADDRESS         the home address\n"
	"  --internal-agent ADDRESS       the home agent\n"
	"  --internal-spi N, --internal-key HEX\n"
	"  --internal-algorithm NAME      hmac-md5 (default), keyed-md5, hmac-sha1, hmac-sha256\n"
	"  --internal-replay STYLE        timestamp (default), nonce\n"
	"  --device NAME                  TUN device of the home address (mn0)\n"
	"  --route PREFIX                 goes through the home tunnel; may be repeated "
	"(0.0.0.0/0)\n"
	"  --mobile-network PREFIX        is behind this host, a router (RFC 5177); may be "
	"repeated\n"
	"The external home agent: the same with --external-, all absent if there is none\n"
	"  --external-home-address ADDRESS\n"
	"  --external-device NAME         (mnx0)\n"
	"Both\n"
	"  --nai NAI                      network access identifier\n"
	"  --interface NAME               may be repeated (every one but loopback and ours)\n"
	"  --foreign-agent ROUTER[=CARE-OF]\n"
	"                                 where this is the router, register through it; may be\n"
	"                                 repeated\n"
	"  --home-router ADDRESS          where this is the router, we are at home: deregister\n"
	"  --lifetime S                   asked for (1800)\n"
	"  --udp auto|forced|off          tunnel in UDP: behind a NAT, always, never (auto)\n"
	"  --no-reverse-tunnel            inside, send user data untunnelled\n"
	"  --table N                      first of two routing tables and three rules (5265)\n"
	"The VPN, a strongSwan on this host; outside, user data goes through it\n"
	"  --vici PATH                    its vici socket (none: no VPN)\n"
	"  --vpn-connection NAME, --vpn-child NAME\n"
	"                                 what to initiate (corp, intranet)\n"
	"  --vpn-device NAME              the device of its inner address (ipsec0)\n"
	"  --vpn-gateway ADDRESS          the gateway, if there is no external home agent\n"
	"Detection\n"
	"  --t-monitor S                  inside no longer than this without a fresh success (60)\n"
	"  --grace S                      re-register so long before (10)\n"
	"  --detection-ms MS              the internal agent's time after the external one's\n"
	"                                 answer (2000)\n"
	"The program\n"
	"  --control PATH                 status socket\n"
	"  --deregister-on-exit           on SIGTERM or SIGINT\n"
	"  --log-level LEVEL              error, warning, notice, info (default), debug\n"
	"  -V, --version                  -h, --help\n"
	"\n"
	"Exit codes: 0 done, 2 bad command line, 3 the system refused something needed.\n";

/* What is gathered before it can be joined. */
struct gathered {
	struct node_conf conf;
	enum mac_algorithm algorithm[DETECT_AGENT_CNT];
	uint8_t key[DETECT_AGENT_CNT][MAC_KEY_MAX];
	size_t key_len[DETECT_AGENT_CNT];
	enum log_level log_level;
};

/* An option of one agent. */
static bool take_agent_option(struct gathered *g, int opt, enum detect_agent which, const char *arg)
{
	static const char *const styles[] = { "timestamp", "nonce" };
	struct agent_conf *a = &g->conf.agent[which];
	size_t choice;

	switch (opt) {
	case OPT_AGENT:
		return options_unicast(arg, &a->address);
	case OPT_HOME_ADDRESS:
		return options_unicast(arg, &a->home_addr);
	case OPT_SPI:
		return options_u32(arg, REG_SPI_MIN, UINT32_MAX, &a->spi);
	case OPT_KEY:
		return options_key(arg, g->key[which], &g->key_len[which]);
	case OPT_ALGORITHM:
		return options_algorithm(arg, &g->algorithm[which]);
	case OPT_REPLAY:
		if (!options_choice(arg, styles, 2, &choice))
			return false;
		a->nonces = choice == 1;
		return true;
	case OPT_DEVICE:
		g->conf.device[which] = arg;
		return strlen(arg) > 0;
	default:
		return false;
	}
}

/* ROUTER, or ROUTER=CARE-OF */
static bool take_foreign_agent(struct node_conf *conf, const char *arg)
{
	struct node_foreign *f = &conf->foreign[conf->foreign_cnt];
	const char *equals = strchr(arg, '=');
	char router[INET_ADDRSTRLEN] = "";
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

	if (conf->foreign_cnt == NODE_FOREIGN_MAX || len >= sizeof(router))
		return false;
	memcpy(router, arg, len);
	if (!options_unicast(router, &f->router) ||
	    !options_unicast(equals ? equals + 1 : router, &f->care_of))
		return false;
	conf->foreign_cnt++;
	return true;
}

static bool take_vpn_option(struct node_vpn *vpn, int opt, const char *arg)
{
	switch (opt) {
	case OPT_VICI:
		vpn->socket = arg;
		return strlen(arg) > 0;
	case OPT_VPN_IKE:
		vpn->ike = arg;
		return strlen(arg) > 0;
	case OPT_VPN_CHILD:
		vpn->child = arg;
		return strlen(arg) > 0;
	case OPT_VPN_DEVICE:
		vpn->device = arg;
		return strlen(arg) > 0;
	default:
		return options_unicast(arg, &vpn->gateway);
	}
}

static bool take_option(void *ctx, int opt, const char *arg)
{
	static const char *const udp_names[] = { "auto", "forced", "off" };
	struct gathered *g = ctx;
	struct node_conf *conf = &g->conf;
	struct agent_conf *both = conf->agent;
	uint32_t number;
	size_t choice;

	if (opt >= OPT_AGENT && opt < OPT_NAI) {
		int which = (opt - OPT_AGENT) % DETECT_AGENT_CNT;

		return take_agent_option(g, opt - which, (enum detect_agent)which, arg);
	}
	if (opt >= OPT_VICI && opt <= OPT_VPN_GATEWAY)
		return take_vpn_option(&conf->vpn, opt, arg);
	switch (opt) {
	case OPT_FOREIGN_AGENT:
		return take_foreign_agent(conf, arg);
	case OPT_HOME_ROUTER:
		return options_unicast(arg, &conf->home_router);
	case OPT_NAI:
		both[DETECT_INTERNAL].nai = both[DETECT_EXTERNAL].nai = arg;
		return strlen(arg) > 0 && strlen(arg) <= NAI_MAX;
	case OPT_INTERFACE:
		if (conf->interface_cnt == NODE_INTERFACE_MAX)
			return false;
		conf->interfaces[conf->interface_cnt++] = arg;
		return true;
	case OPT_LIFETIME:
		if (!options_u32(arg, 1, REG_LIFETIME_INFINITE, &number))
			return false;
		both[DETECT_INTERNAL].lifetime_s = both[DETECT_EXTERNAL].lifetime_s =
			(uint16_t)number;
		return true;
	case OPT_T_MONITOR:
		return options_seconds(arg, &conf->detect.t_monitor_ms) &&
		       conf->detect.t_monitor_ms >= DETECT_RETRY_MIN_MS;
	case OPT_GRACE:
		return options_seconds(arg, &conf->detect.grace_ms);
	case OPT_DETECTION:
		return options_u32(arg, 0, 600000, &conf->detect.period_ms);
	case OPT_UDP:
		if (!options_choice(arg, udp_names, 3, &choice))
			return false;
		both[DETECT_INTERNAL].udp = both[DETECT_EXTERNAL].udp = (enum agent_udp)choice;
		return true;
	case OPT_NO_REVERSE:
		both[DETECT_INTERNAL].reverse_tunnel = false;
		return true;
	case OPT_ROUTE:
		return conf->route_cnt < NODE_ROUTE_MAX &&
		       addr_prefix_parse(arg, &conf->routes[conf->route_cnt++]) == 0;
	case OPT_NETWORK:
		return conf->network_cnt < NODE_NETWORK_MAX &&
		       addr_prefix_parse(arg, &conf->networks[conf->network_cnt++]) == 0;
	case OPT_TABLE:
		return options_u32(arg, 256, UINT32_MAX / 2, &conf->table);
	case OPT_CONTROL:
		conf->control = arg;
		return true;
	case OPT_DEREGISTER:
		conf->dereg_on_exit = true;
		return true;
	case OPT_LOG_LEVEL:
		return log_level_parse(arg, &g->log_level) == 0;
	default:
		return false;
	}
}

/* What is missing, or NULL. */
static const char *missing(const void *ctx)
{
	const struct gathered *g = ctx;
	const struct agent_conf *in = &g->conf.agent[DETECT_INTERNAL];
	const struct agent_conf *ex = &g->conf.agent[DETECT_EXTERNAL];

	if (addr_is_any(in->home_addr))
		return "--home-address";
	if (addr_is_any(in->address))
		return "--internal-agent";
	if (in->spi == 0)
		return "--internal-spi";
	if (g->key_len[DETECT_INTERNAL] == 0)
		return "--internal-key";
	if (!g->conf.control)
		return "--control";
	if (addr_is_any(ex->address))
		return NULL;
	if (addr_is_any(ex->home_addr))
		return "--external-home-address";
	if (ex->spi == 0)
		return "--external-spi";
	if (g->key_len[DETECT_EXTERNAL] == 0)
		return "--external-key";
	return NULL;
}

static bool is_secret(int opt)
{
	return opt == OPT_KEY + DETECT_INTERNAL || opt == OPT_KEY + DETECT_EXTERNAL;
}

static const struct options_program program = {
	.name = "mn",
	.help = help,
	.options = options,
	.take = take_option,
	.is_secret = is_secret,
	.missing = missing,
};

/* Joins what hangs together, and prepares the keys. @retval ERR_CRYPTO, ERR_INVALID, -ENOMEM */
static int finish(struct gathered *g)
{
	struct node_conf *conf = &g->conf;
	struct in_addr external = conf->agent[DETECT_EXTERNAL].address;
	int err;

	conf->detect.has_external = !addr_is_any(external);
	conf->detect.same_agent = addr_eq(external, conf->agent[DETECT_INTERNAL].address);
	if (conf->route_cnt == 0)
		conf->routes[conf->route_cnt++] = (struct addr_prefix){ .len = 0 };
	conf->detect.has_vpn = conf->vpn.socket != NULL;
	for (size_t i = 0; i < DETECT_AGENT_CNT; i++) {
		if (g->key_len[i] == 0)
			continue;
		err = mac_new(g->algorithm[i], g->key[i], g->key_len[i], &conf->agent[i].mac);
		explicit_bzero(g->key[i], sizeof(g->key[i]));
		if (err < 0)
			return err;
	}
	/* MUST be tunnelled back: the VPN lets its inner address pass only (RFC 5265 §2.3). */
	conf->agent[DETECT_VPN] = conf->agent[DETECT_INTERNAL];
	conf->agent[DETECT_VPN].name = "vpn";
	conf->agent[DETECT_VPN].reverse_tunnel = true;
	return 0;
}

int main(int argc, char **argv)
{
	struct gathered g = {
		.conf = {
			.agent = {
				[DETECT_INTERNAL] = { .name = "internal", .lifetime_s = 1800,
						      .reverse_tunnel = true },
				[DETECT_EXTERNAL] = { .name = "external", .lifetime_s = 1800,
						      .reverse_tunnel = true },
			},
			.device = { "mn0", "mnx0" },
			.detect = { .t_monitor_ms = 60000, .grace_ms = 10000, .period_ms = 2000 },
			.vpn = { .ike = "corp", .child = "intranet", .device = "ipsec0" },
			.table = TABLE_DEFAULT,
		},
		.log_level = LOG_LEVEL_INFO,
	};
	struct node *node = NULL;
	int exit_code = options_read(&program, &g, argc, argv);
	int err;

	if (exit_code >= 0)
		return exit_code;
	log_open("mn", g.log_level);
	err = finish(&g);
	if (err < 0)
		log_error("cannot prepare the keys", "event=key-refused error=\"%s\"",
			  err_text(err));
	else
		err = node_open(&g.conf, &node);
	if (err == 0)
		node_run(node);
	node_close(node);
	for (size_t i = 0; i < DETECT_VPN; i++) /* whose key is the internal agent's */
		mac_free(g.conf.agent[i].mac);
	return err < 0 ? DAEMON_EXIT_SYSTEM : DAEMON_EXIT_DONE;
}
