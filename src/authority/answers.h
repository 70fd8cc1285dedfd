/* answers - the functions of the table in answer.c, by subject; for authority/ only. */
#ifndef AUTHORITY_ANSWERS_H
#define AUTHORITY_ANSWERS_H

#include <jansson.h>

#include "bridge/question.h"

struct authority;

/* Each has a row's shape: house is the authority; answers once, now or later. */
typedef void answer_function(void *house, struct answer *answer, const json_t *words, int fd);

answer_function answer_hello;
answer_function answer_person_add, answer_person_list, answer_person_show, answer_person_remove;
answer_function answer_device_add, answer_device_list, answer_device_show, answer_device_revoke;
answer_function answer_ca_cert, answer_status, answer_present, answer_reload, answer_upgrade;
answer_function answer_roster, answer_seen, answer_watched;
answer_function answer_watch, answer_watch_reset, answer_attendance;

/* The table of this authority; its house is filled in by authority_open. */
struct question_table answer_table(struct authority *authority);

#endif
