#include "shm/session_store.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"
#include "shm/memory.h"

enum { WAYS = 8, WORDS = 37, SETS_LEAST = 16, SETS_MOST = 1 << 20 };

/* What the words of a record say. */
struct payload {
	uint32_t expiry, site, epoch;
	uint16_t cipher, group;
	uint8_t id[32], secret_length, secret[48], fingerprint[32], unused[3];
	uint32_t age_add, full_at;
	uint32_t check[2];
};
_Static_assert(sizeof(struct payload) == WORDS * 4, "the payload fills the words");

/*
 * version: counter:16 | tenths of a second (mono):15 | being written:1. The
 * stamp tells a writer that died (odd for over a second: free for the taking)
 * from one at work; the counter keeps two writes within a tenth apart.
 */
struct session_record {
	_Atomic uint32_t version;
	_Atomic uint32_t words[WORDS]; /* atomic one by one: a torn record is a miss, not a data race */
};
_Static_assert(sizeof(struct session_record) == 152, "the size that was budgeted");

struct store_head {
	char magic[8];
	uint32_t sets, unused;
	uint8_t key[16]; /* the boot key; guards against torn records, not against gateways */
};
static const char magic[8] = "CHTSESS1";
enum { RECORDS_AT = 64 };
_Static_assert(sizeof(struct store_head) <= RECORDS_AT, "the head has its own cache line");

struct session_store {
	struct memory memory;
	struct session_record *records;
	uint32_t sets; /* a power of two */
	uint32_t swept; /* the next set to sweep */
	uint8_t key[16];
};

static size_t store_size(uint32_t sets)
{
	return RECORDS_AT + (size_t)sets * WAYS * sizeof(struct session_record);
}

static void settle_in(struct session_store *store, const struct store_head *head)
{
	store->records = (void *)((char *)store->memory.at + RECORDS_AT);
	store->sets = head->sets;
	memcpy(store->key, head->key, sizeof store->key);
	memory_hide(&store->memory);
}

enum status session_store_new(uint32_t expected, struct session_store **out, struct error *err)
{
	struct session_store *store = calloc(1, sizeof *store);
	struct store_head head = {.sets = SETS_LEAST};
	enum status status;

	if (!store)
		return error_fail(err, "no memory for a session store");
	memcpy(head.magic, magic, sizeof magic);
	while (head.sets < SETS_MOST && (uint64_t)head.sets * WAYS < expected)
		head.sets *= 2;
	random_bytes(head.key, sizeof head.key);
	status = memory_make(&store->memory, "session store", store_size(head.sets),
			     MEMORY_MANY_WRITERS, err);
	if (status != OK) {
		free(store);
		return status;
	}
	memcpy(store->memory.at, &head, sizeof head);
	settle_in(store, &head);
	*out = store;
	return OK;
}

int session_store_fd(const struct session_store *store)
{
	return store->memory.fd;
}

enum status session_store_open(int fd, struct session_store **out, struct error *err)
{
	struct session_store *store = calloc(1, sizeof *store);
	struct store_head head;
	enum status status;

	if (!store)
		return error_fail(err, "no memory for a session store");
	status = memory_map(&store->memory, fd, store_size(SETS_LEAST), store_size(SETS_MOST),
			    MEMORY_MANY_WRITERS, err);
	if (status != OK)
		goto done;
	memcpy(&head, store->memory.at, sizeof head);
	if (memcmp(head.magic, magic, sizeof magic) != 0 || head.sets == 0 || head.sets > SETS_MOST ||
	    (head.sets & (head.sets - 1)) || store_size(head.sets) != store->memory.size) {
		status = error_refuse(err, "its head is damaged");
		goto done;
	}
	settle_in(store, &head);
	*out = store;
	return OK;
done:
	error_context(err, "session store");
	session_store_free(store);
	return status;
}

void session_store_keep_fd(struct session_store *store, int fd)
{
	store->memory.fd = fd;
}

void session_store_free(struct session_store *store)
{
	if (!store)
		return;
	memory_release(&store->memory);
	free(store);
}

unsigned session_store_sets(const struct session_store *store)
{
	return store->sets;
}

static struct session_record *set_of(const struct session_store *store, const uint8_t id[32])
{
	uint64_t hash = siphash(store->key, id, 32);

	return store->records + (hash & (store->sets - 1)) * WAYS;
}

static uint64_t check_of(const struct session_store *store, const struct payload *payload)
{
	return siphash(store->key, payload, offsetof(struct payload, check));
}

static uint32_t tenths(const struct clock_time *now)
{
	return (uint32_t)(now->mono / 100000) & 0x7fff;
}

/* The record is mine, or is not: someone else is at work on it. *mine is what release needs. */
static bool acquire(struct session_record *record, const struct clock_time *now, uint32_t *mine)
{
	uint32_t version = atomic_load_explicit(&record->version, memory_order_relaxed);
	uint32_t age = (tenths(now) - (version >> 1)) & 0x7fff;

	/* The other's turn may have begun a little after ours: five seconds ahead is no age. */
	if ((version & 1) && (age <= 10 || age > 0x7fff - 50))
		return false;
	*mine = ((version & 0xffff0000) + 0x10000) | tenths(now) << 1 | 1;
	if (!atomic_compare_exchange_strong_explicit(&record->version, &version, *mine,
						     memory_order_acquire, memory_order_relaxed))
		return false;
	/* The words are stored after the odd version is seen. */
	atomic_thread_fence(memory_order_release);
	return true;
}

/* When it took over a second and another has taken the record meanwhile, it stays the other's; the
 * check then says what the mixture is worth. */
static void release(struct session_record *record, uint32_t mine)
{
	uint32_t expected = mine;

	(void)atomic_compare_exchange_strong_explicit(&record->version, &expected, mine & ~1u,
						      memory_order_release, memory_order_relaxed);
}

static void store_words(struct session_record *record, const struct payload *payload)
{
	const char *from = (const char *)payload;
	int i;

	for (i = 0; i < WORDS; i++) {
		uint32_t word;

		memcpy(&word, from + 4 * i, 4);
		atomic_store_explicit(&record->words[i], word, memory_order_relaxed);
	}
}

/* False: it changed under the copying, or is being written. */
static bool load_words(struct session_record *record, struct payload *payload, uint32_t *version)
{
	char *into = (char *)payload;
	int i;

	*version = atomic_load_explicit(&record->version, memory_order_acquire);
	if (*version & 1)
		return false;
	for (i = 0; i < WORDS; i++) {
		uint32_t word = atomic_load_explicit(&record->words[i], memory_order_relaxed);

		memcpy(into + 4 * i, &word, 4);
	}
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&record->version, memory_order_relaxed) == *version;
}

static void wipe(struct session_record *record, const struct clock_time *now)
{
	static const struct payload nothing;
	uint32_t mine;

	if (!acquire(record, now, &mine))
		return;
	store_words(record, &nothing);
	release(record, mine);
}

static uint32_t expiry_of(const struct session_record *record)
{
	return atomic_load_explicit(&record->words[0], memory_order_relaxed);
}

static bool has_id(const struct session_record *record, const uint8_t id[32])
{
	int i;

	for (i = 0; i < 8; i++) {
		uint32_t word = atomic_load_explicit(
			&record->words[offsetof(struct payload, id) / 4 + (size_t)i],
			memory_order_relaxed);

		if (memcmp(&word, id + 4 * i, 4) != 0)
			return false;
	}
	return true;
}
_Static_assert(offsetof(struct payload, expiry) == 0, "expiry_of reads the first word");
_Static_assert(offsetof(struct payload, id) % 4 == 0, "has_id reads whole words");

/* The same id again, else the one that expires first: all live equally long, so that is the oldest;
 * an empty one expired in 1970. */
static struct session_record *victim(struct session_record *set, const uint8_t id[32])
{
	struct session_record *oldest = set;
	int i;

	for (i = 0; i < WAYS; i++) {
		if (has_id(&set[i], id))
			return &set[i];
		if (expiry_of(&set[i]) < expiry_of(oldest))
			oldest = &set[i];
	}
	return oldest;
}

bool session_store_put(struct session_store *store, const struct session *session,
		       const struct clock_time *now)
{
	struct session_record *record = victim(set_of(store, session->id), session->id);
	struct payload payload = {.expiry = session->expiry,
				  .site = session->site,
				  .epoch = session->epoch,
				  .cipher = session->cipher,
				  .group = session->group,
				  .secret_length = session->secret_length,
				  .age_add = session->age_add,
				  .full_at = session->full_at};
	uint64_t check;
	uint32_t mine;

	if (session->expiry <= now->wall / 1000000 || session->secret_length == 0 ||
	    session->secret_length > sizeof payload.secret)
		return false;
	memcpy(payload.id, session->id, sizeof payload.id);
	memcpy(payload.secret, session->secret, session->secret_length);
	memcpy(payload.fingerprint, session->fingerprint, sizeof payload.fingerprint);
	check = check_of(store, &payload);
	memcpy(payload.check, &check, sizeof check);
	if (acquire(record, now, &mine)) {
		store_words(record, &payload);
		release(record, mine);
	} else {
		mine = 0;
	}
	explicit_bzero(&payload, sizeof payload);
	return mine != 0;
}

static bool is_whole(const struct session_store *store, const struct payload *payload)
{
	uint64_t check = check_of(store, payload);

	return memcmp(&check, payload->check, sizeof check) == 0 &&
	       payload->secret_length <= sizeof payload->secret;
}

static void fill(struct session *out, const struct payload *payload)
{
	*out = (struct session){.secret_length = payload->secret_length,
				.cipher = payload->cipher,
				.group = payload->group,
				.site = payload->site,
				.epoch = payload->epoch,
				.age_add = payload->age_add,
				.full_at = payload->full_at,
				.expiry = payload->expiry};
	memcpy(out->id, payload->id, sizeof out->id);
	memcpy(out->secret, payload->secret, sizeof out->secret);
	memcpy(out->fingerprint, payload->fingerprint, sizeof out->fingerprint);
}

bool session_store_find(struct session_store *store, const uint8_t id[static 32],
			const struct clock_time *now, struct session *out)
{
	struct session_record *set = set_of(store, id);
	struct payload payload;
	bool found = false;
	int i;

	for (i = 0; i < WAYS && !found; i++) {
		uint32_t version;

		if (!has_id(&set[i], id) || !load_words(&set[i], &payload, &version) ||
		    memcmp(payload.id, id, sizeof payload.id) != 0 || !is_whole(store, &payload))
			continue;
		if (payload.expiry <= now->wall / 1000000) {
			wipe(&set[i], now);
			continue;
		}
		fill(out, &payload);
		found = true;
	}
	explicit_bzero(&payload, sizeof payload);
	return found;
}

void session_store_remove(struct session_store *store, const uint8_t id[static 32],
			  const struct clock_time *now)
{
	struct session_record *set = set_of(store, id);
	int i;

	for (i = 0; i < WAYS; i++)
		if (has_id(&set[i], id))
			wipe(&set[i], now);
}

void session_store_sweep(struct session_store *store, unsigned sets, const struct clock_time *now)
{
	if (sets > store->sets)
		sets = store->sets;
	while (sets--) {
		struct session_record *set = store->records + (size_t)store->swept * WAYS;
		int i;

		for (i = 0; i < WAYS; i++) {
			uint32_t expiry = expiry_of(&set[i]);

			if (expiry && expiry <= now->wall / 1000000)
				wipe(&set[i], now);
		}
		store->swept = (store->swept + 1) & (store->sets - 1);
	}
}
