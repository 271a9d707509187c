/* SPDX-License-Identifier: BSD-2-Clause */
/** What a configuration means to the engine: its settings, and whom it knows. */
#ifndef HA_CORE_HA_ENGINE_H
#define HA_CORE_HA_ENGINE_H

#include "ha-core/engine/engine.h"
#include "ha-core/ha_conf.h"
#include "ha-core/ha_networks.h"

/** @param networks  in force, which need not be the configuration's; the result borrows them */
struct engine_conf ha_engine_conf(const struct ha_conf *conf, const struct ha_networks *networks);

/**
 * Every mobile node and foreign agent, with keys, services and networks. A fault is logged with
 * whom it is about; what was added before stays.
 * @return 0, or the fault of the engine_add_...() that refused it
 */
int ha_engine_associate(struct engine *e, const struct ha_conf *conf);

#endif
