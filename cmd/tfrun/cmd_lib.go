package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/internal/cache"
	"github.com/tfrun/tfrun/internal/getlib"
	"github.com/tfrun/tfrun/runner"
)

const libLong = `Gets libtensorflow into tfrun's cache, where tfrun and programs that use package runner find it:
fetches the wheel of TensorFlow from the package index that pip's configuration names (PyPI where
there is none), checks its sha256, takes the library and the headers out, and looks whether the
library works. Python is not needed. The next time it is there at once. An interrupted download
goes on where it broke off.

The folder that holds lib/ and include/ is printed on stdout, what is done on stderr.`

const libExample = `  tfrun lib                      # 274 MB once, 850 MB unpacked
  tfrun lib --variant gpu        # finds CUDA's libraries at run time
  tfrun lib --version 2.20.0
  tfrun lib --wheel tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl
  export TFRUN_LIBTENSORFLOW="$(tfrun lib --path)" # fetches nothing`

func newLibCmd(std stdio) *cobra.Command {
	var o getlib.Options
	var path bool
	cmd := &cobra.Command{
		Use:     "lib",
		Short:   "get libtensorflow, without Python",
		Long:    libLong,
		Example: libExample,
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLib(cmd.Context(), o, path, std)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Version, "version", "", "TensorFlow's `VERSION`, 2.15.0 or later (default "+getlib.DefaultVersion+")")
	flags.StringVar(&o.Variant, "variant", "", "`cpu` or gpu: the build (default cpu)")
	flags.StringVar(&o.Wheel, "wheel", "", "take the wheel `FILE` instead of downloading one")
	flags.StringVar(&o.SHA256, "sha256", "", "take `HEX` for the wheel's sha256 instead of the one that tfrun knows: for a build of your own")
	flags.StringVar(&o.Cache, "cache", "", "keep it below `DIR` (default $TFRUN_CACHE, or tfrun in the user's folder for caches)")
	flags.BoolVar(&path, "path", false, "say where the library is and fetch nothing")
	must(cmd.RegisterFlagCompletionFunc("variant", cobra.FixedCompletions([]string{"cpu", "gpu"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.MarkFlagDirname("cache"))
	must(cmd.MarkFlagFilename("wheel", "whl"))
	return cmd
}

func runLib(ctx context.Context, o getlib.Options, path bool, std stdio) error {
	if o.Cache == "" {
		dir, err := cache.Dir()
		if err != nil {
			return err
		}
		o.Cache = dir
	}
	bar := &bytesBar{std: std, start: time.Now()}
	o.Say = func(format string, args ...any) {
		bar.clear()
		std.note(format, args...)
	}
	o.Progress, o.Stderr = bar.show, std.err
	if runner.HasTensorFlow {
		o.Try = tryLibrary
	}
	var lib getlib.Library
	var err error
	if path {
		lib, err = getlib.Find(o)
	} else {
		lib, err = getlib.Get(ctx, o)
	}
	bar.clear()
	var option *getlib.OptionError
	if errors.As(err, &option) {
		return usagef("tfrun lib", "--%s %s", option.Option, option.Msg)
	}
	if err != nil {
		return err
	}
	if !path {
		std.note("TensorFlow %s (%s) is ready", lib.Version, lib.Variant)
	}
	_, err = fmt.Fprintln(std.out, lib.Dir)
	return err
}

// tryLibrary opens a library in a new process and computes with it, and returns the library's
// version.
func tryLibrary(ctx context.Context, dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "doctor", "--format", "json")
	cmd.Env = append(os.Environ(), "TFRUN_LIBTENSORFLOW="+dir)
	cmd.Stdout, cmd.Stderr = &out, &errs
	failure := cmd.Run()
	var d diagnosis
	err = json.Unmarshal(out.Bytes(), &d)
	if err == nil && d.Library != nil {
		return d.Library.Version, nil
	}
	for line := range strings.Lines(errs.String()) {
		if text, ok := strings.CutPrefix(line, "tfrun: error: "); ok {
			return "", errors.New(strings.TrimSpace(text))
		}
	}
	return "", cmp.Or(failure, err, errors.New("tfrun doctor says nothing of it"))
}

// bytesBar shows on a terminal how many bytes are done.
type bytesBar struct {
	std   stdio
	what  string
	start time.Time // of the current step
	begun int64     // bytes that were there at its start
	drawn time.Time // zero: nothing is on the line
}

func (b *bytesBar) show(what string, done, total int64) {
	now := time.Now()
	if what != b.what || done < b.begun {
		b.what, b.start, b.begun = what, now, done
	}
	width, ok := terminal(b.std.err)
	if !ok || now.Sub(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = now
	line := fmt.Sprintf("tfrun: %s %d MB", what, done/1e6)
	if total > 0 {
		line = fmt.Sprintf("tfrun: %s %d of %d MB", what, done/1e6, total/1e6)
	}
	if took := now.Sub(b.start).Seconds(); took > 0.5 {
		line += fmt.Sprintf(", %.1f MB/s", float64(done-b.begun)/1e6/took)
	}
	fmt.Fprintf(b.std.err, "\r\x1b[K%.*s", max(width-1, 0), line)
}

func (b *bytesBar) clear() {
	if !b.drawn.IsZero() {
		fmt.Fprint(b.std.err, "\r\x1b[K")
		b.drawn = time.Time{}
	}
}
