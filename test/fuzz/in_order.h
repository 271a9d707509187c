/* SPDX-License-Identifier: BSD-2-Clause */
/** Is an engine in order? For fuzz targets. */
#ifndef TEST_FUZZ_IN_ORDER_H
#define TEST_FUZZ_IN_ORDER_H

#include "test/fuzz/fuzz.h"
#include "test/scenario/world.h"

/** The binding cache, the data path, the routes and the counters agree with each other. */
void in_order(const struct world *w);

#endif
