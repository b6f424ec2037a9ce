{{/* The alerts of rules/alerts.yaml, for the series of this release only. */}}
{{- define "homing.alerts" -}}
{{- $release := printf "namespace=%q,service=%q" .Release.Namespace (include "homing.fullname" .) }}
{{- $raised := has .Values.gateway (list "envoyGateway" "istio") }}
{{- $default := ternary (div (mul .Values.gatewaySettings.maxRequests 9) 10) 900 $raised }}
{{- $streams := .Values.prometheusRule.openStreams | default $default | int64 | toString }}
{{- $rules := .Files.Get "rules/alerts.yaml" | replace "RELEASE" $release | replace "STREAMS" $streams }}
{{- $none := and (eq (int .Values.replicas) 0) (not .Values.autoscaling.enabled) }}
{{- range $rule := fromYamlArray $rules }}
{{- with $.Values.prometheusRule.runbookUrl }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s#%s" . (lower $rule.alert)) }}
{{- end }}
{{- $off := and (not (include "homing.shared" $)) (has $rule.alert (list "HomingSharedStateDown" "HomingReplicasUnheard")) }}
{{- if not (or $off (and $none (eq $rule.alert "HomingDown"))) }}
{{ list $rule | toYaml }}
{{- end }}
{{- end }}
{{- end }}
