#include "door/der_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct kept_der {
	struct link in_bucket; /* owner: der_cache.buckets */
	struct link by_use;    /* owner: der_cache.by_use, last used first */
	uint8_t fingerprint[32];
	size_t size;
	char bytes[];
};

struct der_cache {
	size_t ceiling, count, bucket_count;
	struct link by_use;
	struct link buckets[];
};

enum status der_cache_new(size_t ceiling, struct der_cache **out, struct error *err)
{
	struct der_cache *cache;
	size_t i;

	cache = calloc(1, sizeof *cache + ceiling * sizeof cache->buckets[0]);
	if (!cache)
		return error_fail(err, "no memory for a cache of certificates");
	cache->ceiling = cache->bucket_count = ceiling;
	list_init(&cache->by_use);
	for (i = 0; i < ceiling; i++)
		list_init(&cache->buckets[i]);
	*out = cache;
	return OK;
}

static void drop(struct der_cache *cache, struct kept_der *kept)
{
	list_remove(&kept->in_bucket);
	list_remove(&kept->by_use);
	cache->count--;
	free(kept);
}

void der_cache_free(struct der_cache *cache)
{
	if (!cache)
		return;
	while (!list_is_empty(&cache->by_use))
		drop(cache, OWNER_OF(list_first(&cache->by_use), struct kept_der, by_use));
	free(cache);
}

/* Only fingerprints of recognised certificates come here, so nobody outside chooses the bucket. */
static struct link *bucket_of(struct der_cache *cache, const uint8_t *fingerprint)
{
	uint64_t hash;

	memcpy(&hash, fingerprint, sizeof hash);
	return &cache->buckets[hash % cache->bucket_count];
}

static struct kept_der *find(struct der_cache *cache, const uint8_t *fingerprint)
{
	LIST_EACH (it, bucket_of(cache, fingerprint)) {
		struct kept_der *kept = OWNER_OF(it, struct kept_der, in_bucket);

		if (memcmp(kept->fingerprint, fingerprint, sizeof kept->fingerprint) == 0)
			return kept;
	}
	return NULL;
}

void der_cache_add(struct der_cache *cache, const uint8_t fingerprint[static 32], struct span der)
{
	struct kept_der *kept;

	if (der.size == 0 || der.size > DER_CACHE_BYTES ||
	    der_cache_find(cache, fingerprint).size > 0)
		return;
	kept = malloc(sizeof *kept + der.size);
	if (!kept)
		return;
	if (cache->count == cache->ceiling)
		drop(cache, OWNER_OF(cache->by_use.previous, struct kept_der, by_use));
	memcpy(kept->fingerprint, fingerprint, sizeof kept->fingerprint);
	memcpy(kept->bytes, der.at, der.size);
	kept->size = der.size;
	list_add_first(bucket_of(cache, fingerprint), &kept->in_bucket);
	list_add_first(&cache->by_use, &kept->by_use);
	cache->count++;
}

struct span der_cache_find(struct der_cache *cache, const uint8_t fingerprint[static 32])
{
	struct kept_der *kept = find(cache, fingerprint);

	if (!kept)
		return (struct span){"", 0};
	list_remove(&kept->by_use);
	list_add_first(&cache->by_use, &kept->by_use);
	return span_make(kept->bytes, kept->size);
}

size_t der_cache_count(const struct der_cache *cache)
{
	return cache->count;
}
