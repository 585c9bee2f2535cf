/* resolve() follows source_profile from profile to profile; each step has base keys or assumes a role. */
#include "base/mem.h"
#include "nitro/credentials_process.h"
#include "nitro/credentials_source.h"
#include "nitro/profile_file.h"
#include "nitro/sts.h"

#include <string.h>

enum { DEPTH_MAX = 5 };

struct step {
    const struct aws_credentials_options *options;
    const struct profile_files *files;
    const char *name;
    int depth;
};

static int resolve(const struct step *step, struct aws_identity **ret_identity, struct error *err);

static const char *find(const struct step *step, const char *key)
{
    return profile_files_find(step->files, "profile", step->name, key);
}

static const struct secret *find_secret(const struct step *step, const char *key)
{
    return profile_files_find_secret(step->files, "profile", step->name, key);
}

static int refuse(const struct step *step, const char *what, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadProfile", "profile '%.64s': %s", step->name, what);
}

static int take_static(const struct step *step, struct aws_identity **ret_identity, struct error *err)
{
    const struct identity_claim claim = {.keys = {find(step, "aws_access_key_id"),
                                                  find_secret(step, "aws_secret_access_key"),
                                                  find_secret(step, "aws_session_token")},
                                         .may_last = true,
                                         .provider = "profile",
                                         .reason = "BadProfile",
                                         .kind = ERROR_INVALID};
    return identity_accept(step->options, &claim, ret_identity, err);
}

/* What signs the request for the role, by a place that has no profile. */
static int take_place(const struct step *step, const char *place, struct aws_identity **ret_identity,
                      struct error *err)
{
    static const struct {
        const char *name;
        credentials_source *source;
    } places[] = {{"Environment", credentials_from_env},
                  {"Ec2InstanceMetadata", credentials_from_imds},
                  {"EcsContainer", credentials_from_container}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (strcmp(place, places[i].name) != 0)
            continue;
        if (places[i].source(step->options, ret_identity, err) < 0)
            return -1;
        return *ret_identity ? 0 : refuse(step, "its credential_source has no credentials", err);
    }
    return refuse(step, "credential_source must be Environment, Ec2InstanceMetadata or EcsContainer", err);
}

static int take_base(const struct step *step, struct aws_identity **ret_identity, struct error *err)
{
    const char *source = find(step, "source_profile");
    const char *place = find(step, "credential_source");
    if (!source == !place)
        return refuse(step,
                      "role_arn needs one of source_profile, credential_source and "
                      "web_identity_token_file",
                      err);
    if (place)
        return take_place(step, place, ret_identity, err);
    if (strcmp(source, step->name) == 0)
        return take_static(step, ret_identity, err);
    struct step next = *step;
    next.name = source;
    next.depth++;
    if (next.depth == DEPTH_MAX)
        return refuse(step, "source_profile leads further than 5 profiles, or in a circle", err);
    if (resolve(&next, ret_identity, err) < 0)
        return -1;
    return *ret_identity ? 0 : refuse(&next, "it is a source_profile and has no credentials", err);
}

static int read_duration(const struct step *step, int *ret_duration_s, struct error *err)
{
    const char *text = find(step, "duration_seconds");
    char *end = NULL;
    long seconds = text ? strtol(text, &end, 10) : 0;
    if (text && (*end || seconds < 900 || seconds > 43200))
        return refuse(step, "duration_seconds must be 900 to 43200", err);
    *ret_duration_s = (int)seconds;
    return 0;
}

static int assume(const struct step *step, struct aws_identity **ret_identity, struct error *err)
{
    CLEANUP(aws_identity_unrefp) struct aws_identity *base = NULL;
    CLEANUP(secret_freep) struct secret *token = NULL;
    const char *token_file = find(step, "web_identity_token_file");
    struct sts_role role = {.arn = find(step, "role_arn"),
                            .session_name = find(step, "role_session_name"),
                            .external_id = find(step, "external_id"),
                            .provider = "profile",
                            .region = find(step, "region")};
    if (!role.arn)
        return refuse(step, "web_identity_token_file is there and role_arn is missing", err);
    if (find(step, "mfa_serial"))
        return refuse(step, "mfa_serial needs a person and is not supported", err);
    if (read_duration(step, &role.duration_s, err) < 0)
        return -1;
    if (token_file) {
        if (credentials_read_token(token_file, "web_identity_token_file", &token, err) < 0)
            return -1;
        role.token = token;
    } else {
        if (take_base(step, &base, err) < 0)
            return -1;
        role.base = &base->keys;
    }
    return sts_assume(step->options, &role, ret_identity, err);
}

/* *ret_identity stays NULL for a profile that says nothing of credentials. */
static int resolve(const struct step *step, struct aws_identity **ret_identity, struct error *err)
{
    bool has_keys = find(step, "aws_access_key_id") || find_secret(step, "aws_secret_access_key");
    bool has_role = find(step, "role_arn") || find(step, "web_identity_token_file");
    const char *process = find(step, "credential_process");
    if (!profile_files_has(step->files, "profile", step->name))
        return refuse(step, "there is no such profile", err);
    if (has_role && !(has_keys && step->depth > 0))
        return assume(step, ret_identity, err);
    if (has_keys)
        return take_static(step, ret_identity, err);
    if (process)
        return credentials_from_process(step->options, process, ret_identity, err);
    if (find(step, "sso_session") || find(step, "sso_start_url"))
        return refuse(step, "single sign-on needs a person and is not supported", err);
    return 0;
}

int credentials_from_profile(const struct aws_credentials_options *options,
                             struct aws_identity **ret_identity, struct error *err)
{
    CLEANUP(profile_files_done) struct profile_files files = {.items = NULL};
    CLEANUP(freep) char *named = credentials_copy_variable(options, "AWS_PROFILE");
    *ret_identity = NULL;
    if (profile_files_load(options->environment, &files, err) < 0)
        return -1;
    const struct step step = {options, &files, named ? named : "default", 0};
    if (!named && !profile_files_has(&files, "profile", step.name))
        return 0;
    return resolve(&step, ret_identity, err);
}
