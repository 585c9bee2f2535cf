/* The JSON is read twice: by pkg/api for what the controller reads too, and here for the rest. */
#include "object.h"

#include "base/encoding.h"
#include "base/mem.h"
#include "kube/client.h"
#include "kube/config.h"

#include <string.h>

enum { REQUEST_TIMEOUT_MS = 30000, OBJECT_MAX = 4 * 1024 * 1024, EVIDENCE_TEXT_MAX = 96 * 1024 };

static void jsonp(json_t **json)
{
    json_decref(*json);
}

static void kube_clientp(struct kube_client **client)
{
    kube_client_free(*client);
}

const char *object_strip_kind(const char *name)
{
    static const char *const kinds[] = {"teed/", "teedeployment/", "teedeployments/",
                                        "teedeployments.tee.dev/", "teedeployment.tee.dev/"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
            return name + strlen(kinds[i]);
    return NULL;
}

static void decode_instance(const struct json_reader *status, struct tee_instance_status *instance)
{
    struct json_reader reader = json_reader_child(status, "instance");
    instance->id = json_read_string(&reader, "id", 64);
    instance->state = json_read_string(&reader, "state", 32);
    instance->type = json_read_string(&reader, "type", 64);
    instance->image_id = json_read_string(&reader, "imageID", 64);
    instance->availability_zone = json_read_string(&reader, "availabilityZone", 63);
    instance->private_ip = json_read_string(&reader, "privateIP", 45);
    instance->public_ip = json_read_string(&reader, "publicIP", 45);
    instance->launch_ms = json_read_time(&reader, "launchTime");
}

/* Where the spec is silent: what the controller reports, then the constants of api.md. */
static void decode_effective(const struct json_reader *status, const struct tee_spec *spec,
                             struct tee_spec *effective)
{
    struct error ignored = {0}; /* it is no whole spec */
    struct json_reader reported = json_reader_child(status, "effective");
    struct tee_spec defaults = {0};
    struct tee_attestation_spec *attestation = &effective->attestation;
    reported.err = &ignored;
    spec_decode(&reported, &defaults);
    *effective = *spec;
    if (attestation->protocol == ATTEST_ABSENT)
        attestation->protocol =
            defaults.attestation.protocol != ATTEST_ABSENT ? defaults.attestation.protocol : ATTEST_NATIVE;
    if (attestation->port <= 0)
        attestation->port = defaults.attestation.port > 0 ? defaults.attestation.port : 0;
    if (attestation->max_age_seconds <= 0)
        attestation->max_age_seconds = 60;
    if (!effective->instance.iam_instance_profile)
        effective->instance.iam_instance_profile = defaults.instance.iam_instance_profile;
}

static int decode_evidence(const struct json_reader *status, struct object *object, struct error *err)
{
    struct json_reader reader = json_reader_child(status, "attestation");
    const char *text = json_read_string(&reader, "evidence", EVIDENCE_TEXT_MAX);
    object->evidence_sha256 = json_read_string(&reader, "evidenceSHA256", 64);
    if (!text || !text[0])
        return 0;
    if (base64_decode(text, strlen(text), &object->evidence, &object->evidence_len) < 0)
        return error_set(err, ERROR_INVALID, "BadEvidence",
                         "status.attestation.evidence of %.200s is not base64", object->deployment->key);
    return 0;
}

static int decode_rest(const json_t *tree, struct object *object, struct error *err)
{
    struct error wrong = {0};
    struct json_reader root = {.object = tree, .path = "", .arena = &object->arena, .err = &wrong};
    struct json_reader status = json_reader_child(&root, "status");
    struct json_reader boot = json_reader_child(&status, "boot");
    object->phase = json_read_string(&status, "phase", 32);
    object->boot_phase = json_read_string(&boot, "phase", 32);
    object->boot_seconds = json_read_int(&boot, "seconds", 0, INT32_MAX, 0);
    decode_instance(&status, &object->instance);
    decode_effective(&status, &object->deployment->spec, &object->effective);
    if (decode_evidence(&status, object, err) < 0)
        return -1;
    if (wrong.kind != ERROR_NONE)
        return error_set(err, ERROR_INVALID, "BadObject", "%.100s: %.150s", object->deployment->key,
                         wrong.text);
    return 0;
}

int object_decode(const char *json, size_t len, struct object **ret_object, struct error *err)
{
    CLEANUP(object_freep) struct object *object = mem_calloc(1, sizeof(*object));
    arena_init(&object->arena);
    if (teedeployment_decode(json, len, &object->deployment, err) < 0)
        return -1;
    CLEANUP(jsonp) json_t *tree = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    if (decode_rest(tree, object, err) < 0)
        return -1;
    *ret_object = STEAL(object);
    return 0;
}

/* kubectl's words for what the server said; else what pkg/kube says, with the object's name. */
static int explain(const struct kube_status *status, const char *name, struct error *err)
{
    if (status->code == 404 && (!status->reason[0] || strstr(status->message, "the requested resource")))
        return error_set(err, ERROR_ABSENT, "NoSuchResource",
                         "the server doesn't have a resource type \"" TEE_PLURAL
                         "\": is the CRD installed (kubectl apply -f manifests/crd.yaml)?");
    if (status->code > 0 && status->reason[0] && status->message[0])
        return error_set(err, err->kind, "ServerError", PROGRAM_SERVER_ERROR "%s): %s", status->reason,
                         status->message);
    return error_wrap(err, TEE_PLURAL " \"%.80s\"", name);
}

/* On the error output, as kubectl has it. */
static void warn(void *ctx, const char *text)
{
    const struct program *program = ctx;
    fprintf(program->err, "Warning: %s\n", text);
}

static int get(struct program *program, const struct kube_config *config, const char *path,
               struct kube_status *status, struct buf *body, struct error *err)
{
    const struct kube_client_options options = {
        .config = config, .clock = program->clock, .program = "kubectl-tee", .warn = warn, .ctx = program};
    const struct kube_request request = {
        .method = "GET", .path = path, .timeout_ms = REQUEST_TIMEOUT_MS, .ret_status = status};
    CLEANUP(kube_clientp) struct kube_client *client = kube_client_new(&options);
    return kube_perform(client, &request, body, err);
}

int object_fetch(struct program *program, const struct flags *flags, const char *name,
                 struct object **ret_object, struct error *err)
{
    static const struct kube_resource resource = {TEE_GROUP, TEE_VERSION_NAME, TEE_PLURAL};
    const char *stripped = object_strip_kind(name);
    const char *plain = stripped ? stripped : name;
    struct kube_config_source source = {.kubeconfig = flags->kubeconfig,
                                        .context = flags->context,
                                        .get_env = program->get_env,
                                        .ctx = program->ctx};
    if (!plain[0] || strchr(plain, '/'))
        return error_set(err, ERROR_INVALID, "BadName",
                         "'%.100s' is neither a file nor the name of a TeeDeployment", name);
    CLEANUP(kube_config_done) struct kube_config config = {0};
    if (kube_config_load(&source, &config, err) < 0)
        return -1;
    const char *name_space = flags->name_space  ? flags->name_space
                             : config.namespace ? config.namespace
                                                : "default";
    CLEANUP(freep) char *path = kube_path(&resource, name_space, plain);
    CLEANUP(buf_done) struct buf body;
    struct kube_status status = {0};
    buf_init(&body, OBJECT_MAX);
    if (get(program, &config, path, &status, &body, err) < 0)
        return explain(&status, plain, err);
    return object_decode(buf_text(&body), body.len, ret_object, err);
}

struct object *object_free(struct object *object)
{
    if (!object)
        return NULL;
    teedeployment_unref(object->deployment);
    arena_done(&object->arena);
    free(object->evidence);
    free(object);
    return NULL;
}

void object_freep(struct object **object)
{
    object_free(*object);
}
