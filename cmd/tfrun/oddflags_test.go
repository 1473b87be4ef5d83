package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/runner"
)

// TestOddValues gives each flag of the commands that read a model values that people type by
// mistake, or that look empty: one line says what is wanted, if that. None is a fault.
func TestOddValues(t *testing.T) {
	model, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", "k3_compiled", "model"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // some values name a file that is written
	const rows = "rows.jsonl"
	if err := os.WriteFile(rows, []byte(`{"keras_tensor":[1,2,3,4]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"shapes", model}, {"scan", model}, {"doctor", model}}
	if runner.HasTensorFlow {
		commands = append(commands, []string{"predict", model, rows})
	}
	for _, given := range commands {
		cmd, _, err := newRootCmd(stdio{}).Find(given[:1])
		if err != nil {
			t.Fatal(err)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range []string{"", "-", "=", "-1"} {
				args := append(slices.Clone(given), "--"+f.Name+"="+value)
				var said bytes.Buffer
				_, last := execute(t.Context(), args, stdio{in: strings.NewReader(""), out: io.Discard, err: &said})
				last()
				if text := said.String(); strings.Contains(text, "tfrun has a fault") {
					t.Errorf("%q: %s", args[2:], text)
				}
			}
		})
	}
}
