{{/* The alerts of rules/alerts.yaml, for the series of this release only. */}}
{{- define "homing.alerts" -}}
{{- $release := printf "namespace=%q,service=%q" .Release.Namespace (include "homing.fullname" .) }}
{{- $raised := has .Values.gateway (list "envoyGateway" "istio") }}
{{- $default := ternary (div (mul .Values.gatewaySettings.maxRequests 9) 10) 900 $raised }}
{{- $streams := .Values.prometheusRule.openStreams | default $default | int64 | toString }}
{{- $rules := .Files.Get "rules/alerts.yaml" | replace "RELEASE" $release | replace "STREAMS" $streams }}
{{- range $rule := fromYamlArray $rules }}
{{- $_ := set $rule.annotations "runbook" (printf "docs/alerts.md#%s" (lower $rule.alert)) }}
{{ list $rule | toYaml }}
{{- end }}
{{- end }}
