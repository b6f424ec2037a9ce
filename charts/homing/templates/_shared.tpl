{{/*
Where replicas share what they know: "bundled", "external" or nothing. In mode auto it is bundled where more than one
replica may run. An upgrade that reuses the values of an older release has no sharedState, and shares nothing.
*/}}
{{- define "homing.shared" -}}
{{- $mode := (.Values.sharedState | default dict).mode | default "none" }}
{{- if eq $mode "auto" }}{{ if gt (int (include "homing.mostReplicas" .)) 1 }}bundled{{ end }}
{{- else if ne $mode "none" }}{{ $mode }}{{ end }}
{{- end }}

{{/* How many replicas there may be. */}}
{{- define "homing.mostReplicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.maxReplicas }}{{ else }}{{ int .Values.replicas }}{{ end }}
{{- end }}

{{- define "homing.valkey" -}}
{{- include "homing.named" (list . "valkey") }}
{{- end }}

{{/* The labels of the bundled Valkey's pod. Not those of Homing's Service, and not those of `helm test`. */}}
{{- define "homing.valkeyLabels" -}}
app.kubernetes.io/name: {{ include "homing.name" . | trunc 56 | trimSuffix "-" }}-valkey
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
{{- end }}

{{- define "homing.valkeyImage" -}}
{{- with .Values.sharedState.bundled.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The Secret with the password; empty where there is none, which only an external one can do without. */}}
{{- define "homing.sharedSecret" -}}
{{- $shared := include "homing.shared" . }}
{{- if $shared }}{{ .Values.sharedState.existingSecret.name | default (ternary (include "homing.valkey" .) "" (eq $shared "bundled")) }}{{ end }}
{{- end }}
{{- define "homing.sharedSecretKey" -}}
{{- if .Values.sharedState.existingSecret.name }}{{ .Values.sharedState.existingSecret.key }}{{ else }}password{{ end }}
{{- end }}

{{/* Whether somebody's certificates are to be trusted. */}}
{{- define "homing.sharedAuthority" -}}
{{- if eq (include "homing.shared" .) "external" }}{{ with .Values.sharedState.external.ca }}{{ .secret | default .configMap }}{{ end }}{{ end }}
{{- end }}

{{/* Whose news a replica takes. Where there is no pool, its uid cannot say that. */}}
{{- define "homing.sharedGroup" -}}
{{- $own := ternary "" (printf "%s.%s" .Release.Namespace (include "homing.fullname" .)) (not (empty (include "homing.pool" .))) }}
{{- .Values.sharedState.group | default $own }}
{{- end }}

{{/* Where the shared state is; `serve` and `doctor` take the same flags. */}}
{{- define "homing.sharedArgs" -}}
{{- $shared := include "homing.shared" . }}
{{- if $shared }}
{{- if eq $shared "bundled" }}
- --shared-state=redis://{{ include "homing.valkey" . }}.{{ .Release.Namespace }}.svc:6379
{{- else }}
{{- range .Values.sharedState.external.urls }}
- --shared-state={{ . }}
{{- end }}
{{- if .Values.sharedState.external.cluster }}
- --shared-state-cluster
{{- end }}
{{- with .Values.sharedState.external.sentinel }}
- --shared-state-sentinel={{ . }}
{{- end }}
{{- if include "homing.sharedAuthority" . }}
- --shared-state-ca-file=/etc/homing/shared-state-ca/ca.crt
{{- end }}
{{- end }}
{{- if include "homing.sharedSecret" . }}
- --shared-state-password-file=/etc/homing/shared-state/password
{{- end }}
{{- with include "homing.sharedGroup" . }}
- --state-group={{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* How it is shared. */}}
{{- define "homing.sharingArgs" -}}
{{- if include "homing.shared" . }}
- --shared-state-interval={{ .Values.sharedState.interval }}
- --shared-state-log={{ include "homing.size" .Values.sharedState.logSize }}
- --shared-state-warm-up={{ .Values.sharedState.warmUpSeconds }}s
{{- end }}
{{- end }}

{{- define "homing.sharedMounts" -}}
{{- if include "homing.sharedSecret" . }}
- {name: shared-state, mountPath: /etc/homing/shared-state, readOnly: true}
{{- end }}
{{- if include "homing.sharedAuthority" . }}
- {name: shared-state-ca, mountPath: /etc/homing/shared-state-ca, readOnly: true}
{{- end }}
{{- end }}

{{/* Followed while they change. Without them Homing picks alone, and says so; it starts all the same. */}}
{{- define "homing.sharedVolumes" -}}
{{- with include "homing.sharedSecret" . }}
- name: shared-state
  secret:
    secretName: {{ . | quote }}
    optional: true
    items: [{key: {{ include "homing.sharedSecretKey" $ | quote }}, path: password}]
{{- end }}
{{- if include "homing.sharedAuthority" . }}
{{- with .Values.sharedState.external.ca }}
- name: shared-state-ca
  {{- if .secret }}
  secret:
    secretName: {{ .secret | quote }}
  {{- else }}
  configMap:
    name: {{ .configMap | quote }}
  {{- end }}
    optional: true
    items: [{key: {{ .key | quote }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}

{{/* The ports of an external one: those that are given, else those of its addresses. */}}
{{- define "homing.sharedPorts" -}}
{{- $ports := list }}
{{- range .Values.sharedState.external.ports }}{{ $ports = append $ports (int .) }}{{ end }}
{{- if empty $ports }}
{{- range .Values.sharedState.external.urls }}
{{- $port := regexFind ":[0-9]+(/[0-9]*)?$" . | trimPrefix ":" | regexFind "^[0-9]+" }}
{{- $ports = append $ports (int (default "6379" $port)) }}
{{- end }}
{{- end }}
{{- $ports | uniq | toJson }}
{{- end }}

{{/* A size as text; a number of YAML is a floating point number here. */}}
{{- define "homing.size" -}}
{{- if kindIs "string" . }}{{ replace " " "" . }}{{ else }}{{ int64 . }}{{ end }}
{{- end }}

{{/* The same in bytes, as Homing writes it (32MiB) or as Kubernetes does (128Mi); 0 where it is none. */}}
{{- define "homing.bytes" -}}
{{- $size := include "homing.size" . }}
{{- $number := regexFind "^[0-9]+" $size | int64 }}
{{- $unit := regexReplaceAll "^[0-9]+" $size "" | trimSuffix "B" }}
{{- $units := dict "" 1 "k" 1000 "K" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 }}
{{- mul $number (get $units $unit | default 0) }}
{{- end }}
