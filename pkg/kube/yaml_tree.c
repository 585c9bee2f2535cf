/* libyaml twice: as events, where a hostile text is cheap to refuse, and then as its document tree. */
#include "kube/yaml_tree.h"

#include "base/mem.h"

#include <string.h>
#include <yaml.h>

enum { MAX_BYTES = 1024 * 1024, MAX_DEPTH = 32, MAX_NODES = 100000 };

struct yaml_tree {
    yaml_document_t document;
};

struct survey {
    int depth;
    int nodes;
    int documents;
};

static const char *judge(struct survey *survey, yaml_event_type_t type)
{
    switch (type) {
    case YAML_ALIAS_EVENT: return "aliases are not accepted";
    case YAML_DOCUMENT_START_EVENT: return ++survey->documents > 1 ? "more than one document" : NULL;
    case YAML_SCALAR_EVENT: return ++survey->nodes > MAX_NODES ? "too many nodes" : NULL;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (++survey->nodes > MAX_NODES)
            return "too many nodes";
        return ++survey->depth > MAX_DEPTH ? "nested too deeply" : NULL;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: survey->depth--; return NULL;
    default: return NULL;
    }
}

static int fail(const yaml_parser_t *parser, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadYAML", "line %zu: %s", parser->problem_mark.line + 1,
                     what ? what : "not YAML");
}

static int survey_events(yaml_parser_t *parser, struct error *err)
{
    struct survey survey = {0};
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return fail(parser, parser->problem, err);
        yaml_event_type_t type = event.type;
        size_t line = event.start_mark.line + 1;
        yaml_event_delete(&event);
        const char *problem = judge(&survey, type);
        if (problem)
            return error_set(err, ERROR_INVALID, "BadYAML", "line %zu: %s", line, problem);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
    }
}

int yaml_tree_load(const char *text, size_t len, struct yaml_tree **ret_tree, struct error *err)
{
    if (len > MAX_BYTES)
        return error_set(err, ERROR_INVALID, "BadYAML", "larger than %d bytes", MAX_BYTES);
    CLEANUP(yaml_parser_delete) yaml_parser_t first;
    yaml_parser_initialize(&first);
    yaml_parser_set_input_string(&first, (const unsigned char *)text, len);
    if (survey_events(&first, err) < 0)
        return -1;
    CLEANUP(yaml_parser_delete) yaml_parser_t second;
    yaml_parser_initialize(&second);
    yaml_parser_set_input_string(&second, (const unsigned char *)text, len);
    CLEANUP(freep) struct yaml_tree *tree = mem_calloc(1, sizeof(*tree));
    if (!yaml_parser_load(&second, &tree->document))
        return fail(&second, second.problem, err);
    *ret_tree = STEAL(tree);
    return 0;
}

struct yaml_tree *yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return NULL;
    yaml_document_delete(&tree->document);
    free(tree);
    return NULL;
}

void yaml_tree_freep(struct yaml_tree **tree)
{
    *tree = yaml_tree_free(*tree);
}

static yaml_node_t *get_node(struct yaml_value value)
{
    return value.node > 0 ? yaml_document_get_node(&value.tree->document, value.node) : NULL;
}

static bool is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    const char *text = (const char *)node->data.scalar.value;
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* The value with this node number, absent if it is null. */
static struct yaml_value make(struct yaml_tree *tree, int number)
{
    struct yaml_value value = {.tree = tree, .node = number};
    yaml_node_t *node = get_node(value);
    return node && !is_null(node) ? value : (struct yaml_value){0};
}

struct yaml_value yaml_get_root(struct yaml_tree *tree)
{
    return make(tree, 1);
}

struct yaml_value yaml_get_member(struct yaml_value map, const char *key)
{
    yaml_node_t *node = get_node(map);
    if (!node || node->type != YAML_MAPPING_NODE)
        return (struct yaml_value){0};
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const char *name = yaml_get_text((struct yaml_value){.tree = map.tree, .node = pair->key});
        if (name && strcmp(name, key) == 0)
            return make(map.tree, pair->value);
    }
    return (struct yaml_value){0};
}

size_t yaml_get_count(struct yaml_value sequence)
{
    yaml_node_t *node = get_node(sequence);
    if (!node || node->type != YAML_SEQUENCE_NODE)
        return 0;
    return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

struct yaml_value yaml_get_item(struct yaml_value sequence, size_t index)
{
    if (index >= yaml_get_count(sequence))
        return (struct yaml_value){0};
    return make(sequence.tree, get_node(sequence)->data.sequence.items.start[index]);
}

const char *yaml_get_key(struct yaml_value map, size_t index, struct yaml_value *ret_value)
{
    yaml_node_t *node = get_node(map);
    if (!node || node->type != YAML_MAPPING_NODE)
        return NULL;
    if (index >= (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start))
        return NULL;
    const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[index];
    *ret_value = make(map.tree, pair->value);
    return yaml_get_text((struct yaml_value){.tree = map.tree, .node = pair->key});
}

bool yaml_is_present(struct yaml_value value)
{
    return value.node > 0;
}

bool yaml_is_sequence(struct yaml_value value)
{
    yaml_node_t *node = get_node(value);
    return node && node->type == YAML_SEQUENCE_NODE;
}

bool yaml_is_map(struct yaml_value value)
{
    yaml_node_t *node = get_node(value);
    return node && node->type == YAML_MAPPING_NODE;
}

const char *yaml_get_text(struct yaml_value value)
{
    yaml_node_t *node = get_node(value);
    if (!node || node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}
