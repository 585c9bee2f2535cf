/* tag_index: (key, value) -> the instances that carry the tag, in order of launch.
 *
 * Model: a map of lists; instances are added and removed one tag at a time. Threads: none. Ownership: borrows
 * the instances; they are removed before they go.   Limits: memory.   Errors: cannot fail. */
#ifndef TEE_TEST_SIM_TAG_INDEX_H
#define TEE_TEST_SIM_TAG_INDEX_H

#include "base/hmap.h"

struct sim_instance;

struct tag_index {
    struct hmap lists;
};

void tag_index_init(struct tag_index *index);
void tag_index_done(struct tag_index *index);
void tag_index_add(struct tag_index *index, const char *key, const char *value,
                   struct sim_instance *instance);
void tag_index_remove(struct tag_index *index, const char *key, const char *value,
                      const struct sim_instance *instance);
/* The list is borrowed until the next change. */
size_t tag_index_find(const struct tag_index *index, const char *key, const char *value,
                      struct sim_instance *const **ret_list);

#endif
