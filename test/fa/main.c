/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fa: a foreign agent for a Linux router, to test home agents with. The command line.
 */
#include "common/daemon.h"
#include "common/err.h"
#include "common/log.h"
#include "test/fa/foreign.h"
#include "test/instrument/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVERTISE_MAX_MS 1800000 /* RFC 1256: MaxAdvertisementInterval */

enum {
	OPT_CARE_OF = 256,
	OPT_INTERFACE,
	OPT_CONTROL,
	OPT_HOME_AGENT,
	OPT_SPI,
	OPT_KEY,
	OPT_ALGORITHM,
	OPT_VOUCH,
	OPT_VOUCH_CO_LOCATED,
	OPT_UDP,
	OPT_KEEPALIVE,
	OPT_REVERSE,
	OPT_LIFETIME,
	OPT_PROHIBITED,
	OPT_PENDING,
	OPT_PENDING_TIME,
	OPT_ADVERTISE,
	OPT_REQUIRE,
	OPT_DEVICE,
	OPT_TABLE,
	OPT_LOG_LEVEL,
};

static const struct option options[] = {
	{ "care-of", required_argument, NULL, OPT_CARE_OF },
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "home-agent", required_argument, NULL, OPT_HOME_AGENT },
	{ "spi", required_argument, NULL, OPT_SPI },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "algorithm", required_argument, NULL, OPT_ALGORITHM },
	{ "vouch", required_argument, NULL, OPT_VOUCH },
	{ "vouch-co-located", no_argument, NULL, OPT_VOUCH_CO_LOCATED },
	{ "udp", required_argument, NULL, OPT_UDP },
	{ "keepalive", required_argument, NULL, OPT_KEEPALIVE },
	{ "reverse-tunnel", required_argument, NULL, OPT_REVERSE },
	{ "lifetime", required_argument, NULL, OPT_LIFETIME },
	{ "prohibited", no_argument, NULL, OPT_PROHIBITED },
	{ "pending", required_argument, NULL, OPT_PENDING },
	{ "pending-time", required_argument, NULL, OPT_PENDING_TIME },
	{ "advertise", required_argument, NULL, OPT_ADVERTISE },
	{ "require-registration", no_argument, NULL, OPT_REQUIRE },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "table", required_argument, NULL, OPT_TABLE },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help[] =
	"fa, a foreign agent to test home agents with: relays registrations, ends tunnels for its\n"
	"visitors (RFC 5944 section 3.7, RFC 3024, RFC 3519). Not for production.\n"
	"\n"
	"Usage: fa --care-of ADDRESS --interface NAME --control PATH [...]\n"
	"\n"
	"  --care-of ADDRESS          an address of this host, offered to visitors\n"
	"  --interface NAME           the link that they visit\n"
	"  --control PATH             status socket\n"
	"The association with a home agent: all absent if there is none\n"
	"  --home-agent ADDRESS, --spi N, --key HEX\n"
	"  --algorithm NAME           hmac-md5 (default), keyed-md5, hmac-sha1, hmac-sha256\n"
	"  --vouch good|bad|absent    our authenticator, for tests of the other side (good)\n"
	"  --vouch-co-located         also for nodes with a co-located care-of address\n"
	"Tunnels\n"
	"  --udp off|nat|forced       we are behind a NAT: ask for UDP tunnels, with F (off)\n"
	"  --keepalive S              (as the home agent says)\n"
	"  --reverse-tunnel optional|required|disabled\n"
	"  --device NAME              TUN device (fa0)\n"
	"  --table N                  routing table, and rules' priority (5944)\n"
	"Registrations\n"
	"  --lifetime S               the longest that is passed on (1800)\n"
	"  --prohibited               deny everybody\n"
	"  --pending N                requests without a reply at one time (5)\n"
	"  --pending-time S           how long one waits for its reply (7)\n"
	"Advertisements\n"
	"  --advertise S              interval (only when solicited)\n"
	"  --require-registration     R, even with a co-located care-of address\n"
	"The program\n"
	"  --log-level LEVEL          error, warning, notice, info (default), debug\n"
	"  -V, --version              -h, --help\n"
	"\n"
	"Exit codes: 0 done, 2 bad command line, 3 the system refused something needed.\n";

/* What is gathered before it can be joined. */
struct gathered {
	struct foreign_conf conf;
	enum mac_algorithm algorithm;
	uint8_t key[MAC_KEY_MAX];
	size_t key_len;
	enum log_level log_level;
};

static bool take_association_option(struct gathered *g, int opt, const char *arg)
{
	static const char *const vouch_names[] = { "good", "bad", "absent" };
	struct relay_conf *relay = &g->conf.relay;
	size_t choice;

	switch (opt) {
	case OPT_HOME_AGENT:
		return options_unicast(arg, &relay->partner);
	case OPT_SPI:
		return options_u32(arg, REG_SPI_MIN, UINT32_MAX, &relay->spi);
	case OPT_KEY:
		return options_key(arg, g->key, &g->key_len);
	case OPT_ALGORITHM:
		return options_algorithm(arg, &g->algorithm);
	case OPT_VOUCH:
		if (!options_choice(arg, vouch_names, 3, &choice))
			return false;
		relay->vouch = (enum relay_vouch)choice;
		return true;
	case OPT_VOUCH_CO_LOCATED:
		relay->vouch_co_located = true;
		return true;
	default:
		return false;
	}
}

static bool take_registration_option(struct gathered *g, int opt, const char *arg)
{
	struct foreign_conf *conf = &g->conf;
	uint32_t number;

	switch (opt) {
	case OPT_LIFETIME:
		if (!options_u32(arg, 1, REG_LIFETIME_INFINITE, &number))
			return false;
		conf->relay.lifetime_max_s = (uint16_t)number;
		return true;
	case OPT_PROHIBITED:
		conf->relay.prohibited = true;
		return true;
	case OPT_PENDING:
		return options_u32(arg, 0, 64, &conf->pending_max);
	case OPT_PENDING_TIME:
		return options_seconds(arg, &conf->pending_ms);
	case OPT_ADVERTISE:
		return options_seconds(arg, &conf->advertise_ms) &&
		       conf->advertise_ms <= ADVERTISE_MAX_MS;
	case OPT_REQUIRE:
		conf->require_registration = true;
		return true;
	default:
		return take_association_option(g, opt, arg);
	}
}

static bool take_option(void *ctx, int opt, const char *arg)
{
	static const char *const udp_names[] = { "off", "nat", "forced" };
	static const char *const reverse_names[] = { "optional", "required", "disabled" };
	struct gathered *g = ctx;
	struct foreign_conf *conf = &g->conf;
	size_t choice;

	switch (opt) {
	case OPT_CARE_OF:
		return options_unicast(arg, &conf->relay.care_of);
	case OPT_INTERFACE:
		conf->interface = arg;
		return true;
	case OPT_CONTROL:
		conf->control = arg;
		return true;
	case OPT_UDP:
		if (!options_choice(arg, udp_names, 3, &choice))
			return false;
		conf->relay.udp = choice > 0;
		conf->relay.udp_forced = choice == 2;
		return true;
	case OPT_KEEPALIVE:
		return options_seconds(arg, &conf->keepalive_ms);
	case OPT_REVERSE:
		if (!options_choice(arg, reverse_names, 3, &choice))
			return false;
		conf->relay.reverse = (enum relay_reverse)choice;
		return true;
	case OPT_DEVICE:
		conf->device = arg;
		return strlen(arg) > 0;
	case OPT_TABLE:
		return options_u32(arg, 256, UINT32_MAX / 2, &conf->table);
	case OPT_LOG_LEVEL:
		return log_level_parse(arg, &g->log_level) == 0;
	default:
		return take_registration_option(g, opt, arg);
	}
}

/* What is missing, or NULL. */
static const char *missing(const void *ctx)
{
	const struct gathered *g = ctx;
	const struct relay_conf *relay = &g->conf.relay;
	bool shared = g->key_len > 0 || relay->spi > 0 || !addr_is_any(relay->partner);

	if (addr_is_any(relay->care_of))
		return "--care-of";
	if (!g->conf.interface)
		return "--interface";
	if (!g->conf.control)
		return "--control";
	if (shared && addr_is_any(relay->partner))
		return "--home-agent";
	if (shared && relay->spi == 0)
		return "--spi";
	if (shared && g->key_len == 0)
		return "--key";
	return NULL;
}

static bool is_secret(int opt)
{
	return opt == OPT_KEY;
}

static const struct options_program program = {
	.name = "fa",
	.help = help,
	.options = options,
	.take = take_option,
	.is_secret = is_secret,
	.missing = missing,
};

int main(int argc, char **argv)
{
	struct gathered g = {
		.conf = {
			.relay = { .lifetime_max_s = 1800 },
			.device = "fa0",
			.table = 5944,
			.pending_max = 5,
			.pending_ms = 7000,
		},
		.log_level = LOG_LEVEL_INFO,
	};
	struct foreign *foreign = NULL;
	int exit_code = options_read(&program, &g, argc, argv);
	int err = 0;

	if (exit_code >= 0)
		return exit_code;
	log_open("fa", g.log_level);
	if (g.key_len > 0)
		err = mac_new(g.algorithm, g.key, g.key_len, &g.conf.relay.mac);
	explicit_bzero(g.key, sizeof(g.key));
	if (err < 0)
		log_error("cannot prepare the key", "event=key-refused error=\"%s\"",
			  err_text(err));
	else
		err = foreign_open(&g.conf, &foreign);
	if (err == 0)
		foreign_run(foreign);
	foreign_close(foreign);
	mac_free(g.conf.relay.mac);
	return err < 0 ? DAEMON_EXIT_SYSTEM : DAEMON_EXIT_DONE;
}
