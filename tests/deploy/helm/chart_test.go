// SPDX-License-Identifier: Apache-2.0

// What the chart of deploy/helm makes of values, by Helm's own renderer. helm.sh runs it.
package chart

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

const folder = "../../../deploy/helm/dnstap-exporter"

type object = map[string]any

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm says of each link that it is one
	os.Exit(m.Run())
}

func read(t *testing.T, text string) object {
	t.Helper()
	values := object{}
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return values
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// A chart whose helpers have the names that many charts give theirs, and ours as the one it depends on.
func parent(t *testing.T) *chart.Chart {
	t.Helper()
	top := t.TempDir()
	files := map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: parent\nversion: 1.0.0\nappVersion: 9.9.9\n" +
			"dependencies: [{name: dnstap-exporter, version: 0.2.0}]\n",
		"templates/_helpers.tpl": "",
	}
	for _, name := range []string{"labels", "selector", "selectorLabels", "name", "fullname", "labelsAnd", "serviceAccount",
		"probe", "config", "webConfig", "webSecret"} {
		files["templates/_helpers.tpl"] += fmt.Sprintf("{{ define %q }}of: parent{{ end }}\n", name)
	}
	for name, text := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := loader.LoadDir(top)
	if err != nil {
		t.Fatal(err)
	}
	loaded.AddDependency(load(t))
	return loaded
}

func render(whole *chart.Chart, release string, values object) (map[string]string, error) {
	options := chartutil.ReleaseOptions{Name: release, Namespace: "taps", IsInstall: true}
	if err := chartutil.ProcessDependencies(whole, values); err != nil {
		return nil, err
	}
	all, err := chartutil.ToRenderValues(whole, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(whole, all)
}

// The objects by kind and name, and the notes.
func made(t *testing.T, whole *chart.Chart, release string, values object) (map[string]object, string) {
	t.Helper()
	files, err := render(whole, release, values)
	if err != nil {
		t.Fatal(err)
	}
	objects, notes := map[string]object{}, ""
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes = text
			continue
		}
		for _, document := range strings.Split(text, "\n---\n") {
			if strings.TrimSpace(document) == "" {
				continue
			}
			// Strict: the same key twice is an error.
			one := read(t, document)
			if len(one) > 0 {
				objects[fmt.Sprint(one["kind"], " ", at(one, "metadata", "name"))] = one
			}
		}
	}
	return objects, notes
}

// What is there below these keys and indexes; nil if nothing is.
func at(from any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			below, _ := from.(object)
			from = below[step]
		case int:
			list, _ := from.([]any)
			if step >= len(list) {
				return nil
			}
			from = list[step]
		}
	}
	return from
}

func check(t *testing.T, from any, want string, path ...any) {
	t.Helper()
	var wanted any
	if err := yaml.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if got := at(from, path...); !reflect.DeepEqual(got, wanted) {
		text, _ := yaml.Marshal(got)
		t.Errorf("%v: it is\n%s, and should be %s", path, text, want)
	}
}

func podOf(workload object) any { return at(workload, "spec", "template", "spec") }

func everything(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile("everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return read(t, string(text))
}

// Names, labels and who chooses whom: of all objects, whatever the values are.
func checkWhole(t *testing.T, objects map[string]object, name string) {
	t.Helper()
	workload := objects["Deployment "+name]
	pod := at(workload, "spec", "template", "metadata", "labels").(object)
	labelled := []any{pod}
	for key, one := range objects {
		labelled = append(labelled, at(one, "metadata", "labels"))
		if !strings.HasPrefix(at(one, "metadata", "name").(string), name) && one["kind"] != "ServiceAccount" {
			t.Errorf("%s is not called as %s", key, name)
		}
		for _, path := range [][]any{{"spec", "selector", "matchLabels"}, {"spec", "podSelector", "matchLabels"}, {"spec", "selector"}} {
			chosen, _ := at(one, path...).(object)
			if chosen == nil || chosen["matchLabels"] != nil {
				continue
			}
			if len(chosen) != 2 {
				t.Errorf("%s chooses by %v", key, chosen)
			}
			for label, value := range chosen {
				if pod[label] != value {
					t.Errorf("%s chooses pods by %s=%v, which they do not have", key, label, value)
				}
			}
		}
	}
	for _, labels := range labelled {
		for _, label := range []string{"name", "instance", "component", "part-of", "version", "managed-by"} {
			if value, _ := at(labels, "app.kubernetes.io/"+label).(string); value == "" {
				t.Errorf("no label %s in %v", label, labels)
			}
		}
	}
	// Any user: neither is one fixed, nor may it be root.
	text, _ := yaml.Marshal(workload)
	if found := regexp.MustCompile(`runAs(User|Group)`).Find(text); found != nil {
		t.Errorf("it has %s", found)
	}
	check(t, podOf(workload), "true", "securityContext", "runAsNonRoot")
	check(t, podOf(workload), "false", "automountServiceAccountToken")
	check(t, podOf(workload), "{readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
		"containers", 0, "securityContext")
	check(t, podOf(workload), "[{name: dnstap, containerPort: 6000}, {name: metrics, containerPort: 9353}]", "containers", 0, "ports")
	check(t, objects["Service "+name], "[{name: dnstap, port: 6000, targetPort: dnstap}]", "spec", "ports")
	check(t, objects["Service "+name+"-metrics"], "[{name: metrics, port: 9353, targetPort: metrics}]", "spec", "ports")
	// Pods of two namespaces may have the same name.
	check(t, objects["PodMonitor "+name], `
- {targetLabel: job, replacement: dnstap}
- {targetLabel: instance, sourceLabels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_name], separator: /}
`, "spec", "podMetricsEndpoints", 0, "relabelings")
}

func TestDefaults(t *testing.T) {
	objects, notes := made(t, load(t), "dnstap-exporter", object{})
	checkWhole(t, objects, "dnstap-exporter")
	workload := objects["Deployment dnstap-exporter"]
	check(t, workload, `[--config.file=/etc/dnstap_exporter/dnstap_exporter.yml]`, "spec", "template", "spec", "containers", 0, "args")
	check(t, podOf(workload), "{httpGet: {path: /-/ready, port: metrics, scheme: HTTP}, timeoutSeconds: 5}",
		"containers", 0, "readinessProbe")
	check(t, podOf(workload), "dnstap-exporter", "serviceAccountName")
	check(t, objects["ServiceAccount dnstap-exporter"], "false", "automountServiceAccountToken")
	if len(objects) != 11 {
		t.Errorf("%d objects", len(objects))
	}
	for _, words := range []string{"get service dnstap-exporter ", "identity coredns", "http://localhost:9353", "deployment/dnstap-exporter 9353"} {
		if !strings.Contains(notes, words) {
			t.Errorf("the notes do not have %q:\n%s", words, notes)
		}
	}
}

func TestEverything(t *testing.T) {
	values := everything(t)
	objects, notes := made(t, load(t), "release", everything(t))
	checkWhole(t, objects, "dns-taps")
	workload := objects["Deployment dns-taps"]
	pod := podOf(workload)
	// These are taken as they are.
	for value, path := range map[string][]any{
		"resources": {"containers", 0, "resources"}, "nodeSelector": {"nodeSelector"}, "tolerations": {"tolerations"},
		"affinity": {"affinity"}, "topologySpreadConstraints": {"topologySpreadConstraints"},
		"priorityClassName": {"priorityClassName"}, "podSecurityContext": {"securityContext"},
	} {
		if !reflect.DeepEqual(at(pod, path...), values[value]) {
			t.Errorf("%s is %v", value, at(pod, path...))
		}
	}
	check(t, pod, "[{name: registry}]", "imagePullSecrets")
	check(t, pod, "taps", "serviceAccountName")
	check(t, objects["ServiceAccount taps"], "{example.org/role: none}", "metadata", "annotations")
	check(t, pod, "{name: state, mountPath: /var/lib/dnstap_exporter}", "containers", 0, "volumeMounts", 2)
	check(t, pod, "{name: archive, persistentVolumeClaim: {claimName: messages}}", "volumes", 1)
	check(t, pod, "{name: state, emptyDir: {}}", "volumes", 2)
	labels := at(workload, "spec", "template", "metadata", "labels")
	check(t, labels, "dns", "team")
	check(t, labels, "dns", "app.kubernetes.io/part-of")
	check(t, labels, "taps", "app.kubernetes.io/name")
	check(t, workload, "dns", "spec", "template", "metadata", "annotations", "example.org/owner")
	check(t, objects["PodMonitor dns-taps"], "dns", "metadata", "labels", "app.kubernetes.io/part-of")
	endpoint := at(objects["PodMonitor dns-taps"], "spec", "podMetricsEndpoints", 0)
	for _, key := range []string{"basicAuth", "tlsConfig", "interval"} {
		if !reflect.DeepEqual(at(endpoint, key), at(values, "podMonitor", key)) {
			t.Errorf("the PodMonitor's %s is %v", key, at(endpoint, key))
		}
	}
	check(t, endpoint, "https", "scheme")
	if !strings.Contains(notes, "get service dns-taps ") || !strings.Contains(notes, "https://localhost:9353") {
		t.Errorf("the notes are of another chart:\n%s", notes)
	}
	// All values of values.yaml are there, so that none is forgotten here.
	for name := range load(t).Values {
		if values[name] == nil {
			t.Errorf("everything.yaml does not have %s", name)
		}
	}
}

// With a parent chart it makes the same: no helper of either is the other's.
func TestParent(t *testing.T) {
	for _, values := range []object{{}, everything(t)} {
		alone, _ := made(t, load(t), "release", values)
		below, _ := made(t, parent(t), "release", object{"dnstap-exporter": values, "global": object{"imageRegistry": "x"}})
		if len(alone) != len(below) {
			t.Errorf("alone %d objects, with a parent %d", len(alone), len(below))
		}
		for name := range alone {
			if !reflect.DeepEqual(alone[name], below[name]) {
				one, _ := yaml.Marshal(alone[name])
				other, _ := yaml.Marshal(below[name])
				t.Errorf("%s is, alone\n%s\nand with a parent\n%s", name, one, other)
			}
		}
	}
	for _, file := range load(t).Templates {
		for _, name := range regexp.MustCompile(`define "([^"]*)"`).FindAllStringSubmatch(string(file.Data), -1) {
			if !strings.HasPrefix(name[1], "dnstap-exporter.") {
				t.Errorf("%s: a parent's helper %q takes the place of the chart's", file.Name, name[1])
			}
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 53)
	for _, one := range []struct{ release, values, want string }{
		{"dnstap-exporter", "{}", "dnstap-exporter"},
		{"my-dnstap-exporter", "{}", "my-dnstap-exporter"},
		{"dns", "{}", "dns-dnstap-exporter"},
		{"true", "{}", "true-dnstap-exporter"},
		{"dns", "{nameOverride: taps}", "dns-taps"},
		{"dns", "{fullnameOverride: taps, nameOverride: other}", "taps"},
		{long, "{}", long + "-d"},
	} {
		objects, _ := made(t, load(t), one.release, read(t, one.values))
		checkWhole(t, objects, one.want)
		for _, of := range objects {
			if name := at(of, "metadata", "name").(string); of["kind"] == "Service" && len(name) > 63 {
				t.Errorf("%s has %d characters", name, len(name))
			}
		}
	}
}

const hash = "$2y$10$CwTycUXWue0Thq9StjUM0uJ8sZ3lL7wOh3wYkz8Jl9NhP6yZ1nU2a"

func TestWeb(t *testing.T) {
	const tls, users, auth = "tls: {secretName: tls}", "users: {prometheus: " + hash + "}", "tls: {secretName: tls, clientAuth: true}"
	const ofConfig, ofWeb, ofTLS = "configMap: {name: dnstap-exporter}", "secret: {name: dnstap-exporter-web, items: [{key: web.yml, path: web.yml}]}",
		"secret: {name: tls}"
	const open, whole = "httpGet: {path: /-/healthy, port: metrics, scheme: HTTPS}", "tcpSocket: {port: metrics}"
	const files = "cert_file: tls.crt, key_file: tls.key"
	for _, one := range []struct {
		values, secret, liveness string
		sources                  []string
		scheme                   string
	}{
		{tls, "tls_server_config: {" + files + "}", open, []string{ofConfig, ofWeb, ofTLS}, "https"},
		{users, "basic_auth_users: {prometheus: " + hash + "}", whole, []string{ofConfig, ofWeb}, "null"},
		{auth + ", " + users, "{tls_server_config: {" + files + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt}, " +
			"basic_auth_users: {prometheus: " + hash + "}}", whole, []string{ofConfig, ofWeb, ofTLS}, "https"},
		{"existingSecret: mine, " + tls, "null", whole,
			[]string{ofConfig, strings.Replace(ofWeb, "dnstap-exporter-web", "mine", 1), ofTLS}, "https"},
	} {
		objects, _ := made(t, load(t), "dnstap-exporter", read(t, "web: {"+one.values+"}"))
		checkWhole(t, objects, "dnstap-exporter")
		pod := podOf(objects["Deployment dnstap-exporter"])
		check(t, pod, "--web.config.file=/etc/dnstap_exporter/web.yml", "containers", 0, "args", 1)
		check(t, pod, "{"+one.liveness+", timeoutSeconds: 5}", "containers", 0, "livenessProbe")
		check(t, pod, "{"+strings.Replace(one.liveness, "healthy", "ready", 1)+
			", timeoutSeconds: 5}", "containers", 0, "readinessProbe")
		check(t, pod, "[{"+strings.Join(one.sources, "}, {")+"}]", "volumes", 0, "projected", "sources")
		text, _ := at(objects["Secret dnstap-exporter-web"], "stringData", "web.yml").(string)
		var written any
		if err := yaml.UnmarshalStrict([]byte(text), &written); err != nil {
			t.Error(err)
		}
		check(t, written, one.secret)
		endpoint := at(objects["PodMonitor dnstap-exporter"], "spec", "podMetricsEndpoints", 0)
		check(t, endpoint, one.scheme, "scheme")
		if one.scheme == "https" {
			check(t, endpoint, "{ca: {secret: {name: tls, key: ca.crt}}, serverName: dnstap-exporter-metrics.taps.svc}", "tlsConfig")
		}
	}
	// Another password makes new pods: the exporter reads it as it starts.
	sums := map[any]bool{}
	for _, values := range []string{"{}", "web: {" + users + "}", "web: {users: {other: " + hash + "}}"} {
		objects, _ := made(t, load(t), "dnstap-exporter", read(t, values))
		sums[at(objects["Deployment dnstap-exporter"], "spec", "template", "metadata", "annotations", "checksum/config")] = true
	}
	if len(sums) != 3 {
		t.Errorf("checksums: %v", sums)
	}
}

func TestServiceAccount(t *testing.T) {
	for values, want := range map[string]string{"{create: false}": "default", "{create: false, name: mine}": "mine", "{name: mine}": "mine"} {
		objects, _ := made(t, load(t), "dnstap-exporter", read(t, "serviceAccount: "+values))
		check(t, podOf(objects["Deployment dnstap-exporter"]), want, "serviceAccountName")
		if made := objects["ServiceAccount mine"] != nil; made != (values == "{name: mine}") {
			t.Errorf("%s: a service account is made: %v", values, made)
		}
	}
}

// The exporter makes its folder in the volume, with the bounds that the configuration has; without it there is neither.
func TestArchive(t *testing.T) {
	config := func(objects map[string]object) any {
		return at(read(t, at(objects["ConfigMap dnstap-exporter"], "data", "dnstap_exporter.yml").(string)), "archive")
	}
	objects, _ := made(t, load(t), "dnstap-exporter", read(t, `{archive: {enabled: true}, config: {archive: {max_bytes: 5GiB}}}`))
	pod := podOf(objects["Deployment dnstap-exporter"])
	check(t, pod, "{name: archive, mountPath: /archive}", "containers", 0, "volumeMounts", 1)
	check(t, pod, "{name: archive, emptyDir: {}}", "volumes", 1)
	check(t, object{"archive": config(objects)}, "{folder: /archive/dnstap, max_bytes: 5GiB}", "archive")
	objects, _ = made(t, load(t), "dnstap-exporter", object{})
	pod = podOf(objects["Deployment dnstap-exporter"])
	if at(pod, "volumes", 1) != nil || at(pod, "containers", 0, "volumeMounts", 1) != nil || config(objects) != nil {
		t.Error("there is an archive, and nobody wants it")
	}
}

// The schema lets listen addresses in that suit the chart's ports, and no other ones, no key that there is not, and no
// value of another kind. Of each the error names the place.
func TestSchema(t *testing.T) {
	for _, values := range []string{
		`config: {inputs: [{name: a, tcp: "0.0.0.0:6000"}, {name: b, unix: /run/x.sock}]}`,
		`config: {web: {listen_addresses: ["[::]:9353", "127.0.0.1:9354"], timeout: 5s}}`,
		`config: {web: {config_file: ""}}`,
		`kind: DaemonSet`,
		`web: {users: {a: "` + hash + `"}, tls: {secretName: x, clientAuth: true}}`,
	} {
		if _, err := render(load(t), "dnstap-exporter", read(t, values)); err != nil {
			t.Errorf("%s: %v", values, err)
		}
	}
	for _, one := range []struct{ values, place string }{
		{`kind: StatefulSet`, "/kind"},
		{`replicas: "2"`, "/replicas"},
		{`replica: 2`, "replica"},
		{`networkPolicy: {dnsServers: []}`, "/networkPolicy/dnsServers"},
		{`fullnameOverride: Taps`, "/fullnameOverride"},
		{`nameOverride: 1a`, "/nameOverride"},
		{`config: {inputs: [{name: a, tcp: ":6001"}]}`, "/config/inputs"},
		{`config: {inputs: [{name: a, tcp: "127.0.0.1:6000"}]}`, "/config/inputs"},
		{`config: {inputs: [{name: a, unix: /run/x.sock}]}`, "/config/inputs"},
		{`config: {inputs: [{name: a, tcp: ":6000"}, {name: b, tcp: "127.0.0.1:6000"}]}`, "/config/inputs/1"},
		{`config: {inputs: [{name: a, tcp: ":6000"}, {name: b, tcp: "[::1]:9353"}]}`, "/config/inputs/1"},
		{`config: {inputs: {tcp: ":6000"}}`, "/config/inputs"},
		{`config: {web: {listen_addresses: ["127.0.0.1:9353"]}}`, "/config/web/listen_addresses"},
		{`config: {web: {listen_addresses: [":9354"]}}`, "/config/web/listen_addresses"},
		{`config: {web: {listen_addresses: []}}`, "/config/web/listen_addresses"},
		{`config: {web: {listen_addresses: ":9353"}}`, "/config/web/listen_addresses"},
		{`config: {web: {listen_addresses: [":9353", "192.0.2.1:9353"]}}`, "/config/web/listen_addresses/1"},
		{`config: {web: {listen_addresses: [":9353", ":6000"]}}`, "/config/web/listen_addresses/1"},
		{`config: {web: {config_file: /etc/web.yml}}`, "/config/web/config_file"},
		{`web: {tls: {clientAuth: true}}`, "/web/tls"},
		{`web: {tls: {secret: x}}`, "/web/tls"},
		{`web: {users: {prometheus: secret}}`, "/web/users/prometheus"},
		{`web: {users: {"a:b": "` + hash + `"}}`, "a:b"},
		{`web: {existingSecret: x, users: {a: "` + hash + `"}}`, "/web/users"},
		{`web: {existingSecret: x, tls: {secretName: x, clientAuth: true}}`, "/web/tls/clientAuth"},
		{`podLabels: {a: 1}`, "/podLabels/a"},
		{`podAnnotations: [a]`, "/podAnnotations"},
		{`serviceAccount: {automount: true}`, "/serviceAccount"},
		{`extraVolumes: {name: x}`, "/extraVolumes"},
		{`archive: {volume: data}`, "/archive/volume"},
		{`archive: {folder: /x}`, "/archive"},
		{`affinity: []`, "/affinity"},
		{`topologySpreadConstraints: {}`, "/topologySpreadConstraints"},
	} {
		_, err := render(load(t), "dnstap-exporter", read(t, one.values))
		if err == nil {
			t.Errorf("taken: %s", one.values)
		} else if !strings.Contains(err.Error(), one.place) {
			t.Errorf("%s: the error does not name %s: %v", one.values, one.place, err)
		}
	}
}

func TestLint(t *testing.T) {
	for _, values := range []object{{}, everything(t)} {
		linted := lint.AllWithKubeVersion(folder, values, "taps", &chartutil.DefaultCapabilities.KubeVersion)
		for _, message := range linted.Messages {
			if message.Severity >= support.WarningSev {
				t.Error(message)
			}
		}
	}
}
