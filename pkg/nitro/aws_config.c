/* Each text variable is a row: name, default, longest value, allowed form; one function reads them all. */
#include "nitro/aws_config.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define ALNUM_LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define ALNUM       "ABCDEFGHIJKLMNOPQRSTUVWXYZ" ALNUM_LOWER

enum { MAX_URL = 512, MAX_REGION = 63 };

struct form {
    const char *variable;
    const char *prefix;  /* what the value begins with, "" = anything */
    const char *allowed; /* bytes behind the prefix; NULL = printable ASCII with spaces */
    size_t max;
    const char *wanted; /* completes "must be" */
};

static const char *getenv_real(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

const struct environment *environment_real(void)
{
    static const struct environment real = {getenv_real, NULL};
    return &real;
}

const char *environment_find(const struct environment *environment, const char *name)
{
    const char *value = environment->get(environment->ctx, name);
    return value && *value ? value : NULL;
}

static int refuse(const char *variable, const char *wanted, struct error *err)
{
    return error_set(err, ERROR_INVALID, "BadEnvironment", "%s must be %s", variable, wanted);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static bool has_form(const char *value, const struct form *form)
{
    size_t prefix_len = strlen(form->prefix);
    if (strlen(value) > form->max || strncmp(value, form->prefix, prefix_len) != 0 || !value[prefix_len])
        return false;
    if (!form->allowed)
        return is_printable(value);
    return value[prefix_len + strspn(value + prefix_len, form->allowed)] == '\0';
}

/* *ret_value is NULL if the variable is unset. */
static int read_text(const struct environment *environment, const struct form *form, char **ret_value,
                     struct error *err)
{
    const char *value = environment_find(environment, form->variable);
    if (value && !has_form(value, form))
        return refuse(form->variable, form->wanted, err);
    *ret_value = mem_strdup(value);
    return 0;
}

static int read_int(const struct environment *environment, const char *variable, int min, int max,
                    int *ret_value)
{
    const char *value = environment_find(environment, variable);
    char *end = NULL;
    if (!value)
        return 0;
    errno = 0;
    long number = strtol(value, &end, 10);
    bool is_number = *value >= '0' && *value <= '9' && *end == '\0' && errno == 0;
    if (!is_number || number < min || number > max)
        return -1;
    *ret_value = (int)number;
    return 0;
}

static int read_flag(const struct environment *environment, const char *variable, bool *ret_flag,
                     struct error *err)
{
    const char *value = environment_find(environment, variable);
    if (value && strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
        return refuse(variable, "true or false", err);
    *ret_flag = value && strcasecmp(value, "true") == 0;
    return 0;
}

bool aws_region_is_valid(const char *region)
{
    static const struct form form = {"", "", ALNUM_LOWER "-", MAX_REGION, ""};
    return has_form(region, &form) && *region != '-' && region[strlen(region) - 1] != '-';
}

static int read_region(const struct environment *environment, char **ret_region, struct error *err)
{
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = environment_find(environment, variables[i]);
        if (value && !aws_region_is_valid(value))
            return refuse(variables[i], "a region such as eu-central-1", err);
        if (value) {
            *ret_region = mem_strdup(value);
            return 0;
        }
    }
    return 0;
}

char *aws_url_copy(const char *url)
{
    size_t scheme_len = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t len = strlen(url);
    while (len > scheme_len && url[len - 1] == '/')
        len--;
    bool has_host = scheme_len > 0 && len > scheme_len && url[scheme_len] != '/';
    if (!has_host || len > MAX_URL || !is_printable(url) || strpbrk(url, " ?#@\\\"<>"))
        return NULL;
    return mem_strndup(url, len);
}

static int read_url(const struct environment *environment, const char *variable, char **ret_url,
                    struct error *err)
{
    const char *value = environment_find(environment, variable);
    if (!value)
        return 0;
    *ret_url = aws_url_copy(value);
    return *ret_url ? 0 : refuse(variable, "a URL such as https://host:port", err);
}

/* The service's own variable wins over the common one. */
static int read_endpoint(const struct environment *environment, const char *variable, char **ret_url,
                         struct error *err)
{
    if (read_url(environment, variable, ret_url, err) < 0)
        return -1;
    return *ret_url ? 0 : read_url(environment, "AWS_ENDPOINT_URL", ret_url, err);
}

static int read_endpoints(const struct environment *environment, struct aws_config *config, struct error *err)
{
    if (read_flag(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &config->ignore_urls, err) < 0 ||
        read_flag(environment, "AWS_USE_FIPS_ENDPOINT", &config->use_fips, err) < 0 ||
        read_flag(environment, "AWS_USE_DUALSTACK_ENDPOINT", &config->use_dualstack, err) < 0)
        return -1;
    if (config->ignore_urls)
        return 0;
    if (read_endpoint(environment, "AWS_ENDPOINT_URL_EC2", &config->ec2_endpoint, err) < 0)
        return -1;
    return read_endpoint(environment, "AWS_ENDPOINT_URL_STS", &config->sts_endpoint, err);
}

int aws_config_check(const struct aws_config *config, struct error *err)
{
    bool is_special = config->use_fips || config->use_dualstack;
    if (!is_special || (!config->ec2_endpoint && !config->sts_endpoint))
        return 0;
    return error_set(err, ERROR_INVALID, "BadEnvironment",
                     "an endpoint URL and a FIPS or dual-stack endpoint exclude each other: unset "
                     "AWS_ENDPOINT_URL* or AWS_USE_*_ENDPOINT, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
}

static int read_imds(const struct environment *environment, struct aws_config *config, struct error *err)
{
    const char *mode = environment_find(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    bool is_v6 = mode && strcasecmp(mode, "IPv6") == 0;
    if (mode && !is_v6 && strcasecmp(mode, "IPv4") != 0)
        return refuse("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv4 or IPv6", err);
    if (read_url(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT", &config->imds_endpoint, err) < 0)
        return -1;
    if (!config->imds_endpoint)
        config->imds_endpoint = mem_strdup(is_v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254");
    return read_flag(environment, "AWS_EC2_METADATA_DISABLED", &config->imds_disabled, err);
}

int aws_config_init(const struct environment *environment, struct aws_config *ret_config, struct error *err)
{
    static const struct form bundle = {"AWS_CA_BUNDLE", "", NULL, 4096, "the path of a PEM file"};
    CLEANUP(aws_config_done) struct aws_config config = {.region = NULL};
    if (read_region(environment, &config.region, err) < 0 || read_endpoints(environment, &config, err) < 0 ||
        read_text(environment, &bundle, &config.ca_bundle, err) < 0 ||
        read_imds(environment, &config, err) < 0 || aws_config_check(&config, err) < 0)
        return -1;
    *ret_config = config;
    config = (struct aws_config){.region = NULL};
    return 0;
}

void aws_config_done(struct aws_config *config)
{
    free(config->region);
    free(config->ec2_endpoint);
    free(config->sts_endpoint);
    free(config->ca_bundle);
    free(config->imds_endpoint);
    *config = (struct aws_config){.region = NULL};
}

static int read_numbers(const struct environment *environment, struct nitro_config *config, struct error *err)
{
    config->cpu_count = 2;
    config->memory_mib = 512;
    if (read_int(environment, "AWS_NITRO_ENCLAVE_CPU_COUNT", 1, 192, &config->cpu_count) < 0)
        return refuse("AWS_NITRO_ENCLAVE_CPU_COUNT", "a whole number from 1 to 192", err);
    if (read_int(environment, "AWS_NITRO_ENCLAVE_MEMORY_MB", 64, 1048576, &config->memory_mib) < 0)
        return refuse("AWS_NITRO_ENCLAVE_MEMORY_MB", "a whole number from 64 to 1048576", err);
    return 0;
}

static int read_texts(const struct environment *environment, struct nitro_config *config, struct error *err)
{
    const struct {
        struct form form;
        char **ret;
    } rows[] = {
        {{"AWS_NITRO_AMI_ID", "ami-", ALNUM "-", 64, "an image id such as ami-0123456789abcdef0"},
         &config->ami_id},
        {{"AWS_NITRO_INSTANCE_TYPE", "", ALNUM_LOWER ".-", 64, "an instance type such as m5.xlarge"},
         &config->instance_type},
        {{"AWS_NITRO_SUBNET_ID", "subnet-", ALNUM "-", 64, "a subnet id such as subnet-0123456789abcdef0"},
         &config->subnet_id},
        {{"AWS_NITRO_SECURITY_GROUP_ID", "sg-", ALNUM "-", 64,
          "a security group id such as sg-0123456789abcdef0"},
         &config->security_group_id},
        {{"AWS_NITRO_KEY_NAME", "", NULL, 255, "the name of a key pair, at most 255 ASCII characters"},
         &config->key_name},
        {{"AWS_NITRO_IAM_INSTANCE_PROFILE", "", ALNUM "+=,.@_:/-", 2048,
          "the name or ARN of an instance profile"},
         &config->iam_instance_profile},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (read_text(environment, &rows[i].form, rows[i].ret, err) < 0)
            return -1;
    return 0;
}

int nitro_config_init(const struct environment *environment, bool is_ami_required,
                      struct nitro_config *ret_config, struct error *err)
{
    CLEANUP(nitro_config_done) struct nitro_config config = {.ami_id = NULL};
    if (read_texts(environment, &config, err) < 0 || read_numbers(environment, &config, err) < 0)
        return -1;
    if (!config.ami_id && is_ami_required)
        return error_set(err, ERROR_INVALID, "BadEnvironment",
                         "AWS_NITRO_AMI_ID is not set: it must be an image id such as ami-0123456789abcdef0");
    if (!config.instance_type)
        config.instance_type = mem_strdup("m5.xlarge");
    *ret_config = config;
    config = (struct nitro_config){.ami_id = NULL};
    return 0;
}

void nitro_config_done(struct nitro_config *config)
{
    free(config->ami_id);
    free(config->instance_type);
    free(config->subnet_id);
    free(config->security_group_id);
    free(config->key_name);
    free(config->iam_instance_profile);
    *config = (struct nitro_config){.ami_id = NULL};
}

static const char *find_suffix(const char *region)
{
    static const struct {
        const char *prefix;
        const char *suffix;
    } partitions[] = {
        {"cn-", "amazonaws.com.cn"},   {"eusc-", "amazonaws.eu"},      {"us-iso-", "c2s.ic.gov"},
        {"us-isob-", "sc2s.sgov.gov"}, {"eu-isoe-", "cloud.adc-e.uk"}, {"us-isof-", "csp.hci.ic.gov"},
    };
    for (size_t i = 0; i < ARRAY_LEN(partitions); i++)
        if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
            return partitions[i].suffix;
    return "amazonaws.com";
}

char *aws_config_make_endpoint(const struct aws_config *config, const char *service, const char *region)
{
    const char *configured = strcmp(service, "sts") == 0 ? config->sts_endpoint : config->ec2_endpoint;
    if (configured)
        return mem_strdup(configured);
    bool is_china = strncmp(region, "cn-", 3) == 0;
    bool is_plain = !config->use_fips || strncmp(region, "us-gov-", 7) == 0; /* whose plain name is FIPS */
    const char *suffix = !config->use_dualstack ? find_suffix(region)
                         : is_china             ? "api.amazonwebservices.com.cn"
                                                : "api.aws";
    return mem_printf("https://%s%s.%s.%s", service, is_plain ? "" : "-fips", region, suffix);
}
