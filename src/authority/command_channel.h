/* command_channel - commands at the local socket; for authority/ only. */
#ifndef AUTHORITY_COMMAND_CHANNEL_H
#define AUTHORITY_COMMAND_CHANNEL_H

struct authority;

/* All, without a word. */
void command_channel_close_all(struct authority *authority);

#endif
