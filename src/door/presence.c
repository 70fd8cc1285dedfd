#include "door/presence.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"
#include "event/loop.h"

enum { BUCKETS = 4096, JOBS_MOST = 4096 };

/* Closing one device's connections, as long as there are any. */
struct closing {
	struct link in_jobs; /* owner: presence.closings, oldest first */
	uint8_t device[16], fingerprint[32];
	bool has_fingerprint;
	enum refusal why;
	presence_done *done;
	void *arg;
	size_t count;
};

struct presence {
	struct loop *loop;
	struct source source; /* no descriptor: only for its rounds */
	presence_end *end;
	void *arg;
	uint8_t key[16];
	size_t count, job_count;
	struct link all;
	struct link closings;
	/* The walk: what is left of it. A mark that enters later was judged when it entered. */
	struct link left;
	bool is_walking;
	presence_visit *visit;
	void *visit_arg;
	struct link buckets[BUCKETS];
};

static void on_round(struct source *source);

enum status presence_new(struct loop *loop, presence_end *end, void *arg, struct presence **out,
			 struct error *err)
{
	struct presence *presence = calloc(1, sizeof *presence);
	size_t i;

	if (!presence)
		return error_fail(err, "no memory for presence");
	presence->loop = loop;
	presence->end = end;
	presence->arg = arg;
	presence->source = (struct source){.fd = -1, .on_ready = on_round};
	list_init(&presence->source.again);
	random_bytes(presence->key, sizeof presence->key);
	list_init(&presence->all);
	list_init(&presence->left);
	list_init(&presence->closings);
	for (i = 0; i < BUCKETS; i++)
		list_init(&presence->buckets[i]);
	*out = presence;
	return OK;
}

static void drop_job(struct presence *presence, struct closing *job)
{
	list_remove(&job->in_jobs);
	presence->job_count--;
	free(job);
}

void presence_free(struct presence *presence)
{
	if (!presence)
		return;
	list_remove(&presence->source.again);
	while (!list_is_empty(&presence->closings))
		drop_job(presence,
			 OWNER_OF(list_first(&presence->closings), struct closing, in_jobs));
	free(presence);
}

static struct link *bucket_of(const struct presence *presence, const uint8_t *device)
{
	uint64_t hash = siphash(presence->key, device, 16);

	return (struct link *)&presence->buckets[hash % BUCKETS];
}

void presence_enter(struct presence *presence, struct presence_mark *mark, const uint8_t *device,
		    const uint8_t *fingerprint)
{
	*mark = (struct presence_mark){.has_device = device != NULL, .is_here = true};
	list_init(&mark->by_device);
	if (device) {
		memcpy(mark->device, device, sizeof mark->device);
		list_add_last(bucket_of(presence, device), &mark->by_device);
	}
	if (fingerprint)
		memcpy(mark->fingerprint, fingerprint, sizeof mark->fingerprint);
	list_add_last(&presence->all, &mark->in_all);
	presence->count++;
}

void presence_leave(struct presence *presence, struct presence_mark *mark)
{
	if (!mark->is_here)
		return;
	mark->is_here = false;
	list_remove(&mark->by_device);
	list_remove(&mark->in_all);
	presence->count--;
}

static bool is_meant(const struct closing *job, const struct presence_mark *mark)
{
	return !mark->is_ended && memcmp(mark->device, job->device, sizeof job->device) == 0 &&
	       (!job->has_fingerprint ||
		memcmp(mark->fingerprint, job->fingerprint, sizeof job->fingerprint) == 0);
}

/* True: the job is done. */
static bool close_some(struct presence *presence, struct closing *job, unsigned *allowance)
{
	struct link *bucket = bucket_of(presence, job->device);

	LIST_EACH (it, bucket) {
		struct presence_mark *mark = OWNER_OF(it, struct presence_mark, by_device);

		if (!is_meant(job, mark))
			continue;
		if (*allowance == 0)
			return false;
		--*allowance;
		mark->is_ended = true;
		job->count += presence->end(presence->arg, mark, job->why);
	}
	return true;
}

static void run_closings(struct presence *presence, unsigned *allowance)
{
	while (*allowance > 0 && !list_is_empty(&presence->closings)) {
		struct closing *job =
			OWNER_OF(list_first(&presence->closings), struct closing, in_jobs);
		presence_done *done = job->done;
		void *arg = job->arg;
		size_t count;

		if (!close_some(presence, job, allowance))
			return;
		count = job->count;
		drop_job(presence, job);
		if (done)
			done(arg, count);
	}
}

/* All links from `from` go behind those of `to`. */
static void move_all(struct link *from, struct link *to)
{
	if (list_is_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	list_init(from);
}

static void run_walk(struct presence *presence, unsigned *allowance)
{
	while (*allowance > 0 && !list_is_empty(&presence->left)) {
		struct presence_mark *mark =
			OWNER_OF(list_first(&presence->left), struct presence_mark, in_all);

		list_remove(&mark->in_all);
		list_add_last(&presence->all, &mark->in_all);
		--*allowance;
		presence->visit(presence->visit_arg, mark);
	}
	presence->is_walking = !list_is_empty(&presence->left);
}

static void on_round(struct source *source)
{
	struct presence *presence = OWNER_OF(source, struct presence, source);
	unsigned allowance = PRESENCE_A_TURN;

	/* Revocations first. */
	run_closings(presence, &allowance);
	if (presence->is_walking && allowance > 0)
		run_walk(presence, &allowance);
	if (!list_is_empty(&presence->closings) || presence->is_walking)
		loop_again(presence->loop, &presence->source);
}

enum status presence_close(struct presence *presence, const uint8_t device[static 16],
			   const uint8_t *fingerprint, enum refusal why, presence_done *done,
			   void *arg, struct error *err)
{
	struct closing *job;

	if (presence->job_count == JOBS_MOST)
		return error_fail(err, "%d closings are under way", JOBS_MOST);
	job = calloc(1, sizeof *job);
	if (!job)
		return error_fail(err, "no memory for closing a device's connections");
	*job = (struct closing){
		.has_fingerprint = fingerprint != NULL, .why = why, .done = done, .arg = arg};
	memcpy(job->device, device, sizeof job->device);
	if (fingerprint)
		memcpy(job->fingerprint, fingerprint, sizeof job->fingerprint);
	list_add_last(&presence->closings, &job->in_jobs);
	presence->job_count++;
	loop_again(presence->loop, &presence->source);
	return OK;
}

void presence_each(struct presence *presence, presence_visit *visit, void *arg)
{
	move_all(&presence->all, &presence->left);
	presence->is_walking = true;
	presence->visit = visit;
	presence->visit_arg = arg;
	loop_again(presence->loop, &presence->source);
}

size_t presence_count(const struct presence *presence)
{
	return presence->count;
}

size_t presence_count_device(const struct presence *presence, const uint8_t device[static 16])
{
	size_t count = 0;

	LIST_EACH (it, bucket_of(presence, device)) {
		const struct presence_mark *mark = OWNER_OF(it, struct presence_mark, by_device);

		count += !mark->is_ended && memcmp(mark->device, device, sizeof mark->device) == 0;
	}
	return count;
}

/* Of the marks before it in its bucket, which are of few devices. */
static bool is_first_of_device(const struct link *bucket, const struct presence_mark *mark)
{
	LIST_EACH (it, bucket) {
		const struct presence_mark *other = OWNER_OF(it, struct presence_mark, by_device);

		if (memcmp(other->device, mark->device, sizeof mark->device) == 0)
			return other == mark;
	}
	return true;
}

void presence_each_known(const struct presence *presence, presence_look *look, void *arg)
{
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		LIST_EACH (it, &presence->buckets[i]) {
			const struct presence_mark *mark = OWNER_OF(it, struct presence_mark, by_device);

			look(arg, mark, is_first_of_device(&presence->buckets[i], mark));
		}
	}
}
