/*
 * figures - what the scoreboard says, for "status": now, and how much of it is of the last minutes.
 *
 * A sum is kept every half minute, ten of them; the board itself keeps none of the past. What workers wrote is
 * believed for figures alone.
 */
#ifndef AUTHORITY_FIGURES_H
#define AUTHORITY_FIGURES_H

#include <jansson.h>
#include <stdint.h>

struct figures;
struct scoreboard;

/* `board` is borrowed. NULL: no memory, and no figures. */
struct figures *figures_new(const struct scoreboard *board);
void figures_free(struct figures *figures); /* NULL is fine */
/* Once a second or so. `mono` in microseconds. */
void figures_beat(struct figures *figures, int64_t mono);
/* Adds "figures", "site_figures", "log", "house" to an answer; nothing for NULL. */
void figures_describe(struct figures *figures, int64_t mono, json_t *into);

#endif
