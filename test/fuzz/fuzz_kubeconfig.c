/* The YAML of a kubeconfig: any text is refused or can be looked through. */
#include "kube/yaml_tree.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const lists[] = {"contexts", "clusters", "users"};
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = NULL;
    struct error err;
    if (yaml_tree_load((const char *)data, size, &tree, &err) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct yaml_value list = yaml_get_member(yaml_get_root(tree), lists[i]);
        for (size_t k = 0; k < yaml_get_count(list); k++)
            (void)yaml_get_text(yaml_get_member(yaml_get_item(list, k), "name"));
    }
    return 0;
}
