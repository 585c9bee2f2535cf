/* Keys matter in the objects on the way to the metadata: at depth 1, and one deeper for each member that was
 * entered. Whatever else opens lies deeper than that, and only its end is waited for. */
#include "kube/object_identity.h"

#include <stdio.h>
#include <string.h>

void identity_scan_init(struct identity_scan *scan, bool is_event)
{
    *scan = (struct identity_scan){.is_event = is_event};
}

/* The member that leads on from the object that we are in, or NULL in the metadata. */
static const char *next_on_the_way(const struct identity_scan *scan)
{
    static const char *const way[] = {"object", "metadata", NULL};
    return way[scan->inside + (scan->is_event ? 0 : 1)];
}

static bool are_members_read(const struct identity_scan *scan)
{
    return scan->depth == scan->inside + 1;
}

static void set(char *to, size_t size, const struct identity_scan *scan)
{
    size_t len = scan->text_len < size && !scan->is_text_bad ? scan->text_len : 0;
    memcpy(to, scan->text, len);
    to[len] = '\0';
}

static void set_member(struct identity_scan *scan)
{
    struct object_identity *identity = &scan->identity;
    bool is_metadata = !next_on_the_way(scan);
    if (is_metadata && strcmp(scan->key, "namespace") == 0)
        set(identity->name_space, sizeof(identity->name_space), scan);
    else if (is_metadata && strcmp(scan->key, "name") == 0)
        set(identity->name, sizeof(identity->name), scan);
    else if (is_metadata && strcmp(scan->key, "uid") == 0)
        set(identity->uid, sizeof(identity->uid), scan);
    else if (scan->is_event && scan->inside == 0 && strcmp(scan->key, "type") == 0)
        set(scan->type, sizeof(scan->type), scan);
}

static void begin_string(struct identity_scan *scan)
{
    scan->in_string = true;
    scan->is_text_kept = are_members_read(scan);
    scan->is_text_bad = false;
    scan->text_len = 0;
}

static void end_string(struct identity_scan *scan)
{
    scan->in_string = false;
    if (!scan->is_text_kept)
        return;
    if (scan->after_colon)
        set_member(scan);
    else
        set(scan->key, sizeof(scan->key), scan);
}

static void on_text(struct identity_scan *scan, char c)
{
    if (scan->escaped) {
        scan->escaped = false;
    } else if (c == '"') {
        end_string(scan);
        return;
    } else if (c == '\\') {
        scan->escaped = true;
        scan->is_text_bad = true;
    }
    if (scan->text_len < sizeof(scan->text) && (unsigned char)c >= ' ')
        scan->text[scan->text_len++] = c;
    else
        scan->is_text_bad = true;
}

static void on_open(struct identity_scan *scan, char c)
{
    const char *next = next_on_the_way(scan);
    if (c == '{' && next && are_members_read(scan) && scan->after_colon && strcmp(scan->key, next) == 0)
        scan->inside++;
    scan->depth++;
    scan->after_colon = false;
    scan->key[0] = '\0';
}

static void on_close(struct identity_scan *scan)
{
    if (are_members_read(scan) && scan->inside > 0)
        scan->inside--;
    scan->depth--;
    scan->after_colon = false;
    scan->done = scan->depth == 0;
}

static void on_byte(struct identity_scan *scan, char c)
{
    switch (c) {
    case '"': begin_string(scan); break;
    case '{':
    case '[': on_open(scan, c); break;
    case '}':
    case ']': on_close(scan); break;
    case ':': scan->after_colon = true; break;
    case ',': scan->after_colon = false; break;
    default: break;
    }
}

void identity_scan_feed(struct identity_scan *scan, const char *text, size_t len)
{
    scan->len += len;
    for (size_t at = 0; at < len && !scan->done; at++) {
        if (scan->in_string)
            on_text(scan, text[at]);
        else if (scan->depth > 0 || text[at] == '{')
            on_byte(scan, text[at]);
        else
            scan->done = !memchr(" \t\r\n", text[at], 4);
    }
}

bool identity_scan_finish(const struct identity_scan *scan, struct object_identity *ret_identity)
{
    *ret_identity = scan->identity;
    if (!*ret_identity->name_space || !*ret_identity->name)
        return false;
    snprintf(ret_identity->key, sizeof(ret_identity->key), "%s/%s", ret_identity->name_space,
             ret_identity->name);
    return true;
}

bool object_identity_find(struct json_span object, struct object_identity *ret_identity)
{
    struct identity_scan scan;
    identity_scan_init(&scan, false);
    identity_scan_feed(&scan, object.text, object.len);
    return identity_scan_finish(&scan, ret_identity);
}
