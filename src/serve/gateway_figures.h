/* gateway_figures - what a gateway tells the scoreboard of its configuration and its upstreams, for metrics and status. */
#ifndef SERVE_GATEWAY_FIGURES_H
#define SERVE_GATEWAY_FIGURES_H

struct front;
struct score_page;
struct settings;

/* After each change: the digest, and when each site's own certificate ends. */
void figures_of_settings(const struct settings *settings, struct score_page *page);
/* Now and then: which servers do not answer. */
void figures_of_front(const struct settings *settings, const struct front *front, struct score_page *page);

#endif
