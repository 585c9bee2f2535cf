/* What is of its own here is the command line and the form of the output; process.h runs the program. */
#include "nitro/credentials_process.h"

#include "base/mem.h"
#include "base/process.h"
#include "nitro/credentials_source.h"

#include <jansson.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, MAX_OUTPUT = 64 * 1024 };

static int bad_line(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "BadProcess", "credential_process: %s", what);
}

/* One word from *at, which moves behind it; NULL for a quote that is not closed. */
static char *take_word(const char **at)
{
    struct buf word;
    char quote = '\0';
    const char *text = *at;
    buf_init(&word, strlen(text) + 1);
    for (; *text && (quote || !strchr(" \t", *text)); text++) {
        if (quote && *text == quote)
            quote = '\0';
        else if (!quote && strchr("'\"", *text))
            quote = *text;
        else if (*text == '\\' && quote != '\'' && text[1])
            buf_putc(&word, *++text);
        else
            buf_putc(&word, *text);
    }
    *at = text;
    if (!quote)
        return buf_steal(&word);
    buf_done(&word);
    return NULL;
}

int process_split(const char *line, char *ret_arguments[PROCESS_ARGUMENTS_MAX + 1], struct error *err)
{
    char *words[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
    size_t count = 0;
    for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
        char *word = count < PROCESS_ARGUMENTS_MAX ? take_word(&line) : NULL;
        if (!word) {
            mem_free_texts(words);
            return bad_line(err, "a quote is not closed, or there are more than 64 arguments");
        }
        words[count++] = word;
    }
    if (count == 0 || !*words[0]) {
        mem_free_texts(words);
        return bad_line(err, "it names no program");
    }
    memcpy(ret_arguments, words, sizeof(words));
    return 0;
}

static int check_version(const struct buf *out, struct error *err)
{
    json_t *answer = json_loadb(buf_text(out), out->len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t version = json_integer_value(json_object_get(answer, "Version"));
    json_decref(answer);
    return version == 1 ? 0 : bad_line(err, "the program must print a JSON object with Version 1");
}

int credentials_from_process(const struct aws_credentials_options *options, const char *line,
                             struct aws_identity **ret_identity, struct error *err)
{
    static const struct identity_claim claim = {
        .provider = "process", .reason = "BadProcess", .kind = ERROR_INVALID, .may_last = true};
    char *arguments[PROCESS_ARGUMENTS_MAX + 1] = {NULL};
    const struct process process = {.what = "credential_process",
                                    .arguments = arguments,
                                    .timeout_ms = TIMEOUT_MS,
                                    .stop = options->stop};
    struct buf out;
    *ret_identity = NULL;
    if (process_split(line, arguments, err) < 0)
        return -1;
    buf_init(&out, MAX_OUTPUT);
    int result = process_run(&process, &out, err);
    mem_free_texts(arguments);
    if (result == 0)
        result = check_version(&out, err);
    if (result == 0)
        result = identity_decode(options, &out, &claim, ret_identity, err);
    buf_wipe(&out);
    return result;
}
