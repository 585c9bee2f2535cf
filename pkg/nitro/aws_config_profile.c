/* The variables were read before; only what they left open is taken from the profile. */
#include "base/mem.h"
#include "nitro/aws_config.h"
#include "nitro/profile_file.h"

#include <string.h>
#include <strings.h>

static int refuse(const char *key, const char *wanted, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadProfile", "the profile's %s must be %s", key, wanted);
}

static int take_region(const struct profile_files *files, const char *profile, struct aws_config *config,
                       struct error *err)
{
    const char *region = profile_files_find(files, "profile", profile, "region");
    if (config->region || !region)
        return 0;
    if (!aws_region_is_valid(region))
        return refuse("region", "such as eu-central-1", err);
    config->region = mem_strdup(region);
    return 0;
}

static int take_endpoint(const struct profile_files *files, const char *profile, const char *service,
                         char **ret_endpoint, struct error *err)
{
    const char *services = profile_files_find(files, "profile", profile, "services");
    CLEANUP(freep) char *key = mem_printf("%s.endpoint_url", service);
    const char *url = services ? profile_files_find(files, "services", services, key) : NULL;
    if (!url)
        url = profile_files_find(files, "profile", profile, "endpoint_url");
    if (*ret_endpoint || !url)
        return 0;
    *ret_endpoint = aws_url_copy(url);
    return *ret_endpoint ? 0 : refuse("endpoint_url", "a URL such as https://host:port", err);
}

static int take_flag(const struct profile_files *files, const char *profile, const char *key, bool *ret_flag,
                     struct error *err)
{
    const char *value = profile_files_find(files, "profile", profile, key);
    if (!value || *ret_flag)
        return 0;
    if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
        return refuse(key, "true or false", err);
    *ret_flag = strcasecmp(value, "true") == 0;
    return 0;
}

static int take_all(const struct profile_files *files, const char *profile, struct aws_config *config,
                    struct error *err)
{
    if (take_region(files, profile, config, err) < 0 ||
        take_flag(files, profile, "use_fips_endpoint", &config->use_fips, err) < 0 ||
        take_flag(files, profile, "use_dualstack_endpoint", &config->use_dualstack, err) < 0)
        return -1;
    if (!config->ignore_urls && (take_endpoint(files, profile, "ec2", &config->ec2_endpoint, err) < 0 ||
                                 take_endpoint(files, profile, "sts", &config->sts_endpoint, err) < 0))
        return -1;
    return aws_config_check(config, err);
}

int aws_config_add_profile(const struct environment *environment, struct aws_config *config,
                           struct error *err)
{
    CLEANUP(profile_files_done) struct profile_files files = {.items = NULL};
    if (profile_files_load(environment, &files, err) < 0)
        return -1;
    CLEANUP(freep) char *named = mem_strdup(environment_find(environment, "AWS_PROFILE"));
    return take_all(&files, named ? named : "default", config, err);
}
