{{/* What does not go together in sharedState. */}}
{{- define "homing.checkShared" -}}
{{- $shared := include "homing.shared" . }}
{{- range .Values.extraArgs }}
{{- with regexFind "^--(shared-state[a-z-]*|state-group)" . }}
{{- fail (printf "extraArgs: %s belongs to sharedState: set sharedState.mode and what goes with it." .) }}
{{- end }}
{{- end }}
{{- with .Values.sharedState }}
{{- if and (ne .mode "external") .external.urls }}
{{- fail (printf "sharedState.external.urls is set, but sharedState.mode is %s: set sharedState.mode=external, or leave the URLs out." .mode) }}
{{- end }}
{{- end }}
{{- if $shared }}
{{- $log := include "homing.size" .Values.sharedState.logSize }}
{{- if not (regexMatch "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)?$" $log) }}
{{- fail (printf "sharedState.logSize: %s is no size: write a whole number with B, KB, MB, GB, KiB, MiB or GiB, or plain bytes." $log) }}
{{- end }}
{{- end }}
{{- if $shared }}
{{- if lt (include "homing.bytes" .Values.sharedState.logSize | int64) 1048576 }}
{{- fail (printf "sharedState.logSize: %s is too little to start from: write at least 1MiB." (include "homing.size" .Values.sharedState.logSize)) }}
{{- end }}
{{- $interval := trimSuffix "ms" .Values.sharedState.interval | int }}
{{- if or (lt $interval 5) (gt $interval 500) }}
{{- fail (printf "sharedState.interval: %s is not between 5ms and 500ms; above, replicas would believe each other gone." .Values.sharedState.interval) }}
{{- end }}
{{- end }}
{{- if eq $shared "bundled" }}
{{- with .Values.sharedState.bundled }}
{{- $most := include "homing.size" .maxMemory }}
{{- if not (regexMatch "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)?$" $most) }}
{{- fail (printf "sharedState.bundled.maxMemory: %s is no size: write a whole number with B, KB, MB, GB, KiB, MiB or GiB, or plain bytes." $most) }}
{{- end }}
{{- $bytes := include "homing.bytes" $most | int64 }}
{{- if lt $bytes (mul 2 (include "homing.bytes" $.Values.sharedState.logSize | int64)) }}
{{- fail (printf "sharedState.bundled.maxMemory: %s is less than twice sharedState.logSize (%s): a Valkey that is full takes no news. Raise the one or lower the other." $most (include "homing.size" $.Values.sharedState.logSize)) }}
{{- end }}
{{- $limit := include "homing.size" (dig "limits" "memory" "" (.resources | default dict)) }}
{{- if and (regexMatch "^[0-9]+(k|M|G|Ki|Mi|Gi)?$" $limit) (lt (mul 2 (include "homing.bytes" $limit | int64)) (mul 3 $bytes)) }}
{{- fail (printf "sharedState.bundled.resources.limits.memory: %s is less than one and a half times sharedState.bundled.maxMemory (%s): Valkey would be killed before it says that it is full. Raise the one or lower the other." $limit $most) }}
{{- end }}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" }}
{{- if hasKey ($.Values.sharedState.bundled.podLabels | default dict) $label }}
{{- fail (printf "sharedState.bundled.podLabels: %s is the chart's own: by it Homing finds its Valkey." $label) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $shared "external" }}
{{- with .Values.sharedState.external }}
{{- if empty .urls }}
{{- fail "sharedState.mode=external needs sharedState.external.urls, for instance sharedState.external.urls={rediss://homing@valkey.example.com:6379}." }}
{{- end }}
{{- if and (gt (len .urls) 1) (not (or .cluster .sentinel)) }}
{{- fail "sharedState.external.urls: several URLs are nodes of a cluster or sentinels: set sharedState.external.cluster=true, or sharedState.external.sentinel to the name of the server. One server has one URL." }}
{{- end }}
{{- if and .cluster .sentinel }}
{{- fail "sharedState.external.cluster and sharedState.external.sentinel both say what the URLs are: choose one." }}
{{- end }}
{{- $tls := false }}
{{- $sentinel := .sentinel }}
{{- range .urls }}
{{- if not (regexMatch "^(redis|valkey)s?://([^@/ ]*@)?[^@/: ]+(:[0-9]+)?(/[0-9]*)?$|^(redis|valkey)s?://([^@/ ]*@)?\\[[0-9a-fA-F:]+\\](:[0-9]+)?(/[0-9]*)?$" .) }}
{{- fail (printf "sharedState.external.urls: %s is no URL of a Valkey: write redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS." (regexReplaceAll ":[^:@/]*@" . ":…@")) }}
{{- end }}
{{- /* A password in the URL of a sentinel is the sentinel's own, which no Secret can bring. */}}
{{- if and (regexMatch "://[^@/]*:[^@/]*@" .) (not $sentinel) }}
{{- fail "sharedState.external.urls: a URL holds a password, which everybody sees who may read the Deployment: leave it out, put it into a Secret and name that in sharedState.existingSecret.name." }}
{{- end }}
{{- if and (regexMatch "://[^@/]+@" .) (not $sentinel) (not $.Values.sharedState.existingSecret.name) }}
{{- fail (printf "sharedState.external.urls: %s names a user, who has a password: put it into a Secret and name that in sharedState.existingSecret.name." .) }}
{{- end }}
{{- if regexMatch "^(rediss|valkeys)://" . }}{{ $tls = true }}{{ end }}
{{- end }}
{{- if and .ca.secret .ca.configMap }}
{{- fail "sharedState.external.ca.secret and sharedState.external.ca.configMap both say where the certificates are: choose one." }}
{{- end }}
{{- if and (or .ca.secret .ca.configMap) (not $tls) }}
{{- fail "sharedState.external.ca names certificates, but no URL in sharedState.external.urls uses TLS: write rediss:// instead of redis://." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
