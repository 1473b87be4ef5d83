package cgoenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Write puts a folder's flags into Go's own environment, the file that `go env GOENV` names, beside
// what the file holds; with undo it removes them. It returns the file's name. A variable in the
// program's environment overrides the file, so it is an error if one is set without the flags.
func Write(ctx context.Context, dir string, undo bool) (file string, err error) {
	names := []string{"GOENV"}
	for _, f := range Flags(dir) {
		names = append(names, f.Name)
	}
	now, err := ask(ctx, names)
	if err != nil {
		return "", err
	}
	if file = now["GOENV"]; file == "off" || file == "" {
		return "", errors.New("the environment of Go itself is turned off (GOENV=off): set the variables that tfrun env prints")
	}
	var changed, unset []string
	for _, f := range Flags(dir) {
		own, set := os.LookupEnv(f.Name)
		switch {
		case set && own != "" && !undo && !slices.Contains(fields(own), f.Value):
			return file, fmt.Errorf("%s is set in the environment, which counts more than %s: unset it, or set it as tfrun env prints", f.Name, file)
		case undo && slices.Contains([]string{"", goDefault}, f.Without(now[f.Name])):
			unset = append(unset, f.Name)
		case undo:
			changed = append(changed, f.Name+"="+f.Without(now[f.Name]))
		default:
			changed = append(changed, f.Name+"="+f.With(now[f.Name]))
		}
	}
	if len(unset) > 0 {
		err = command(ctx, append([]string{"env", "-u"}, unset...), nil)
	}
	if err == nil && len(changed) > 0 {
		err = command(ctx, append([]string{"env", "-w"}, changed...), nil)
	}
	return file, err
}

// goDefault is the value of variables that nobody has set.
const goDefault = "-O2 -g"

// ask asks Go for the values of variables, whatever this program's environment says.
func ask(ctx context.Context, names []string) (map[string]string, error) {
	values := map[string]string{}
	return values, command(ctx, append([]string{"env", "-json"}, names...), &values)
}

// command runs Go without the variables that would override its own file.
func command(ctx context.Context, args []string, answer any) error {
	c := exec.CommandContext(ctx, "go", args...)
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "CGO_CFLAGS" && name != "CGO_LDFLAGS" {
			c.Env = append(c.Env, v)
		}
	}
	out, err := c.Output()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it bare
		return fmt.Errorf("go %s: %s", args[0], strings.TrimSpace(string(exit.Stderr)))
	}
	if err == nil && answer != nil {
		err = json.Unmarshal(out, answer)
	}
	return err
}
