package bench

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is what was measured on.
type Machine struct {
	Processor string `json:"processor"` // "" where the system does not say
	Cores     int    `json:"cores"`
	// of the last minute, before the measurement; -1 where it is not known
	Load float64 `json:"load_average"`
}

func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Load: -1}
	if f := firstField("/proc/loadavg"); f != "" {
		if load, err := strconv.ParseFloat(f, 64); err == nil {
			m.Load = load
		}
	}
	eachLine("/proc/cpuinfo", func(line string) bool {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == "model name" {
			m.Processor = strings.TrimSpace(value)
			return false
		}
		return true
	})
	return m
}

func firstField(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	f := strings.Fields(string(data))
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// eachLine hands the lines of a file to f until that says no. A file that cannot be read has none:
// what it would say is then not known.
func eachLine(file string, f func(line string) bool) {
	data, err := os.Open(file)
	if err != nil {
		return
	}
	defer data.Close()
	s := bufio.NewScanner(data)
	for s.Scan() && f(s.Text()) {
	}
}

// resident returns the process's resident memory in bytes, now and at its peak; 0 where the system
// does not say.
func resident() (now, peak int64) {
	eachLine("/proc/self/status", func(line string) bool {
		key, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		switch {
		case err != nil:
		case key == "VmRSS":
			now = kib << 10
		case key == "VmHWM":
			peak = kib << 10
		}
		return true
	})
	return now, peak
}

// usage is what processors have done since some time in the past, in seconds.
type usage struct {
	at          time.Time
	own         float64 // this process
	busy, steal float64 // all processes of the machine; what the hypervisor took
	known       bool    // busy and steal are
}

func usageNow() usage {
	u := usage{at: time.Now(), own: processTime().Seconds()}
	const tick = 0.01 // USER_HZ, which Linux keeps at 100 for all who read /proc
	eachLine("/proc/stat", func(line string) bool {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "cpu" {
			return false
		}
		u.known = true
		for i, name := range []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"} {
			n, err := strconv.ParseFloat(f[i+1], 64)
			switch {
			case err != nil:
				u.known = false
			case name == "steal":
				u.steal = n * tick
			case name != "idle" && name != "iowait":
				u.busy += n * tick
			}
		}
		return false
	})
	return u
}

// Noise is what else went on while something was measured, in processors: 0.5 is half of one.
type Noise struct {
	Own    float64 `json:"own_cores"`
	Others float64 `json:"other_cores"` // other programs; -1 where it is not known
	// the hypervisor gave to other machines; -1 where it is not known
	Steal float64 `json:"steal_cores"`
}

// since returns the noise between two looks at the processors.
func (u usage) since(before usage) Noise {
	wall := u.at.Sub(before.at).Seconds()
	if wall <= 0 {
		return Noise{Others: -1, Steal: -1}
	}
	n := Noise{Own: (u.own - before.own) / wall, Others: -1, Steal: -1}
	if u.known && before.known {
		n.Others = max((u.busy-before.busy)/wall-n.Own, 0)
		n.Steal = max((u.steal-before.steal)/wall, 0)
	}
	return n
}
