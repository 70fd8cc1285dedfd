#include "serve/gateway_figures.h"

#include "pki/certificate.h"
#include "serve/front.h"
#include "serve/settings.h"
#include "shm/scoreboard.h"

/* 0: it cannot be read. */
static int64_t end_of(const struct value_file *file)
{
	struct certificate *certificate = NULL;
	int64_t end;

	if (!file->path || certificate_parse_pem(file->bytes, &certificate, NULL) != OK)
		return 0;
	end = certificate_facts(certificate)->not_after;
	certificate_free(certificate);
	return end;
}

void figures_of_settings(const struct settings *settings, struct score_page *page)
{
	const struct door_options *door = settings_door(settings);
	size_t i;

	score_set(page, SCORE_CONFIG, settings_digest(settings));
	for (i = 0; i < door->site_count; i++) {
		const struct site_options *site = &door->sites[i];
		int64_t first = end_of(&site->certificate.first), second = end_of(&site->certificate.second);

		score_site_set(score_site_of(page, span_of(site->name)), SITE_CERTIFICATE_ENDS,
			       (uint64_t)(second && second < first ? second : first));
	}
}

void figures_of_front(const struct settings *settings, const struct front *front, struct score_page *page)
{
	const struct door_options *door = settings_door(settings);
	size_t i;

	for (i = 0; i < door->site_count; i++)
		score_site_set(score_site_of(page, span_of(door->sites[i].name)), SITE_UPSTREAMS_DOWN,
			       front_servers_down(front, i));
}
