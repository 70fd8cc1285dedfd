/* gateway_channel - the authority's side of the channels to gateways: who is there, and who has the roster. */
#ifndef AUTHORITY_GATEWAY_CHANNEL_H
#define AUTHORITY_GATEWAY_CHANNEL_H

struct authority;
struct gateway;

/* The present roster to every gateway. */
void gateway_channel_hand_over(struct authority *authority);
/* Does not do what it must: its process has to end. */
void gateway_channel_kill(struct gateway *gateway, const char *why);
/* All, without a word. */
void gateway_channel_close_all(struct authority *authority);

#endif
