{{/* The arguments of `homing serve`, but for extraArgs. */}}
{{- define "homing.serveArgs" -}}
{{- $gateway := include "homing.gateway" . | fromYaml }}
- serve
{{- include "homing.endpointArgs" . }}
{{- include "homing.sharedArgs" . }}
{{- include "homing.sharingArgs" . }}
- --config-file=/etc/homing/config/{{ include "homing.configKey" . }}
- --ready-grace={{ .Values.picker.readyGraceSeconds }}s
- --secure-serving={{ $gateway.tls }}
{{- if include "homing.tlsSecret" . }}
- --cert-path=/etc/homing/tls
{{- else if $gateway.tls }}
- --cert-name={{ include "homing.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}
{{- if $gateway.clearRouteCache }}
- --clear-route-cache
{{- end }}
{{- if .Values.picker.explainHeader }}
- --explain-header
{{- end }}
- --max-endpoints={{ .Values.picker.maxEndpoints }}
{{- with .Values.picker.threads }}
- --threads={{ int64 . }}
{{- end }}
- --drain-window={{ .Values.drain.windowSeconds }}s
- --drain-timeout={{ .Values.drain.streamSeconds }}s
- --log-format={{ .Values.picker.logFormat }}
{{- end }}

{{/* Where Homing's endpoints come from; `serve` and `doctor` take the same flags. */}}
{{- define "homing.endpointArgs" -}}
{{- with include "homing.pool" . }}
- --pool-name={{ . }}
{{- else }}
- --endpoint-selector={{ include "homing.engineLabels" . }}
- --endpoint-target-ports={{ join "," .Values.engines.targetPorts }}
{{- if ne .Values.pool.appProtocol "http" }}
- --endpoint-app-protocol={{ .Values.pool.appProtocol }}
{{- end }}
{{- end }}
- --pool-namespace={{ .Release.Namespace }}
- --config-map={{ include "homing.configMap" . }}{{ with include "homing.configKey" . }}{{ if ne . "config.yaml" }}/{{ . }}{{ end }}{{ end }}
{{- end }}

{{- define "homing.engineLabels" -}}
{{- $pairs := list }}
{{- range $label, $value := .Values.engines.selector }}{{ $pairs = append $pairs (printf "%s=%s" $label $value) }}{{ end }}
{{- join "," $pairs }}
{{- end }}
