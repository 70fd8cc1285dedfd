/*
 * list - a ring of links that sit inside the things they link. The list's
 * head is a link too. A link in no list points at itself, so that removing
 * it twice is harmless. Each link says where it hangs: `owner: x.list`.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *previous, *next;
};

#define OWNER_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
/* `it` may be removed inside the body; its neighbours may not. */
#define LIST_EACH(it, list)                                                                        \
	for (struct link *it = (list)->next, *it##_next = it->next; it != (list);                  \
	     it = it##_next, it##_next = it->next)

static inline void list_init(struct link *link)
{
	link->previous = link->next = link;
}

static inline bool list_is_empty(const struct link *list)
{
	return list->next == list;
}

static inline void list_remove(struct link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

static inline void list_add_last(struct link *list, struct link *link)
{
	link->previous = list->previous;
	link->next = list;
	list->previous->next = link;
	list->previous = link;
}

static inline void list_add_first(struct link *list, struct link *link)
{
	list_add_last(list->next, link);
}

static inline struct link *list_first(const struct link *list)
{
	return list_is_empty(list) ? NULL : list->next;
}

#endif
