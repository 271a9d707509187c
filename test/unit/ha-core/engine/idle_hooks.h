/* SPDX-License-Identifier: BSD-2-Clause */
/** Hooks of an engine whose bindings no data path carries, for tests of something else. */
#ifndef TEST_UNIT_HA_CORE_ENGINE_IDLE_HOOKS_H
#define TEST_UNIT_HA_CORE_ENGINE_IDLE_HOOKS_H

#include "ha-core/engine/engine.h"

/** engine_hooks.changed: all is well. */
static inline int idle_changed(void *ctx, struct binding_key key, const struct binding *first)
{
	(void)ctx;
	(void)key;
	(void)first;
	return 0;
}

/** engine_hooks.random: each run is the same. */
static inline uint32_t idle_random(void *ctx)
{
	(void)ctx;
	return 4;
}

#endif
