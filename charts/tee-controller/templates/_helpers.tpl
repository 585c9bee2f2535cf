{{- define "tee-controller.name" -}}
{{- default "tee-controller" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tee-controller.selectorLabels" -}}
app.kubernetes.io/name: tee-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tee-controller.labels" -}}
{{ include "tee-controller.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "tee-controller.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tee-controller.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* A digest wins over a tag; without either the tag is the version that this chart was made for. */ -}}
{{- define "tee-controller.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* The environment variables of the controller's defaults; a value that is not set leaves its variable out. */ -}}
{{- define "tee-controller.environment" -}}
{{- $values := list
  (list "AWS_REGION" .Values.aws.region)
  (list "AWS_NITRO_AMI_ID" .Values.nitro.amiID)
  (list "AWS_NITRO_INSTANCE_TYPE" .Values.nitro.instanceType)
  (list "AWS_NITRO_SUBNET_ID" .Values.nitro.subnetID)
  (list "AWS_NITRO_SECURITY_GROUP_ID" .Values.nitro.securityGroupID)
  (list "AWS_NITRO_KEY_NAME" .Values.nitro.keyName)
  (list "AWS_NITRO_IAM_INSTANCE_PROFILE" .Values.nitro.iamInstanceProfile)
  (list "AWS_NITRO_ENCLAVE_CPU_COUNT" .Values.nitro.enclaveCPUCount)
  (list "AWS_NITRO_ENCLAVE_MEMORY_MB" .Values.nitro.enclaveMemoryMiB) -}}
{{- range $values }}
{{- if last . }}
- name: {{ first . }}
  value: {{ last . | toString | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tee-controller.objectRules" }}
# patch on the object itself is for the finalizer alone.
- apiGroups: [tee.dev]
  resources: [teedeployments]
  verbs: [get, list, watch, patch]
- apiGroups: [tee.dev]
  resources: [teedeployments/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
