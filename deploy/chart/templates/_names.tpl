{{- define "slipway.labels" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "slipway.service.labels" -}}
{{ include "slipway.labels" . }}
app.kubernetes.io/component: service
{{- end }}

{{- define "slipway.controller.labels" -}}
{{ include "slipway.labels" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "slipway.webhook.labels" -}}
{{ include "slipway.labels" . }}
app.kubernetes.io/component: webhook
{{- end }}

{{- define "slipway.webhook.client" -}}
service:
  name: slipway-webhook
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: 443
{{- with .root.Values.webhook.caBundle }}
caBundle: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "slipway.service.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/component: service
{{- end }}

{{- define "slipway.controller.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/component: controller
{{- end }}

{{- define "slipway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "slipway.host" -}}
slipway.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "slipway.internalUrl" -}}
{{ ternary "https" "http" (not (empty .Values.tls.secretName)) }}://{{ include "slipway.host" . }}
{{- end }}

{{- define "slipway.port" -}}
{{ ternary 443 80 (not (empty .Values.tls.secretName)) }}
{{- end }}

{{- define "slipway.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{ .Values.publicUrl }}
{{- else if .Values.ingress.enabled -}}
{{ ternary "https" "http" (not (empty .Values.ingress.tlsSecretName)) }}://{{ .Values.ingress.host }}
{{- else if .Values.gateway.enabled -}}
https://{{ .Values.gateway.host }}
{{- else -}}
$(SLIPWAY_INTERNAL_URL)
{{- end -}}
{{- end }}

{{- define "slipway.pod.security" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "slipway.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "slipway.probe" -}}
httpGet:
  path: {{ .path }}
  port: web
  {{- if .root.Values.tls.secretName }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{- /* The API server, which is no pod and, for some networks, no address either; and a resolver, which may live on the node. */ -}}
{{- define "slipway.egress" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - port: {{ . }}
    {{- end }}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
{{- end }}
