package tf

import (
	"fmt"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"
)

const gib = 1 << 30

// machine is the part of a file system that tells of memory. Files are pairs of a name and a text.
func machine(available, swap uint64, files ...string) fs.FS {
	root := fstest.MapFS{
		"proc/meminfo": {Data: fmt.Appendf(nil, "MemTotal:  99999999 kB\nMemAvailable:  %d kB\nSwapFree: %d kB\nHugePages_Total:  7\n", available>>10, swap>>10)},
	}
	for i := 0; i+1 < len(files); i += 2 {
		root[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return root
}

// TestAvailable: of the machine and of each control group around the process the one with the least
// counts, whichever version it is of, and wherever a container has it.
func TestAvailable(t *testing.T) {
	t.Parallel()
	const v1, v2 = "sys/fs/cgroup/memory/", "sys/fs/cgroup/"
	for _, tt := range []struct {
		name string
		root fs.FS
		want uint64
	}{
		{"no groups", machine(8*gib, 0), 8 * gib},
		{"swap", machine(8*gib, 2*gib), 10 * gib},
		{"version 2, no limit", machine(8*gib, 0, "proc/self/cgroup", "0::/a/b\n", v2+"a/b/memory.max", "max\n", v2+"a/b/memory.current", "5\n"), 8 * gib},
		{"version 2", machine(8*gib, 0, "proc/self/cgroup", "0::/a/b\n", v2+"a/b/memory.max", fmt.Sprintln(3*gib), v2+"a/b/memory.current", fmt.Sprintln(gib)), 2 * gib},
		{"the cache can be given back", machine(8*gib, 0, "proc/self/cgroup", "0::/\n", v2+"memory.max", fmt.Sprintln(3*gib), v2+"memory.current", fmt.Sprintln(gib), v2+"memory.stat", fmt.Sprintf("anon 5\ninactive_file %d\nactive_file %d\n", gib/4, gib/2)), 2*gib + 3*gib/4},
		{"a group around it has less", machine(8*gib, 0, "proc/self/cgroup", "0::/a/b/c\n", v2+"a/b/c/memory.max", fmt.Sprintln(3*gib), v2+"a/memory.max", fmt.Sprintln(gib)), gib},
		{"the host's name for the container's group", machine(8*gib, 0, "proc/self/cgroup", "0::/../kubepods/pod1\n", v2+"memory.max", fmt.Sprintln(gib)), gib},
		{"all is taken", machine(8*gib, 0, "proc/self/cgroup", "0::/\n", v2+"memory.max", "100\n", v2+"memory.current", "300\n"), 0},
		{"swap, but not for the group", machine(8*gib, 4*gib, "proc/self/cgroup", "0::/\n", v2+"memory.max", fmt.Sprintln(gib), v2+"memory.swap.max", "0\n"), gib},
		{"a little swap for the group", machine(8*gib, 4*gib, "proc/self/cgroup", "0::/\n", v2+"memory.max", fmt.Sprintln(gib), v2+"memory.swap.max", fmt.Sprintln(gib), v2+"memory.swap.current", fmt.Sprintln(gib/2)), gib + gib/2},
		{"version 1", machine(8*gib, 0, "proc/self/cgroup", "12:cpu,cpuacct:/\n9:memory:/docker/1\n", v1+"docker/1/memory.limit_in_bytes", fmt.Sprintln(2*gib), v1+"docker/1/memory.usage_in_bytes", fmt.Sprintln(gib), v1+"docker/1/memory.stat", fmt.Sprintln("inactive_file 77\ntotal_inactive_file", gib/2)), gib + gib/2},
		{"version 1, in a container", machine(8*gib, 0, "proc/self/cgroup", "9:memory:/docker/1\n0::/\n", v1+"memory.limit_in_bytes", fmt.Sprintln(gib)), gib},
		{"version 1, no limit", machine(8*gib, 0, "proc/self/cgroup", "9:memory:/\n", v1+"memory.limit_in_bytes", "9223372036854771712\n", v1+"memory.usage_in_bytes", fmt.Sprintln(gib)), 8 * gib},
		{"what is no list of groups", machine(8*gib, 0, "proc/self/cgroup", "\n:\n::\nmemory\n9:memory:\n"), 8 * gib},
	} {
		if got, ok := available(tt.root); got != tt.want || !ok {
			t.Errorf("%s: %d, %v, want %d", tt.name, got, ok, tt.want)
		}
	}
	if got, ok := available(fstest.MapFS{}); ok {
		t.Errorf("no /proc: %d", got)
	}
}

// TestRoom: what is allocated and not touched counts as taken, but for what stacks and heaps have
// so; something is kept free; and what is allocated already stays within the bound.
func TestRoom(t *testing.T) {
	t.Parallel()
	stacks := uint64(untouched + untouchedPerCPU*runtime.NumCPU())
	for _, tt := range []struct {
		name             string
		data, anon, free uint64
		want             uint64
	}{
		{"at the start", gib / 8, gib / 8, 8 * gib, gib/8 + 8*gib - roomKept},
		{"some is not touched", gib/8 + stacks/2, gib / 8, 8 * gib, gib/8 + stacks/2 + 8*gib - roomKept},
		{"a tensor is being filled", 6 * gib, 2 * gib, 6 * gib, 2*gib + stacks + 6*gib - roomKept},
		{"nothing is left", 6 * gib, 6 * gib, 0, 6*gib + roomKept/4},
		{"a small machine", gib / 8, gib / 8, gib / 8, roomLeast},
	} {
		status := fmt.Sprintf("Name:\ttfrun\nRssAnon:\t%d kB\nVmData:\t %d kB\n", tt.anon>>10, tt.data>>10)
		if got, ok := room(machine(tt.free, 0, "proc/self/status", status)); got != tt.want || !ok {
			t.Errorf("%s: %d MiB, %v, want %d", tt.name, got>>20, ok, tt.want>>20)
		}
	}
	if got, ok := room(machine(gib, 0, "proc/self/status", "Name:\ttfrun\n")); ok {
		t.Errorf("a kernel that does not say: %d", got)
	}
}
