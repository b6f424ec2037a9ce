{{/* What each gateway needs of the picker's port, as YAML. The values win where they say something. */}}
{{- define "homing.gateway" -}}
{{- $needs := dict
  "none" (dict "tls" true "clearRouteCache" false)
  "envoyGateway" (dict "tls" false "clearRouteCache" false)
  "envoyAIGateway" (dict "tls" true "clearRouteCache" false)
  "istio" (dict "tls" true "clearRouteCache" false)
  "kgateway" (dict "tls" true "clearRouteCache" true)
  "agentgateway" (dict "tls" true "clearRouteCache" false)
  "gke" (dict "tls" true "clearRouteCache" false)
  "nginxGatewayFabric" (dict "tls" true "clearRouteCache" false)
}}
{{- $need := get $needs .Values.gateway }}
{{- $tls := ternary $need.tls .Values.tls.enabled (kindIs "invalid" .Values.tls.enabled) }}
{{- $clear := ternary $need.clearRouteCache .Values.picker.clearRouteCache (kindIs "invalid" .Values.picker.clearRouteCache) }}
tls: {{ $tls }}
clearRouteCache: {{ $clear }}
appProtocol: {{ .Values.service.appProtocol | default (ternary "http2" "kubernetes.io/h2c" $tls) | quote }}
{{- end }}

{{/* The routes to which Envoy Gateway's policies are attached. */}}
{{- define "homing.routes" -}}
{{- $routes := .Values.gatewaySettings.routes }}
{{- if .Values.httpRoute.enabled }}{{ $routes = prepend $routes (include "homing.fullname" .) }}{{ end }}
{{- range $routes | uniq }}
- group: gateway.networking.k8s.io
  kind: HTTPRoute
  name: {{ . | quote }}
{{- end }}
{{- end }}
