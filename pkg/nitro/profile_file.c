/* A line at a time; struct reading holds where we are. Later settings are appended, and the last one wins. */
#include "nitro/profile_file.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

enum { MAX_FILE = 256 * 1024, MAX_SETTINGS = 4096 };

static const char blanks[] = " \t\r";

struct reading {
    struct profile_files *files;
    const char *name;
    bool is_credentials;
    bool is_skipped; /* the section is none of ours */
    int line;
    char *section; /* NULL before the first */
    char *key;     /* that an indented line continues, or NULL */
};

static int fail(const struct reading *reading, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadProfile", "%s, line %d: %s", reading->name, reading->line, what);
}

/* Where the text begins without the blanks at its ends; *len becomes what is left. */
static const char *skip_blanks(const char *text, size_t *len)
{
    while (*len > 0 && strchr(blanks, *text)) {
        text++;
        (*len)--;
    }
    while (*len > 0 && strchr(blanks, text[*len - 1]))
        (*len)--;
    return text;
}

static char *trim(const char *text, size_t len)
{
    text = skip_blanks(text, &len);
    return mem_strndup(text, len);
}

static int add(struct reading *reading, char *key, struct secret *value, struct error *err)
{
    struct profile_files *files = reading->files;
    if (files->count == MAX_SETTINGS) {
        free(key);
        secret_free(value);
        return fail(reading, "more than 4096 settings", err);
    }
    files->items = mem_realloc(files->items, files->count + 1, sizeof(*files->items));
    files->items[files->count++] = (struct profile_setting){mem_strdup(reading->section), key, value};
    return 0;
}

/* In the config file a profile other than the default one says so, and both may. */
static char *name_section(const struct reading *reading, const char *inner)
{
    static const char *const kinds[] = {"profile", "services", "sso-session"};
    if (reading->is_credentials || strcmp(inner, "default") == 0)
        return mem_printf("profile %s", inner);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(inner, kinds[i], len) != 0 || !inner[len] || !strchr(blanks, inner[len]))
            continue;
        CLEANUP(freep) char *name = trim(inner + len, strlen(inner + len));
        return mem_printf("%s %s", kinds[i], name);
    }
    return NULL;
}

static int open_section(struct reading *reading, const char *line, struct error *err)
{
    const char *end = strchr(line, ']');
    const char *rest = end ? end + 1 + strspn(end + 1, blanks) : "x";
    if (!end || (*rest && *rest != '#' && *rest != ';'))
        return fail(reading, "a section must be such as [profile name]", err);
    CLEANUP(freep) char *inner = trim(line + 1, (size_t)(end - line - 1));
    free(reading->section);
    free(reading->key);
    reading->key = NULL;
    reading->section = name_section(reading, inner);
    reading->is_skipped = !reading->section;
    return reading->section ? add(reading, mem_strdup(""), secret_new(""), err) : 0;
}

/* A comment begins the line, or follows a blank. */
static size_t value_len(const char *value)
{
    for (size_t i = 0; value[i]; i++)
        if ((value[i] == '#' || value[i] == ';') && i > 0 && strchr(blanks, value[i - 1]))
            return i;
    return strlen(value);
}

static int read_setting(struct reading *reading, const char *line, bool is_nested, struct error *err)
{
    const char *equals = strchr(line, '=');
    if (!equals)
        return is_nested ? 0 : fail(reading, "it must be 'key = value'", err);
    CLEANUP(freep) char *key = trim(line, (size_t)(equals - line));
    if (!*key)
        return fail(reading, "there is no key before '='", err);
    if (!reading->section)
        return fail(reading, "a setting must stand in a section", err);
    for (char *at = key; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    size_t len = value_len(equals + 1);
    const char *text = skip_blanks(equals + 1, &len);
    struct secret *value = secret_new_len(text, len);
    if (is_nested)
        return add(reading, mem_printf("%s.%s", reading->key, key), value, err);
    free(reading->key);
    reading->key = mem_strdup(key);
    return add(reading, STEAL(key), value, err);
}

static int read_line(struct reading *reading, const char *line, struct error *err)
{
    bool is_indented = strchr(" \t", *line) != NULL && *line;
    const char *text = line + strspn(line, blanks);
    if (!*text || *text == '#' || *text == ';' || (reading->is_skipped && *text != '['))
        return 0;
    if (is_indented && reading->key)
        return read_setting(reading, text, true, err);
    if (*text == '[')
        return open_section(reading, text, err);
    return read_setting(reading, text, false, err);
}

int profile_files_add(struct profile_files *files, const char *text, const char *name, bool is_credentials,
                      struct error *err)
{
    struct reading reading = {.files = files, .name = name, .is_credentials = is_credentials};
    int result = 0;
    while (result == 0 && *text) {
        size_t len = strcspn(text, "\n");
        CLEANUP(secret_freep) struct secret *line = secret_new_len(text, len);
        reading.line++;
        result = read_line(&reading, secret_reveal(line), err);
        text += len + (text[len] == '\n');
    }
    free(reading.section);
    free(reading.key);
    return result;
}

/* *ret_path is NULL if no variable names a file and there is no home. */
static void find_path(const struct environment *environment, const char *variable, const char *fallback,
                      char **ret_path, bool *ret_is_named)
{
    const char *named = environment_find(environment, variable);
    *ret_is_named = named != NULL;
    *ret_path = mem_strdup(named);
    if (named)
        return;
    const char *home = environment_find(environment, "HOME");
    *ret_path = home ? mem_printf("%s/.aws/%s", home, fallback) : NULL;
}

static int load_one(struct profile_files *files, const struct environment *environment, bool is_credentials,
                    struct error *err)
{
    const char *variable = is_credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE";
    CLEANUP(freep) char *path = NULL;
    bool is_named = false;
    struct buf text;
    struct error failure = {0};
    find_path(environment, variable, is_credentials ? "credentials" : "config", &path, &is_named);
    if (!path)
        return 0;
    buf_init(&text, MAX_FILE);
    int result = file_read(path, &text, &failure);
    bool is_absent = result < 0 && failure.kind == ERROR_ABSENT && !is_named;
    if (is_absent)
        result = 0;
    else if (result < 0)
        error_set(err, ERROR_INVALID, "BadProfile", "%s: %s", variable, failure.text);
    else if (strlen(buf_text(&text)) != text.len)
        result = error_set(err, ERROR_INVALID, "BadProfile", "%s has a NUL", path);
    else
        result = profile_files_add(files, buf_text(&text), path, is_credentials, err);
    files->is_given |= !is_absent;
    buf_wipe(&text);
    return result;
}

int profile_files_load(const struct environment *environment, struct profile_files *ret_files,
                       struct error *err)
{
    CLEANUP(profile_files_done) struct profile_files files = {.items = NULL};
    if (load_one(&files, environment, false, err) < 0 || load_one(&files, environment, true, err) < 0)
        return -1;
    *ret_files = files;
    files = (struct profile_files){.items = NULL};
    return 0;
}

void profile_files_done(struct profile_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        struct profile_setting *item = &files->items[i];
        secret_free(item->value);
        free(item->key);
        free(item->section);
    }
    free(files->items);
    *files = (struct profile_files){.items = NULL};
}

static const struct secret *find(const struct profile_files *files, const char *kind, const char *name,
                                 const char *key)
{
    size_t len = strlen(kind);
    for (size_t i = files->count; i > 0; i--) {
        const struct profile_setting *item = &files->items[i - 1];
        if (strncmp(item->section, kind, len) == 0 && item->section[len] == ' ' &&
            strcmp(item->section + len + 1, name) == 0 && strcmp(item->key, key) == 0)
            return item->value;
    }
    return NULL;
}

bool profile_files_has(const struct profile_files *files, const char *kind, const char *name)
{
    return find(files, kind, name, "") != NULL;
}

const struct secret *profile_files_find_secret(const struct profile_files *files, const char *kind,
                                               const char *name, const char *key)
{
    const struct secret *value = find(files, kind, name, key);
    return value && *secret_reveal(value) ? value : NULL;
}

const char *profile_files_find(const struct profile_files *files, const char *kind, const char *name,
                               const char *key)
{
    return secret_reveal(profile_files_find_secret(files, kind, name, key));
}
