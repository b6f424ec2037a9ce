{{/* Names and labels. Everything is named after "homing.fullname", which is a valid name of a Service. */}}

{{- define "homing.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, with the chart's unless it is in it. A Service's name holds no dot and begins with a letter. */}}
{{- define "homing.fullname" -}}
{{- $name := .Values.fullnameOverride }}
{{- if not $name }}
{{- $chart := default .Chart.Name .Values.nameOverride }}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) }}
{{- end }}
{{- $name = replace "." "-" $name }}
{{- if regexMatch "^[^a-z]" $name }}{{ $name = printf "homing-%s" $name }}{{ end }}
{{- $name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* "homing.named" (list . "config"): the full name with a suffix, which is never cut off. */}}
{{- define "homing.named" -}}
{{- $suffix := index . 1 }}
{{- printf "%s-%s" (include "homing.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix }}
{{- end }}

{{- define "homing.selectorLabels" -}}
app.kubernetes.io/name: {{ include "homing.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
{{- end }}

{{/* The labels of the pod of `helm test`. Not those of the Service: it serves nobody. */}}
{{- define "homing.doctorLabels" -}}
app.kubernetes.io/name: {{ include "homing.name" . | trunc 56 | trimSuffix "-" }}-doctor
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "homing.labels" -}}
{{ include "homing.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The metadata of the object "name", the full name unless it is given, with "labels" and "annotations" of its own.
Names are quoted everywhere: 123, 1e3 and no are names too. Maps are merged, since YAML takes no key twice.
*/}}
{{- define "homing.metadata" -}}
{{- $own := include "homing.labels" .root | fromYaml -}}
name: {{ .name | default (include "homing.fullname" .root) | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels: {{- merge (dict) (.labels | default dict) (.root.Values.labels | default dict) $own | toYaml | nindent 2 }}
{{- with .annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "homing.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "homing.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "homing.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The ConfigMap that Homing watches, and its key. */}}
{{- define "homing.configMap" -}}
{{- .Values.existingConfigMap.name | default (include "homing.named" (list . "config")) }}
{{- end }}
{{- define "homing.configKey" -}}
{{- if .Values.existingConfigMap.name }}{{ .Values.existingConfigMap.key }}{{ else }}config.yaml{{ end }}
{{- end }}

{{/* The InferencePool; empty where labels say which pods are the engines. */}}
{{- define "homing.pool" -}}
{{- if or .Values.pool.create .Values.pool.name }}{{ .Values.pool.name | default (include "homing.fullname" .) }}{{ end }}
{{- end }}

{{- define "homing.pickersService" -}}
{{- include "homing.named" (list . "pickers") }}
{{- end }}

{{- define "homing.enginesService" -}}
{{- include "homing.named" (list . "engines") }}
{{- end }}

{{- define "homing.tlsSecret" -}}
{{- if .Values.tls.existingSecret }}{{ .Values.tls.existingSecret }}
{{- else if .Values.tls.certManager.enabled }}{{ include "homing.named" (list . "tls") }}{{ end }}
{{- end }}
