package bench

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine describes the machine.
type Machine struct {
	Processor string `json:"processor"` // "" where the system does not say
	Cores     int    `json:"cores"`
	// Load is the load average of the minute before the measurement; -1: not known.
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

// eachLine calls f with the lines of a file until f returns false. A file that cannot be read has
// no lines.
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

// resident returns the process's resident memory in bytes, now and at its peak; 0: not known.
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

// usage is the time that processors have worked so far, in seconds.
type usage struct {
	at          time.Time
	own         float64 // for this process
	busy, steal float64 // for all processes; taken by the hypervisor
	known       bool    // busy and steal are known
}

func usageNow() usage {
	u := usage{at: time.Now(), own: processTime().Seconds()}
	const tick = 0.01 // USER_HZ is 100 for all readers of /proc in Linux
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

// Noise is what took processors during a measurement, in processors: 0.5 is half of one.
type Noise struct {
	Own    float64 `json:"own_cores"`
	Others float64 `json:"other_cores"` // other programs; -1: not known
	// Steal is what the hypervisor gave to other machines; -1: not known.
	Steal float64 `json:"steal_cores"`
}

// since returns the noise between two measurements of usage.
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
