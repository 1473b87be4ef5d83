package tf

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tfrun/tfrun/internal/crash"
)

// Memory that the process may not count on, or may.
const (
	// roomKept stays free: the page cache holds 220 MiB of TensorFlow's code, and a process that
	// reads its code anew all the time does not end.
	roomKept = 256 << 20
	// roomLeast is what TensorFlow and a small model need.
	roomLeast = 512 << 20
	// Allocated, and not touched for long: stacks of threads, parts of heaps. Of what TensorFlow
	// has just begun to fill no more than that is taken for such.
	untouched, untouchedPerCPU = 256 << 20, 32 << 20
	// roomEvery is how often the bound is set anew, since other processes take memory and give it
	// back.
	roomEvery = time.Second
)

// bounded says that the process' memory is bounded by BoundMemory.
var bounded atomic.Bool

// Bounded reports whether BoundMemory has bounded the process' memory.
func Bounded() bool { return bounded.Load() }

// BoundMemory lets the process allocate what the machine and its control groups have, and no more
// (RLIMIT_DATA's soft limit), until stop is called. TensorFlow gets no memory then where the kernel
// would end the process. A limit of the user's stays as it is, unless inherited says that it comes
// from a process that was bounded itself; a second call does nothing before the first one's stop.
// Nothing happens where a driver for NVIDIA's GPUs is loaded, unless the device is "cpu": CUDA
// allocates more than there is. The bound is found in a goroutine: what is read for it takes half a
// millisecond.
func BoundMemory(device string, inherited bool) (stop func()) {
	nothing := func() {}
	if _, hasDriver := kernelDriver(); hasDriver && !inherited && !strings.HasPrefix(strings.ToLower(device), "cpu") {
		return nothing
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &before); err != nil || before.Cur != math.MaxUint64 && !inherited {
		return nothing
	}
	if bounded.Swap(true) {
		return nothing
	}
	stopped := make(chan struct{})
	crash.Go(func() error {
		root := os.DirFS("/")
		for is := before.Cur; ; {
			now, ok := setRoom(root, is)
			if !ok {
				return nil
			}
			is = now
			select {
			case <-stopped:
				_, err := setLimit(is, before.Cur)
				return err
			case <-time.After(roomEvery):
			}
		}
	}, func(error) { bounded.Store(false) }) // what cannot be set stays
	return func() { close(stopped) }
}

// setRoom sets the bound and returns it, unless it is another by now than it was.
func setRoom(root fs.FS, was uint64) (now uint64, ok bool) {
	limit, ok := room(root)
	if !ok {
		return 0, false
	}
	now, err := setLimit(was, limit)
	return now, err == nil
}

// setLimit sets RLIMIT_DATA's soft limit, as far as the hard one allows it. An error is, too, that
// it is another by now than it was: somebody else has set it.
func setLimit(was, limit uint64) (now uint64, err error) {
	var is unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &is); err != nil {
		return 0, err
	}
	if is.Cur != was {
		return 0, unix.EBUSY
	}
	is.Cur = min(limit, is.Max)
	return is.Cur, unix.Setrlimit(unix.RLIMIT_DATA, &is)
}

// room returns how many bytes the process may have allocated, all together. root is the root of the
// file system.
func room(root fs.FS) (uint64, bool) {
	status := counts(root, "proc/self/status")
	data, anon := status["VmData:"]<<10, status["RssAnon:"]<<10
	free, ok := available(root)
	if !ok || data == 0 || anon == 0 {
		return 0, false
	}
	taken := min(data, anon+untouched+untouchedPerCPU*uint64(runtime.NumCPU())) //nolint:gosec // a small number
	return max(taken+free-min(free, roomKept), data+roomKept/4, roomLeast), true
}

// available returns how many bytes the process can get before the kernel ends one, as it says: of
// the machine and of each control group around the process.
func available(root fs.FS) (uint64, bool) {
	machine := counts(root, "proc/meminfo")
	free, ok := machine["MemAvailable:"]
	swap := machine["SwapFree:"] << 10
	free = free<<10 + swap
	groups, _ := fs.ReadFile(root, "proc/self/cgroup") // a kernel without any
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) < 3 {
			continue
		}
		g := controlGroup{dir: "sys/fs/cgroup", limit: "memory.max", usage: "memory.current", swapLimit: "memory.swap.max", swapUsage: "memory.swap.current"}
		switch {
		case parts[1] == "memory": // of version 1
			g = controlGroup{dir: "sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", total: "total_"}
		case parts[1] != "":
			continue
		}
		// In a container the group's name may be that of the host, and its files at the top.
		for name := path.Clean("/" + parts[2]); ; name = path.Dir(name) {
			free = min(free, g.available(root, path.Join(g.dir, name), swap))
			if name == "/" {
				break
			}
		}
	}
	return free, ok
}

// controlGroup says where a version of control groups keeps its files, and what they are called.
type controlGroup struct {
	dir, limit, usage    string
	swapLimit, swapUsage string // "": swap is not bounded apart
	total                string // stands before names in memory.stat
}

// available returns how many bytes a group has for its processes, of which swap is on the disk.
func (g controlGroup) available(root fs.FS, dir string, swap uint64) uint64 {
	limit, ok := count(root, path.Join(dir, g.limit))
	if !ok {
		return math.MaxUint64
	}
	used, _ := count(root, path.Join(dir, g.usage))
	stat := counts(root, path.Join(dir, "memory.stat"))
	cached := stat[g.total+"inactive_file"] + stat[g.total+"active_file"]
	if most, ok := count(root, path.Join(dir, g.swapLimit)); ok && g.swapLimit != "" {
		used, _ := count(root, path.Join(dir, g.swapUsage))
		swap = min(swap, most-min(most, used))
	}
	used -= min(used, cached)
	return limit - min(limit, used) + swap
}

// count reads a file that holds a number. "max" is none.
func count(root fs.FS, name string) (uint64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
	return n, err == nil
}

// counts reads a file of lines that are a name and a number.
func counts(root fs.FS, name string) map[string]uint64 {
	text, _ := fs.ReadFile(root, name) // one that is not there has none
	all := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 {
			if n, err := strconv.ParseUint(words[1], 10, 53); err == nil {
				all[words[0]] = n
			}
		}
	}
	return all
}
