{{/* What a schema cannot say, or not in words: values that do not go together, or look like others. Each with what to do. */}}
{{- define "homing.check" -}}
{{- range $path := list "sessions.idleTimeout" "limits.bodyWait" "engineMetrics.interval" "engineMetrics.timeout" }}
{{- $parts := splitList "." $path }}
{{- $value := dig (first $parts) (last $parts) nil ($.Values.config | default dict) }}
{{- if not (or (kindIs "invalid" $value) (regexMatch "^([0-9]+(\\.[0-9]+)? ?[a-z]+ ?)+$" (toString $value))) }}
{{- fail (printf "config.%s: %v is no duration: write a number with a unit, as in 500ms, 10s or 1h." $path $value) }}
{{- end }}
{{- end }}
{{- range $path := list "limits.requestBody" "limits.bufferedBodies" }}
{{- $parts := splitList "." $path }}
{{- $value := dig (first $parts) (last $parts) nil ($.Values.config | default dict) }}
{{- if and (kindIs "string" $value) (not (regexMatch "^[0-9]+ ?(B|KB|MB|GB|KiB|MiB|GiB)?$" $value)) }}
{{- fail (printf "config.%s: %s is no size: write a whole number with B, KB, MB, GB, KiB, MiB or GiB, or plain bytes." $path $value) }}
{{- end }}
{{- end }}
{{- include "homing.checkShared" . }}
{{- range $name := list "nameOverride" "fullnameOverride" }}
{{- if not (regexMatch "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$" (get $.Values $name)) }}
{{- fail (printf "%s: %q is no name: it may hold lower-case letters, digits and '-' between them, 63 in all." $name (get $.Values $name)) }}
{{- end }}
{{- end }}
{{- range $name := list "labels" "podLabels" }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" }}
{{- if hasKey (get $.Values $name | default dict) $label }}
{{- fail (printf "%s: %s is the chart's own: by it Services find Homing's pods. nameOverride changes app.kubernetes.io/name." $name $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- range splitList "," .Values.picker.logLevel }}
{{- if not (regexMatch "^ *(|(?i)off|error|warn|info|debug|trace|[0-5]|.*[=:\\[].*) *$" .) }}
{{- fail (printf "picker.logLevel: %s is no level: write error, warn, info, debug or trace, or a filter as in info,homing::ext_proc=trace." .) }}
{{- end }}
{{- end }}
{{- $own := list }}
{{- range include "homing.serveArgs" . | fromYamlArray }}{{ $own = append $own (regexFind "^--[a-z-]+" .) }}{{ end }}
{{- range .Values.extraArgs }}
{{- $flag := regexFind "^--[a-z-]+" . }}
{{- if and $flag (has $flag $own) }}
{{- fail (printf "extraArgs: %s is given by the chart already; its value in README.md sets it." $flag) }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if eq .name "HOMING_LOG" }}
{{- fail "extraEnv: HOMING_LOG is given by the chart already: set picker.logLevel." }}
{{- end }}
{{- end }}
{{- $gateway := include "homing.gateway" . | fromYaml }}
{{- if not .Values.image.repository }}
{{- fail "image.repository is empty: there is no published image yet. Build one with `docker build -f deploy/Dockerfile -t REPOSITORY:TAG .`, push it to a registry that the cluster can pull from, and set image.repository=REPOSITORY and, unless it is the version of Homing, image.tag=TAG." }}
{{- end }}
{{- $selects := not (empty .Values.engines.selector) }}
{{- $pool := include "homing.pool" . }}
{{- if not (or $pool $selects) }}
{{- fail "Homing does not know its engines. Set pool.name to an InferencePool of this namespace; or pool.create=true with engines.selector (the labels of the engines' pods); or engines.selector alone, to do without an InferencePool." }}
{{- end }}
{{- if and .Values.pool.create (not $selects) }}
{{- fail "pool.create needs engines.selector: the labels of the engines' pods, for instance engines.selector.app=llama." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." }}
{{- end }}
{{- if and .Values.prometheusRule.enabled (not .Values.serviceMonitor.enabled) }}
{{- fail "prometheusRule.enabled needs serviceMonitor.enabled: the alerts take the series that it gives, and HomingDown is raised where there are none. For series of another kind take the rules of rules/alerts.yaml." }}
{{- end }}
{{- if and .Values.tls.existingSecret .Values.tls.certManager.enabled }}
{{- fail "tls.existingSecret and tls.certManager.enabled both say where the certificate comes from: choose one." }}
{{- end }}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.issuerRef.name) }}
{{- fail "tls.certManager.enabled needs tls.certManager.issuerRef.name, the Issuer (or ClusterIssuer, with issuerRef.kind) that signs." }}
{{- end }}
{{- if and (include "homing.tlsSecret" .) (not $gateway.tls) }}
{{- fail (printf "there is a certificate, but TLS is off: gateway %s speaks plain HTTP/2 to the picker unless tls.enabled=true says otherwise." .Values.gateway) }}
{{- end }}
{{- if and (has .Values.gateway (list "envoyAIGateway" "kgateway" "agentgateway")) (not $gateway.tls) }}
{{- fail (printf "gateway %s always speaks TLS to the picker: leave tls.enabled out or set it to true." .Values.gateway) }}
{{- end }}
{{- if not (or $pool (has .Values.gateway (list "none" "envoyGateway"))) }}
{{- fail (printf "gateway %s finds Homing through an InferencePool: set pool.name to one of this namespace, or pool.create=true." .Values.gateway) }}
{{- end }}
{{- if and (gt (int .Values.picker.maxEndpoints) 1) (has .Values.gateway (list "envoyAIGateway" "kgateway" "agentgateway" "nginxGatewayFabric")) }}
{{- fail (printf "gateway %s takes one destination and fails or ignores a list: leave picker.maxEndpoints at 1." .Values.gateway) }}
{{- end }}
{{- if eq .Values.gateway "envoyGateway" }}
{{- if not $selects }}
{{- fail "gateway envoyGateway needs engines.selector: Envoy Gateway does not know InferencePools, so the chart makes a Service of the engines." }}
{{- end }}
{{- if gt (len .Values.engines.targetPorts) 1 }}
{{- fail "gateway envoyGateway takes one port in engines.targetPorts: behind a Service, Envoy Gateway reaches one port of each pod." }}
{{- end }}
{{- if $gateway.tls }}
{{- fail "gateway envoyGateway speaks plain HTTP/2 to the picker: leave tls.enabled out or set it to false." }}
{{- end }}
{{- if not (include "homing.routes" .) }}
{{- fail "gateway envoyGateway needs a route to attach the picker to: set httpRoute.enabled=true, or name your HTTPRoutes in gatewaySettings.routes." }}
{{- end }}
{{- end }}
{{- if and .Values.httpRoute.enabled (empty .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateway that serves the route, for instance httpRoute.parentRefs[0].name=my-gateway." }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not $pool) (ne .Values.gateway "envoyGateway") }}
{{- fail (printf "httpRoute.enabled with gateway %s leads to an InferencePool: set pool.name, or pool.create=true." .Values.gateway) }}
{{- end }}
{{- end }}
