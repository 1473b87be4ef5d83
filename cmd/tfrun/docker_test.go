package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/getlib"
)

const dockerDir = "../../docker"

// TestDockerCommands: what the compose file and the manifests start is a command line that tfrun
// takes.
func TestDockerCommands(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(dockerDir + "/kubernetes/job-*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	list := regexp.MustCompile(`(?m)^ *(?:args|command): \[(.*)\]$`)
	for _, file := range append(files, dockerDir+"/compose.yaml") {
		found := list.FindAllStringSubmatch(readText(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s starts nothing", file)
		}
		for _, m := range found {
			words := strings.Split(strings.NewReplacer("$(INDEX)", "7", `"`, "").Replace(m[1]), ", ")
			if words[0] != "predict" {
				t.Errorf("%s: %q is not predict", file, words)
				continue
			}
			cmd := newPredictCmd(stdio{})
			if err := cmd.ParseFlags(words[1:]); err != nil {
				t.Errorf("%s: %q: %v", file, words, err)
			}
			if got := cmd.Flags().Args(); len(got) != 2 {
				t.Errorf("%s: %q names %q, want a model and a file", file, words, got)
			}
		}
	}
}

// TestDockerfile: stages and files that the Dockerfile copies from are there, and let through by
// the ignore file; what it starts from is pinned.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(readText(t, dockerDir+"/Dockerfile"), "\\\n", " ")
	allowed := strings.Fields(readText(t, dockerDir+"/Dockerfile.dockerignore"))
	var stages []string
	bases, pinned := map[string]string{}, regexp.MustCompile(`^[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$`)
	if strings.HasPrefix(text, "# syntax=") {
		t.Error("the Dockerfile is read by an image that is not pinned")
	}
	for _, line := range strings.Split(text, "\n") {
		words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return strings.HasPrefix(w, "--platform") })
		switch {
		case len(words) == 4 && words[0] == "FROM":
			from := os.Expand(words[1], func(name string) string { return bases[name] })
			if from != "scratch" && !slices.Contains(stages, from) && !pinned.MatchString(from) {
				t.Errorf("%s: starts from %q, which is not pinned by its digest", line, from)
			}
			stages = append(stages, words[3])
		case len(words) == 2 && words[0] == "ARG":
			if name, base, ok := strings.Cut(words[1], "="); ok {
				bases[name] = base
			}
		case len(words) > 2 && words[0] == "COPY" && strings.HasPrefix(words[1], "--from="):
			if from := strings.TrimPrefix(words[1], "--from="); !slices.Contains(stages, from) {
				t.Errorf("%s: no stage %q before it", line, from)
			}
		case len(words) > 2 && words[0] == "COPY":
			for _, name := range words[1 : len(words)-1] {
				name = strings.ReplaceAll(name, "${TARGETARCH}", "amd64")
				if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
					t.Errorf("%s: %v", line, err)
				}
				if top, _, _ := strings.Cut(name, "/"); !slices.Contains(allowed, "!"+top) {
					t.Errorf("%s: %s is not let through by the ignore file", line, top)
				}
			}
		}
	}
	for layer := range mayImport {
		if top, _, _ := strings.Cut(layer, "/"); !strings.Contains(text, fmt.Sprintf("\nCOPY %s/ %[1]s/\n", top)) {
			t.Errorf("the folder %s, which tfrun is built of, is not copied", top)
		}
	}
	for _, folder := range []string{"cmd", "dataset", "internal", "runner", "savedmodel", "tensor"} {
		if !strings.Contains(text, "\nCOPY "+folder+"/ "+folder+"/\n") {
			t.Errorf("%s/ is not copied, and the build needs it", folder)
		}
	}
	for _, target := range []string{"cpu", "cpu-scratch", "gpu"} {
		if !slices.Contains(stages, target) {
			t.Errorf("no target %q", target)
		}
	}
	if stages[len(stages)-1] != "cpu" {
		t.Errorf("the default target is %q, want cpu", stages[len(stages)-1])
	}
}

// TestWheels: all wheels are pinned by hash, and all targets have the TensorFlow that the rest of
// the project is built with.
func TestWheels(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`\$\{TF:-([0-9.]+)\}`).FindStringSubmatch(readText(t, "../../scripts/libtensorflow.sh"))
	if m == nil {
		t.Fatal("scripts/libtensorflow.sh names no version")
	}
	if m[1] != getlib.DefaultVersion {
		t.Errorf("scripts/libtensorflow.sh gets TensorFlow %s, tfrun lib %s", m[1], getlib.DefaultVersion)
	}
	pinned := regexp.MustCompile(`^([a-z0-9-]+)==([0-9.]+) --hash=sha256:[0-9a-f]{64}$`)
	for name, count := range map[string]int{"cpu-amd64": 1, "cpu-arm64": 1, "gpu-amd64": 10} {
		lines := strings.Split(strings.TrimSpace(readText(t, filepath.Join(dockerDir, "wheels", name+".txt"))), "\n")
		if len(lines) != count {
			t.Errorf("%s lists %d wheels, want %d", name, len(lines), count)
		}
		for _, line := range lines {
			w := pinned.FindStringSubmatch(line)
			if w == nil {
				t.Errorf("%s: %q is not pinned", name, line)
			} else if strings.HasPrefix(w[1], "tensorflow") && w[2] != m[1] {
				t.Errorf("%s: TensorFlow %s, want %s", name, w[2], m[1])
			}
		}
	}
}

// TestShellSyntax lets bash read every script of the images, the tarball and the GPU's tests.
func TestShellSyntax(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	for _, pattern := range []string{"docker/*.sh", "scripts/*.sh", "scripts/image/*.sh", "scripts/gpu/*.sh", ".ci/run"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if out, err := exec.CommandContext(t.Context(), bash, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestKubernetes: jobs mount the model to be read alone, and a policy takes the network from their
// pods.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(dockerDir + "/kubernetes/job-*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	policy := readText(t, dockerDir+"/kubernetes/network-policy.yaml")
	label := regexp.MustCompile(`matchLabels: {(app.kubernetes.io/name: [a-z]+)}`).FindStringSubmatch(policy)
	if label == nil || !strings.HasSuffix(policy, "policyTypes: [Ingress, Egress]\n") {
		t.Fatal("the policy leaves something open")
	}
	for _, file := range files {
		text := readText(t, file)
		// a policy of its own leaves the store's port open
		if own := strings.Contains(text, "kind: NetworkPolicy"); own {
			text = strings.ReplaceAll(text, "tfrun-objects}", "tfrun}")
			if !strings.Contains(text, "matchLabels: {"+label[1]) || !strings.Contains(text, "policyTypes: [Ingress, Egress]\n") {
				t.Errorf("%s: its policy leaves something open", file)
			}
		}
		for _, want := range []string{"mountPath: /model, readOnly: true}", "claimName: tfrun-model, readOnly: true}", "[predict, /model, ", "    metadata:\n      labels: {" + label[1]} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q", file, want)
			}
		}
	}
}
