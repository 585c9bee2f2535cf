/* Answers of EC2 and user data, any bytes: each ends without a crash, and pieces make no difference. */
#include "base/mem.h"
#include "nitro/ec2_response.h"
#include "nitro/userdata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_instance(void *ctx, struct ec2_instance *instance, struct error *err)
{
    (void)err;
    if (!instance->id)
        abort();
    ++*(int *)ctx;
    return 0;
}

static int parse(const char *data, size_t size, size_t piece)
{
    int count = 0;
    struct error err = {0};
    const struct ec2_handler handler = {.ctx = &count, .on_instance = count_instance};
    struct ec2_response *response = ec2_response_new("DescribeInstances", &handler);
    int result = 0;
    for (size_t at = 0; at < size && result == 0; at += piece)
        result = ec2_response_sink(response, data + at, piece < size - at ? piece : size - at, &err);
    if (result == 0)
        result = ec2_response_finish(response, &err);
    if (result < 0 && err.kind == ERROR_NONE)
        abort();
    ec2_response_free(response);
    return result < 0 ? -1 : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ec2_fault fault;
    const char *text = (const char *)data;
    if (parse(text, size, size ? size : 1) != parse(text, size, 3))
        abort();
    ec2_response_read_fault(text, size, &fault);
    free(userdata_find_config(text, size));
    return 0;
}
