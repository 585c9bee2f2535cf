/* The role of the instance: its name first, then its keys. */
#include "base/mem.h"
#include "nitro/credentials_source.h"
#include "nitro/imds.h"

#include <string.h>

enum { MAX_ROLE = 64 };

/* A role's name becomes part of a path. */
static bool is_role(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
    size_t len = strspn(name, allowed);
    return len > 0 && len <= MAX_ROLE && name[len] == '\0' && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int get_path(struct imds *imds, char **ret_path, struct error *err)
{
    static const char folder[] = "/latest/meta-data/iam/security-credentials/";
    struct buf roles;
    if (imds_get(imds, folder, &roles, err) < 0) {
        if (err && err->kind == ERROR_ABSENT)
            return error_set(err, ERROR_DENIED, "NoInstanceRole", "the instance has no role");
        return -1;
    }
    roles.data[strcspn(roles.data, "\r\n")] = '\0';
    int result = 0;
    if (is_role(roles.data))
        *ret_path = mem_printf("%s%s", folder, roles.data);
    else
        result = error_set(err, ERROR_UNAVAILABLE, "MetadataFailed",
                           "the name of the instance's role is malformed");
    buf_wipe(&roles);
    return result;
}

static int get_answer(struct imds *imds, struct buf *ret_text, struct error *err)
{
    CLEANUP(freep) char *path = NULL;
    if (get_path(imds, &path, err) < 0)
        return -1;
    return imds_get(imds, path, ret_text, err);
}

int credentials_from_imds(const struct aws_credentials_options *options, struct aws_identity **ret_identity,
                          struct error *err)
{
    /* Where the service behind it is away, it goes on with old keys, and AWS takes them (static stability).
     */
    static const struct identity_claim claim = {
        .may_be_over = true, .provider = "imds", .reason = "MetadataFailed", .kind = ERROR_UNAVAILABLE};
    struct imds imds;
    struct buf text;
    *ret_identity = NULL;
    if (options->config->imds_disabled)
        return 0;
    if (imds_open(options->config->imds_endpoint, options->stop, &imds, err) < 0)
        return -1;
    int result = get_answer(&imds, &text, err);
    imds_done(&imds);
    if (result < 0)
        return -1;
    result = identity_decode(options, &text, &claim, ret_identity, err);
    buf_wipe(&text);
    return result;
}
