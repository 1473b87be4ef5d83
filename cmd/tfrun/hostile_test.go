//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
)

// hostileCase is a limit, a fault or a hostile input that tfrun has to survive: a line of the table
// in docs/hostile.md.
type hostileCase struct {
	kind string // "limit", "model", "data" or "fault"
	name string // what is tried, as the table says it
	// try does it, with the methods of h that run tfrun, and returns what came of it, as the table
	// says it. It must be the same in each run.
	try func(h *hostile) string
}

// hostileCases lists the table's lines in their order.
func hostileCases() []hostileCase {
	return slices.Concat(hostileLimits(), hostileListen(), hostileData(), hostileBombs(), hostileModels(), hostileGreed(), hostilePlaces(), hostileFields(), hostileFaults(), hostileMoments(), hostileEnds())
}

// hostileQuick lists the cases that are tried without TFRUN_HOSTILE, by kind and name: one or two
// of a sort, some 20 seconds in all. `make hostile` tries all.
var hostileQuick = []string{
	"limit: JSONL: arrays nested 500,000 deep",
	"limit: CSV: 10 million columns",
	"limit: `--pad-to` a trillion",
	"limit: `--listen`: 40 clients that each send metadata of 60 MB but for its last byte",
	"data: npy: a shape whose product overflows",
	"data: npz: a wrong checksum",
	"data: tf.Example: a feature that says it has 2^60 bytes",
	"data: JSONL: NaN and infinity",
	"data: Parquet: 2^60 rows",
	"data: Arrow: a compressed buffer that says it becomes 3 GB",
	"model: two functions that call each other",
	"model: memory: this process, and that of an isolated model, may allocate what the machine has, and no more",
	"model: a constant whose dimensions overflow",
	"model: an asset called `../../../../etc/passwd`",
	"model: `saved_model.pb` is a link to `/dev/zero`",
	"model: an honest model whose `assets/vocab.txt` is 50 GB of zeros",
	"model: checkpoint: a variable whose end overflows",
	"fault: `--isolate`: TensorFlow aborts at a row",
	"fault: two runs into one output",
	"fault: 15 open files",
}

const (
	// hostileTime is how long a run may take, hostileMemory what it may keep resident: TensorFlow
	// with a small model has 350 MiB.
	hostileTime   = 10 * time.Second
	hostileMemory = 1 << 30
)

// hostile is a case while it is tried, in a directory of its own.
type hostile struct {
	testing.TB
	dir    string        // where the runs happen; file names in arguments are relative to it
	tfrun  string        // the command
	limit  time.Duration // of a run
	memory int64         // that a run may have resident, in bytes
}

// hostileRun is what came of a run of tfrun.
type hostileRun struct {
	code   int
	stdout string
	stderr string
	errors []string // what follows "tfrun: error: " in stderr
	peak   int64    // bytes resident
}

// outcome says it in the table's words.
func (r hostileRun) outcome() string {
	if r.code == 0 {
		return "exit 0"
	}
	if r.errors == nil {
		return fmt.Sprintf("exit %d", r.code)
	}
	said := []rune(strings.Map(printable, ratio.ReplaceAllString(strings.Join(r.errors, " "), "N bytes became M,")))
	if most := 300; len(said) > most {
		said = append(said[:most:most], []rune(" …")...)
	}
	return fmt.Sprintf("exit %d: `%s`", r.code, string(said))
}

// ratio finds how far a decompressor had come: several goroutines read, and it is never the same.
var ratio = regexp.MustCompile(`\d+ bytes became \d+,`)

// printable puts U+FFFD in the place of what a table cannot show. A bar would end a cell.
func printable(r rune) rune {
	if r == '|' {
		return '/'
	}
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// file writes a file and returns its name.
func (h *hostile) file(name string, data []byte) string {
	h.Helper()
	return h.stream(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// stream writes a file that is too large to hold in memory.
func (h *hostile) stream(name string, write func(io.Writer) error) string {
	h.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		h.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		h.Fatal(err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		h.Fatal(err)
	}
	return name
}

// model names a model of testdata/models.
func (h *hostile) model(name string) string {
	h.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "testdata", "models", name, "model"))
	if err != nil {
		h.Fatal(err)
	}
	return h.link(name, dir)
}

// reviews names the example's classifier, whose rows are {"tokens": [ids]}.
func (h *hostile) reviews() string {
	h.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "examples", "reviews", "model"))
	if err != nil {
		h.Fatal(err)
	}
	return h.link("reviews", dir)
}

// link gives a directory a short name in the case's own.
func (h *hostile) link(name, dir string) string {
	h.Helper()
	if err := os.Symlink(dir, filepath.Join(h.dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		h.Fatal(err)
	}
	return name
}

// run runs tfrun to its end and checks what holds for every run: it ends by itself within the time
// and the memory, no panic, one line of error where it fails, and no file under the name of an
// output that did not become whole.
func (h *hostile) run(stdin io.Reader, args ...string) hostileRun {
	h.Helper()
	output := ""
	if i := slices.Index(args, "-o"); i >= 0 {
		output = filepath.Join(h.dir, args[i+1])
	}
	_, before := os.Lstat(output)
	cmd := h.command(args...)
	cmd.Stdin = stdin
	r := h.wait(cmd)
	if _, err := os.Lstat(output); r.code != 0 && before != nil && err == nil {
		h.Errorf("tfrun %q failed and left a file under the final name", args)
	}
	return r
}

// command prepares a run of tfrun.
func (h *hostile) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), h.tfrun, args...)
	cmd.Dir = h.dir
	return cmd
}

// wait starts cmd, waits for it, and checks that it ended well.
func (h *hostile) wait(cmd *exec.Cmd) hostileRun {
	h.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	start := time.Now()
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	stop := make(chan struct{})
	watched := make(chan int64)
	go func() { watched <- watch(cmd.Process, h.limit, h.memory, stop) }()
	err := cmd.Wait()
	close(stop)
	r := hostileRun{code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String(), peak: <-watched}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.Fatal(err)
	}
	h.check(cmd, r, time.Since(start))
	for line := range strings.Lines(r.stderr) {
		if msg, ok := strings.CutPrefix(strings.TrimSpace(line), "tfrun: error: "); ok {
			r.errors = append(r.errors, msg)
		}
	}
	if len(r.errors) > 1 || (len(r.errors) == 1) != (r.code != 0 && r.code != exitBadRows) {
		h.Errorf("tfrun %q: exit code %d with %d error lines: %s", cmd.Args[1:], r.code, len(r.errors), short(r.stderr))
	}
	return r
}

// check looks for signs of a run that ended badly.
func (h *hostile) check(cmd *exec.Cmd, r hostileRun, took time.Duration) {
	h.Helper()
	h.Logf("tfrun %q: exit code %d, %v, %d MiB: %s", cmd.Args[1:], r.code, took.Round(time.Millisecond), r.peak>>20, short(r.stderr))
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		h.Errorf("tfrun %q: ended by %v after %v with %d MiB resident: %s", cmd.Args[1:], status.Signal(), took, r.peak>>20, short(r.stderr))
	}
	if took > h.limit || r.peak > h.memory {
		h.Errorf("tfrun %q: %v and %d MiB, want at most %v and %d MiB", cmd.Args[1:], took, r.peak>>20, h.limit, h.memory>>20)
	}
	if bad := regexp.MustCompile(`(?m)^(panic|fatal error|goroutine \d+|SIG[A-Z]+|runtime)[: ]|Check failed`).FindString(r.stderr); bad != "" {
		h.Errorf("tfrun %q: %q in stderr: %s", cmd.Args[1:], bad, short(r.stderr))
	}
}

// watch samples how much memory the process has had resident, until stop is closed, and kills it
// beyond the limits.
func watch(p *os.Process, limit time.Duration, memory int64, stop <-chan struct{}) (peak int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit + time.Second)
	for {
		select {
		case <-stop:
			return peak
		case <-end:
			_ = p.Kill() // the run's time tells
		case <-tick.C:
			if peak = max(peak, resident(p.Pid)); peak > memory {
				_ = p.Kill() // peak tells
			}
		}
	}
}

// resident returns the most memory that a process has had resident. The kernel's count for children
// (ru_maxrss) would hold this process' own, too.
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10
}

// short cuts a text for a message.
func short(s string) string {
	if s = strings.TrimSpace(s); len(s) > 1000 {
		return s[:700] + " … " + s[len(s)-300:]
	}
	return s
}

// refused runs tfrun, which must fail with the exit code and with an error that holds says.
func (h *hostile) refused(code int, says string, args ...string) string {
	h.Helper()
	return h.want(h.run(nil, args...), code, says)
}

// want checks how a run ended.
func (h *hostile) want(r hostileRun, code int, says string) string {
	h.Helper()
	if r.code != code {
		h.Errorf("exit code %d, want %d: %s", r.code, code, short(r.stderr))
	}
	if len(r.errors) == 1 && !strings.Contains(r.errors[0], says) {
		h.Errorf("error %q does not hold %q", r.errors[0], says)
	}
	return r.outcome()
}

// passes runs tfrun, which must do it, and says so with the words of what.
func (h *hostile) passes(what string, args ...string) string {
	h.Helper()
	r := h.run(nil, args...)
	h.want(r, 0, "")
	return "exit 0: " + what
}

// TestHostile tries what docs/hostile.md lists, and checks the table. With -update it rewrites it.
// TFRUN_HOSTILE names the command to try; without it only [hostileQuick] is tried, on the
// command as the test has it. TFRUN_HOSTILE_SUMMARY names a file for the line that `make hostile`
// ends with.
func TestHostile(t *testing.T) {
	table := readHostileTable(t)
	cases := hostileCases()
	all := os.Getenv("TFRUN_HOSTILE") != ""
	var (
		mu       sync.Mutex
		survived int
		tried    int
		untried  []string
		outcomes = map[string]string{}
		turns    = make(chan struct{}, min(2, runtime.GOMAXPROCS(0)))
	)
	t.Run("case", func(t *testing.T) {
		for _, c := range cases {
			if !all && !slices.Contains(hostileQuick, c.key()) {
				continue
			}
			t.Run(c.kind+": "+c.name, func(t *testing.T) {
				t.Parallel()
				turns <- struct{}{}
				defer func() { <-turns }()
				outcome := ""
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case t.Skipped():
						untried = append(untried, c.name)
					case !t.Failed():
						survived++
						fallthrough
					default:
						tried++
					}
					if outcomes[c.key()] = outcome; outcome == "" || t.Failed() {
						outcomes[c.key()] = table[c.key()]
					}
				}()
				outcome = c.try(newHostile(t))
				if want := table[c.key()]; outcome != want && !*update {
					t.Errorf("docs/hostile.md says of it\n%s\nand it came out as\n%s\n(rewrite the table with: make hostile UPDATE=1)", want, outcome)
				}
			})
		}
	})
	if *update {
		writeHostileTable(t, cases, outcomes, table)
	}
	summary := fmt.Sprintf("survived %d of %d", survived, tried)
	for _, name := range untried {
		summary = fmt.Sprintf("could not be tried here: %s\n%s", name, summary)
	}
	t.Log(summary)
	if file := os.Getenv("TFRUN_HOSTILE_SUMMARY"); file != "" {
		if err := os.WriteFile(file, []byte(summary+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func (c hostileCase) key() string { return c.kind + ": " + c.name }

func newHostile(t *testing.T) *hostile {
	t.Helper()
	command, err := exec.LookPath(cmp.Or(os.Getenv("TFRUN_HOSTILE"), "tfrun"))
	if err != nil {
		t.Fatal(err)
	}
	return &hostile{TB: t, dir: t.TempDir(), tfrun: command, limit: hostileTime, memory: hostileMemory}
}

const (
	hostileFile  = "../../docs/hostile.md"
	hostileBegin = "<!-- hostile: begin (make hostile UPDATE=1 writes this table) -->\n"
	hostileEnd   = "<!-- hostile: end -->\n"
	hostileHead  = "| kind | what is tried | what comes of it |\n|---|---|---|\n"
)

// readHostileTable returns the outcomes that docs/hostile.md lists, by kind and name.
func readHostileTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(hostileFile)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(between(t, string(text)), hostileHead)) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			table[strings.TrimPrefix(cells[0], "| ")+": "+cells[1]] = strings.TrimSuffix(cells[2], " |\n")
		}
	}
	return table
}

func between(t *testing.T, text string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, hostileBegin)
	table, _, ok2 := strings.Cut(rest, hostileEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", hostileFile)
	}
	return table
}

// hostileTable is the table of the cases. A bar would end a cell.
func hostileTable(cases []hostileCase, outcomes map[string]string) string {
	var b strings.Builder
	b.WriteString(hostileHead)
	for _, c := range cases {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.kind, c.name, strings.ReplaceAll(outcomes[c.key()], "|", "/"))
	}
	return b.String()
}

// writeHostileTable puts the outcomes into docs/hostile.md; cases that were not tried keep theirs.
func writeHostileTable(t *testing.T, cases []hostileCase, outcomes, old map[string]string) {
	t.Helper()
	for key, outcome := range old {
		outcomes[key] = cmp.Or(outcomes[key], outcome)
	}
	text, err := os.ReadFile(hostileFile)
	if err != nil {
		t.Fatal(err)
	}
	was := between(t, string(text))
	now := strings.Replace(string(text), hostileBegin+was, hostileBegin+hostileTable(cases, outcomes), 1)
	if err := os.WriteFile(hostileFile, []byte(now), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestHostileTable checks that docs/hostile.md lists every case, and nothing else.
func TestHostileTable(t *testing.T) {
	text, err := os.ReadFile(hostileFile)
	if err != nil {
		t.Fatal(err)
	}
	table := readHostileTable(t)
	cases := hostileCases()
	if got, want := between(t, string(text)), hostileTable(cases, table); got != want && !*update {
		t.Errorf("the table in docs/hostile.md does not list the cases as they are; rewrite it with: make hostile UPDATE=1\n%s", want)
	}
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.key()] || strings.Contains(c.name, "|") {
			t.Errorf("case %q is there twice, or has a bar in its name", c.key())
		}
		seen[c.key()] = true
		if table[c.key()] == "" && !*update {
			t.Errorf("case %q has no outcome in docs/hostile.md", c.key())
		}
	}
	for _, key := range hostileQuick {
		if !seen[key] {
			t.Errorf("there is no case %q to try each time", key)
		}
	}
}
