#include "serve/balancers.h"

#include <stdlib.h>

#include "base/network.h"

struct balancers {
	size_t count;
	struct network networks[];
};

static enum status parse(const struct value_context *context, struct span text, void *into, struct error *err)
{
	struct network network;
	enum status status = network_parse(text, &network, err);

	return status == OK ? value_texts.parse(context, text, into, err) : status;
}

static void release(void *into)
{
	if (value_texts.release)
		value_texts.release(into);
}

const struct value_kind balancer_kind = {"network", NULL, parse, release};

enum status balancers_new(const struct value_texts *texts, struct balancers **out, struct error *err)
{
	struct balancers *balancers = calloc(1, sizeof *balancers + texts->count * sizeof balancers->networks[0]);
	enum status status = OK;
	size_t i;

	if (!balancers)
		return error_fail(err, "no memory for the balancers");
	for (i = 0; i < texts->count; i++)
		TRY(network_parse(span_of(texts->at[i]), &balancers->networks[i], err));
	balancers->count = texts->count;
	*out = balancers;
	balancers = NULL;
done:
	free(balancers);
	return status;
}

void balancers_free(struct balancers *balancers)
{
	free(balancers);
}

bool balancers_have(const struct balancers *balancers, const struct address *peer)
{
	size_t i;

	for (i = 0; i < balancers->count; i++)
		if (network_has(&balancers->networks[i], peer))
			return true;
	return false;
}
