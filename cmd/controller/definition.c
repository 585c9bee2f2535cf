/* The list is that of the leaves of test/e2e/status-full.json, which tests hold against both the list and the
 * definition. */
#include "definition.h"

#include "api/teedeployment.h"

#include <jansson.h>
#include <string.h>

static const char *const fields[] = {
    "attestation.claims",
    "attestation.documentTimestamp",
    "attestation.enclaveLaunchedAt",
    "attestation.evidence",
    "attestation.evidenceSHA256",
    "attestation.format",
    "attestation.instanceBound",
    "attestation.leafNotAfter",
    "attestation.matchedMeasurement",
    "attestation.measurement.algorithm",
    "attestation.measurement.digest",
    "attestation.message",
    "attestation.moduleID",
    "attestation.nextAt",
    "attestation.nonceVerified",
    "attestation.pcrs.index",
    "attestation.pcrs.sha384",
    "attestation.publicKey.fingerprint",
    "attestation.publicKey.keyType",
    "attestation.publicKey.value",
    "attestation.reason",
    "attestation.roleBound",
    "attestation.rootSHA256",
    "attestation.userDataSHA256",
    "attestation.validUntil",
    "attestation.verdict",
    "attestation.verifiedAt",
    "boot.phase",
    "boot.seconds",
    "conditions.lastTransitionTime",
    "conditions.message",
    "conditions.observedGeneration",
    "conditions.reason",
    "conditions.status",
    "conditions.type",
    "deploymentID",
    "effective.attestation.intervalSeconds",
    "effective.attestation.maxAgeSeconds",
    "effective.attestation.onRejected",
    "effective.attestation.port",
    "effective.attestation.protocol",
    "effective.attestation.requireNonce",
    "effective.attestation.validSeconds",
    "effective.deletionPolicy",
    "effective.desiredState",
    "effective.enclave.cpuCount",
    "effective.enclave.debugMode",
    "effective.enclave.memoryMiB",
    "effective.instance.amiID",
    "effective.instance.iamInstanceProfile",
    "effective.instance.instanceType",
    "effective.instance.keyName",
    "effective.instance.securityGroupIDs",
    "effective.instance.subnetIDs",
    "effective.timeouts.bootSeconds",
    "effective.timeouts.launchSeconds",
    "effective.updateStrategy",
    "endpoints.address",
    "endpoints.enclavePort",
    "endpoints.name",
    "endpoints.port",
    "instance.availabilityZone",
    "instance.capacityType",
    "instance.id",
    "instance.imageID",
    "instance.launchTime",
    "instance.privateIP",
    "instance.publicIP",
    "instance.state",
    "instance.subnetID",
    "instance.type",
    "lastHandledReconcileAt",
    "launch.attempt",
    "launch.halted.at",
    "launch.halted.generation",
    "launch.halted.reason",
    "launch.hash",
    "launch.hashVersion",
    "launch.history.attempt",
    "launch.history.endedAt",
    "launch.history.generation",
    "launch.history.instanceID",
    "launch.history.reason",
    "launch.history.result",
    "launch.history.startedAt",
    "launch.history.subnetID",
    "launch.history.token",
    "launch.instanceID",
    "launch.instanceLaunchTime",
    "launch.moduleID",
    "launch.policyHash",
    "launch.result",
    "launch.startedAt",
    "launch.subnetID",
    "launch.token",
    "lifecyclePolicy",
    "observedGeneration",
    "phase",
    "provider",
};

const char *const *definition_fields(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(fields);
    return fields;
}

/* Below an object, or below the items of a list. */
static const json_t *get_property(const json_t *schema, const char *name, size_t len)
{
    const json_t *items = json_object_get(schema, "items");
    return json_object_getn(json_object_get(items ? items : schema, "properties"), name, len);
}

/* What is kept without being named may hold anything. */
static bool is_open(const json_t *schema)
{
    return json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields"));
}

static bool has_field(const json_t *status, const char *path)
{
    const json_t *at = status;
    for (const char *name = path; at && !is_open(at);) {
        size_t len = strcspn(name, ".");
        at = get_property(at, name, len);
        if (!name[len])
            break;
        name += len + 1;
    }
    return at != NULL;
}

static const json_t *find_schema(const json_t *definition)
{
    const json_t *versions = json_object_get(json_object_get(definition, "spec"), "versions");
    size_t index = 0;
    const json_t *version = NULL;
    json_array_foreach(versions, index, version)
    {
        const char *name = json_string_value(json_object_get(version, "name"));
        if (name && strcmp(name, TEE_VERSION_NAME) == 0)
            return json_object_get(json_object_get(version, "schema"), "openAPIV3Schema");
    }
    return NULL;
}

int definition_find_missing(const char *json, size_t len, struct buf *ret_missing, struct error *err)
{
    json_t *definition = json_loadb(json, len, 0, NULL);
    const json_t *schema = find_schema(definition);
    const json_t *status =
        schema && is_open(schema) ? schema : get_property(schema, "status", strlen("status"));
    const char *separator = "";
    for (size_t i = 0; schema && i < ARRAY_LEN(fields); i++)
        if (!has_field(status, fields[i])) {
            buf_printf(ret_missing, "%sstatus.%s", separator, fields[i]);
            separator = ", ";
        }
    json_decref(definition);
    if (schema)
        return 0;
    return error_set(err, ERROR_INVALID, "BadDefinition", "the definition has no schema of version %s",
                     TEE_VERSION_NAME);
}
