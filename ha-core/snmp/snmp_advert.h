/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * Rows of maAdvConfigTable: the home links where agent advertisements are sent.
 */
#ifndef HA_CORE_SNMP_SNMP_ADVERT_H
#define HA_CORE_SNMP_SNMP_ADVERT_H

#include "ha-core/ha_conf.h"
#include "ha-core/snmp/snmp_source.h"

/** Makes the source's rows anew. @retval -errno  it has none then */
int snmp_advert_set(struct snmp_source *src, const struct ha_conf *conf);

#endif
