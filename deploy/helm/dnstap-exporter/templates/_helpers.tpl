{{- /* SPDX-License-Identifier: Apache-2.0 */}}
{{- /* A template's name is one for all charts of a release, so that each begins with this chart's. */}}

{{- define "dnstap-exporter.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{- /* What everything is called. With "-metrics" it has 63 characters at most, as a Service's name may have. */}}
{{- define "dnstap-exporter.fullname" -}}
{{- $name := include "dnstap-exporter.name" . -}}
{{- $long := contains $name .Release.Name | ternary .Release.Name (print .Release.Name "-" $name) -}}
{{ .Values.fullnameOverride | default $long | trunc 55 | trimSuffix "-" }}
{{- end }}

{{- /* What pods are chosen by, which must never change. */}}
{{- define "dnstap-exporter.selector" -}}
app.kubernetes.io/name: {{ include "dnstap-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "dnstap-exporter.labels" -}}
{{ include "dnstap-exporter.selector" . }}
app.kubernetes.io/component: exporter
app.kubernetes.io/part-of: dnstap-exporter
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Of (list CONTEXT LABELS): these and those, which may be the same but for what pods are chosen by. */}}
{{- define "dnstap-exporter.labelsAnd" -}}
{{- $context := first . -}}
{{- $ours := include "dnstap-exporter.labels" $context | fromYaml -}}
{{- mergeOverwrite $ours (last . | default dict) (include "dnstap-exporter.selector" $context | fromYaml) | toYaml }}
{{- end }}

{{- /* dnstap_exporter.yml. */}}
{{- define "dnstap-exporter.config" -}}
{{- $archive := dict "folder" "/archive/dnstap" -}}
{{- mergeOverwrite (deepCopy .Values.config) (.Values.archive.enabled | ternary (dict "archive" $archive) dict) | toYaml }}
{{- end }}

{{- define "dnstap-exporter.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "dnstap-exporter.fullname" .) "default") }}
{{- end }}

{{- /* The Secret with web.yml; nothing where the pages are for everybody, without TLS. */}}
{{- define "dnstap-exporter.webSecret" -}}
{{- with .Values.web -}}
{{- if or .existingSecret .tls.secretName .users -}}
{{ .existingSecret | default (print (include "dnstap-exporter.fullname" $) "-web") }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The web configuration. Its paths are of files beside it. */}}
{{- define "dnstap-exporter.webConfig" -}}
{{- with .Values.web.tls.secretName -}}
tls_server_config:
  cert_file: tls.crt
  key_file: tls.key
  {{- if $.Values.web.tls.clientAuth }}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  {{- end }}
{{ end }}
{{- with .Values.web.users -}}
basic_auth_users: {{- toYaml . | nindent 2 }}
{{ end }}
{{- end }}

{{- /* A probe of (list CONTEXT PATH). The kubelet does not verify certificates, has none, and knows no password: where one is
needed, the probe is whether port 9353 listens; port 6000 does a moment later. Not that one: each probe would count as a DNS
server's connection. */}}
{{- define "dnstap-exporter.probe" -}}
{{- $web := (first .).Values.web -}}
{{- if or $web.existingSecret $web.users $web.tls.clientAuth -}}
tcpSocket: {port: metrics}
{{- else -}}
httpGet: {path: {{ last . }}, port: metrics, scheme: {{ empty $web.tls.secretName | ternary "HTTP" "HTTPS" }}}
{{- end }}
{{- end }}
