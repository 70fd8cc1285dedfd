/*
 * fault - makes the n-th write, fsync or allocation fail, for tests. Compiled
 * in only with -DWITH_FAULTS (the asan build); elsewhere FAULT is false and
 * costs nothing.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#ifdef WITH_FAULTS
#define FAULT(point) fault_hits(point)
/* Counts one pass through `point`; true when it is the one to fail. */
bool fault_hits(const char *point);
/* The n-th pass from now fails, once; n = 0: none. The environment's CHATELAINE_FAULT="fsync:3"
 * does the same in a process of its own. */
void fault_arm(const char *point, unsigned n);
#else
#define FAULT(point) false
#endif

#endif
