#include "shm/score_sum.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void add_words(uint64_t *into, const _Atomic uint64_t *words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		into[i] += score_read(&words[i]);
}

/* The count is that of the buckets as they were read, so that a histogram always adds up. */
static void add_times(struct times_sum *into, const struct score_times *times)
{
	unsigned i;

	for (i = 0; i < SCORE_BUCKETS; i++) {
		uint64_t count = score_read(&times->buckets[i]);

		into->buckets[i] += count;
		into->count += count;
	}
	into->sum += score_read(&times->sum);
}

static uint64_t together(enum site_score which, uint64_t before, uint64_t now)
{
	switch (which) {
	case SITE_CERTIFICATE_ENDS:
		return before == 0 || (now > 0 && now < before) ? now : before;
	case SITE_UPSTREAMS_DOWN:
		return now > before ? now : before;
	default:
		return before + now;
	}
}

static void add_site(struct site_sum *into, const struct score_site *site)
{
	int i;

	for (i = 0; i < SITE_COUNT; i++)
		into->scores[i] = together((enum site_score)i, into->scores[i], score_read(&site->scores[i]));
	add_words(into->statuses, site->statuses, SCORE_STATUSES);
	for (i = 0; i < SITE_TIMES; i++)
		add_times(&into->times[i], &site->times[i]);
}

static struct site_sum *find(struct score_sum *sum, struct span name)
{
	struct site_sum *grown;
	size_t i;

	for (i = 0; i < sum->site_count; i++)
		if (span_is(name, sum->sites[i].name))
			return &sum->sites[i];
	if (sum->site_count == SITE_SUMS_MOST)
		return &sum->sites[SITE_SUMS_MOST - 1];
	grown = realloc(sum->sites, (sum->site_count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	sum->sites = grown;
	grown += sum->site_count++;
	memset(grown, 0, sizeof *grown);
	if (name.size)
		memcpy(grown->name, name.at, name.size); /* score_site_name leaves room for its end */
	return grown;
}

static bool add_page(struct score_sum *sum, const struct score_page *page)
{
	unsigned i;

	add_words(sum->scores, page->scores, SCORE_COUNT);
	add_words(sum->refusals, page->refusals, SCORE_REFUSALS);
	add_words(sum->statuses, page->statuses, SCORE_STATUSES);
	add_times(&sum->durations, &page->durations);
	sum->owners += score_read(&page->pid) != 0;
	for (i = 0; i < SCORE_SITES; i++) {
		const struct score_site *site = score_site_at(page, i);
		struct site_sum *into = site ? find(sum, score_site_name(site)) : NULL;

		if (into)
			add_site(into, site);
		else if (site)
			return false;
	}
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct site_sum *)a)->name, ((const struct site_sum *)b)->name);
}

enum status score_sum_make(const struct scoreboard *board, struct score_sum *out, struct error *err)
{
	unsigned slot;

	memset(out, 0, sizeof *out);
	for (slot = 0; slot < scoreboard_slots(board); slot++) {
		if (add_page(out, scoreboard_page(board, slot)))
			continue;
		score_sum_release(out);
		return error_fail(err, "no memory for the sites' figures");
	}
	if (out->site_count)
		qsort(out->sites, out->site_count, sizeof *out->sites, by_name);
	return OK;
}

void score_sum_release(struct score_sum *sum)
{
	free(sum->sites);
	memset(sum, 0, sizeof *sum);
}
