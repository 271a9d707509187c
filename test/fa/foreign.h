/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * The foreign agent: who has asked, who is visiting, and for how long.
 */
#ifndef TEST_FA_FOREIGN_H
#define TEST_FA_FOREIGN_H

#include "test/fa/relay.h"

struct foreign_conf {
	struct relay_conf relay;
	const char *interface; /* of the visited link */
	const char *device;    /* TUN */
	uint32_t table;
	uint32_t pending_max;      /* requests without a reply at one time */
	uint32_t pending_ms;       /* how long one waits */
	uint32_t keepalive_ms;     /* 0: as the home agent says */
	uint32_t advertise_ms;     /* 0: only when solicited */
	bool require_registration; /* R, even with a co-located care-of address */
	const char *control;
};

struct foreign;

/** @retval -errno  logged */
int foreign_open(const struct foreign_conf *conf, struct foreign **ret_foreign);
/** Until SIGTERM or SIGINT. */
void foreign_run(struct foreign *f);
struct foreign *foreign_close(struct foreign *f);

#endif
