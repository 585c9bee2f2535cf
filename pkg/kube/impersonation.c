/* Lines are collected in a fixed list, which is then copied as long as it is. */
#include "kube/impersonation.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/url.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 64, MAX_KEY_BYTES = 1024 };

struct lines {
    char *items[MAX_LINES + 1];
    size_t count;
};

static int bad(struct error *err, const char *field, const char *what)
{
    return error_set(err, ERROR_INVALID, "BadImpersonation", "%s %s", field, what);
}

/* `name` and the text of `value`, as one line. */
static int add(struct lines *lines, const char *field, const char *name, struct yaml_value value,
               struct error *err)
{
    const char *text = yaml_get_text(value);
    if (!text || !*text)
        return bad(err, field, "must be text");
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return bad(err, field, "holds a control character");
    if (lines->count == MAX_LINES)
        return bad(err, field, "makes more than 64 headers");
    lines->items[lines->count++] = mem_printf("%s: %s", name, text);
    return 0;
}

static int add_each(struct lines *lines, const char *field, const char *name, struct yaml_value list,
                    struct error *err)
{
    if (yaml_is_present(list) && !yaml_is_sequence(list))
        return bad(err, field, "must be a list of texts");
    for (size_t i = 0; i < yaml_get_count(list); i++)
        if (add(lines, field, name, yaml_get_item(list, i), err) < 0)
            return -1;
    return 0;
}

static int add_extra(struct lines *lines, struct yaml_value extra, struct error *err)
{
    static const char field[] = "as-user-extra";
    struct yaml_value values = {0};
    const char *key = NULL;
    if (yaml_is_present(extra) && !yaml_is_map(extra))
        return bad(err, field, "must be a map of lists");
    for (size_t i = 0; (key = yaml_get_key(extra, i, &values)); i++) {
        CLEANUP(buf_done) struct buf name;
        buf_init(&name, MAX_KEY_BYTES);
        buf_puts(&name, "Impersonate-Extra-");
        url_put_encoded(&name, key);
        if (!*key || !buf_is_ok(&name))
            return bad(err, field, "has a key that is empty or too long");
        if (add_each(lines, field, buf_text(&name), values, err) < 0)
            return -1;
    }
    return 0;
}

static int collect(struct yaml_value user, struct lines *lines, struct error *err)
{
    struct yaml_value as = yaml_get_member(user, "as");
    struct yaml_value uid = yaml_get_member(user, "as-uid");
    if (yaml_is_present(as) && add(lines, "as", "Impersonate-User", as, err) < 0)
        return -1;
    if (yaml_is_present(uid) && add(lines, "as-uid", "Impersonate-Uid", uid, err) < 0)
        return -1;
    if (add_each(lines, "as-groups", "Impersonate-Group", yaml_get_member(user, "as-groups"), err) < 0 ||
        add_extra(lines, yaml_get_member(user, "as-user-extra"), err) < 0)
        return -1;
    if (lines->count > 0 && !yaml_is_present(as))
        return bad(err, "as", "is missing: uid, groups and extra are of the user who is named there");
    return 0;
}

int impersonation_decode(struct yaml_value user, char ***ret_headers, struct error *err)
{
    struct lines lines = {.count = 0};
    int result = collect(user, &lines, err);
    if (result == 0) {
        *ret_headers = lines.count > 0 ? mem_dup(lines.items, (lines.count + 1) * sizeof(char *)) : NULL;
        return 0;
    }
    mem_free_texts(lines.items);
    return -1;
}

void impersonation_free(char **headers)
{
    if (headers)
        mem_free_texts(headers);
    free(headers);
}
