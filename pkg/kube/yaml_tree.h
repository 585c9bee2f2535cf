/* yaml_tree: one small YAML document as a tree to look things up in.
 *
 * Model: a text is checked while it is only a stream of events (size, depth, no alias, one document) and then
 * loaded. A struct yaml_value names a node; the zero value is "absent", and looking something up in it yields
 * absent again, so that a chain of look-ups needs one check at the end. Null scalars count as absent.
 * Threads: none; a loaded tree may be read from any.   Ownership: texts are borrowed from the tree.
 * Limits: 1 MiB, depth 32, 100 000 nodes.   Errors: ERROR_INVALID (BadYAML) with the line. */
#ifndef TEE_KUBE_YAML_TREE_H
#define TEE_KUBE_YAML_TREE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct yaml_tree;
struct yaml_value {
    struct yaml_tree *tree;
    int node; /* 0 = absent */
};

MUST_CHECK int yaml_tree_load(const char *text, size_t len, struct yaml_tree **ret_tree, struct error *err);
struct yaml_tree *yaml_tree_free(struct yaml_tree *tree);
void yaml_tree_freep(struct yaml_tree **tree);
struct yaml_value yaml_get_root(struct yaml_tree *tree);
struct yaml_value yaml_get_member(struct yaml_value map, const char *key);
/* Of a sequence. */
size_t yaml_get_count(struct yaml_value sequence);
struct yaml_value yaml_get_item(struct yaml_value sequence, size_t index);
/* Of a map: the index-th key, in the order of the text, and its value; NULL past the last or if it is no
 * text. */
const char *yaml_get_key(struct yaml_value map, size_t index, struct yaml_value *ret_value);
bool yaml_is_present(struct yaml_value value);
bool yaml_is_sequence(struct yaml_value value);
bool yaml_is_map(struct yaml_value value);
/* NULL unless it is a scalar that holds no NUL. */
const char *yaml_get_text(struct yaml_value value);

#endif
