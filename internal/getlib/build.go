package getlib

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// DefaultVersion is the TensorFlow that tfrun is developed with.
const DefaultVersion = "2.21.0"

// pins lists the wheels whose sha256 is known: machine, variant, version, sha256, size in MB.
// scripts/ops.py reads it too.
const pins = `
x86_64 cpu 2.15.0 f46c795177f6311c83562e05d38dc7d4618f8d3150e6902a4499b875f3f97270 207
x86_64 cpu 2.15.1 54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26 207
x86_64 cpu 2.16.1 8fde4a1a1515f3099119c2d71e1653aa6e7ae81ec58b7cb045cab5e5bb147b8b 214
x86_64 cpu 2.16.2 c855cb6bf05d32dd5928086b03a5f6b4189b63c22b95e017703cbee4291023ca 214
x86_64 cpu 2.17.0 e7f383ffe153d67de338b0fc26ab44546466ec016fe4dbff74bfd206d1894285 221
x86_64 cpu 2.17.1 4935d35d15924602605c839cb6cd5a578f89f626d8736f62065fe3a089b63b6f 221
x86_64 cpu 2.18.0 089e71746960ea581dca53401f84b3b99c8537313e337a9e5dbf97036a936f7e 230
x86_64 cpu 2.18.1 810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298 230
x86_64 cpu 2.19.0 9389305ae3012288a5e367081b6757bfb9d86d4048c69989c659830b257e1c51 252
x86_64 cpu 2.19.1 0b6d72bd09c267e7573757bd309f5b1e2cdb02577339991da751f3a1411e4dae 252
x86_64 cpu 2.20.0 cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780 259
x86_64 cpu 2.21.0 2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c 274
x86_64 gpu 2.15.0 dee8ec2b2c6c942ae65d25746e53cdc475e82d5fcbbb3009ce47f5963d69ebfc 475
x86_64 gpu 2.15.1 bb0edd69103c154245c5f209f0507355cc68ba7e4de350084bc31edc562478e4 475
x86_64 gpu 2.16.1 930c61100cce3a5cb63d30fe6776504405214e8398a26ca968222ecb8b8f9404 590
x86_64 gpu 2.16.2 d8798dea8e2281b4a0b569d9c00e7949c0090509be363da271e1ef21828bffae 591
x86_64 gpu 2.17.0 8339777b1b5ebd8ffadaa8196f786e65fbb081a371d8e87b52f24563392d8552 601
x86_64 gpu 2.17.1 68841e17e573301d8ba9192f929b8096b0b341567cb81414096305c723de68d0 601
x86_64 gpu 2.18.0 70b8dd70fa3600bfce66ab529eebb804e1f9d7c863d2f71bc8fe9fc7a1ec3976 615
x86_64 gpu 2.18.1 c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828 616
x86_64 gpu 2.19.0 390747786ac979809fa1cfcf6916220ef0bfed6b9e1b8c643b6b09184a868fe4 645
x86_64 gpu 2.19.1 8e5524eb492160576e5eeea9bb472ddc653123503f2290f83123d5ac9545750e 645
x86_64 gpu 2.20.0 481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e 621
x86_64 gpu 2.21.0 9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124 572
aarch64 cpu 2.16.1 617df9fa2d697c4bc22fa3ee87eb01d580ab1bd0438fea15c4ec2f2870c40bb0 219
aarch64 cpu 2.17.0 ca82f98ea38fa6c9e08ccc69eb6c2fab5b35b30a8999115b8b63b6f02fc69d9d 224
aarch64 cpu 2.18.0 85f1e7369af6d329b117b52e86093cd1e0458dd5404bf5b665853f873dd00b48 232
aarch64 cpu 2.19.0 c92d3ff958ac0ee0eb343f10d4055b3a2815635cb3ee0836f9b1d735c76ee098 253
aarch64 cpu 2.20.0 3e9568c8efcb05c0266be223e3269c62ebf7ad3498f156438311735f6fa5ced5 259
aarch64 cpu 2.21.0 4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c 282
`

// build is one build of TensorFlow.
type build struct {
	machine string // in the words of wheels: "x86_64", "aarch64"
	variant string // "cpu" or "gpu"
	version string // "2.21.0"
}

// name returns the folder's name for a build: cpu-2.21.0.
func (b build) name() string { return b.variant + "-" + b.version }

// system returns the folder's name for a machine: linux-x86_64.
func (b build) system() string { return "linux-" + b.machine }

// project returns the name of the build's wheels in a package index.
func (b build) project() string {
	if b.machine == "x86_64" && b.variant == "cpu" {
		return "tensorflow-cpu"
	}
	return "tensorflow"
}

// pinned returns the sha256 of the build's wheel and roughly its size in bytes; "" and 0 if they
// are not known.
func (b build) pinned() (sum string, size int64) {
	for line := range strings.Lines(pins) {
		if rest, ok := strings.CutPrefix(line, b.machine+" "+b.variant+" "+b.version+" "); ok {
			sum, mb, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, _ := strconv.ParseInt(mb, 10, 64)
			return sum, n * 1e6
		}
	}
	return "", 0
}

// OptionError says that an option makes no sense.
type OptionError struct {
	Option string // "version", "variant"
	Msg    string
}

func (e *OptionError) Error() string { return e.Option + " " + e.Msg }

// release matches the versions that tfrun runs with: 2.15.0 and later.
var release = regexp.MustCompile(`^2\.(1[5-9]|[2-9][0-9])\.[0-9]+$`)

// validate returns what is wrong with a build. It does not look whether there is a wheel of it.
func (b build) validate() error {
	switch {
	case b.variant != "cpu" && b.variant != "gpu":
		return &OptionError{"variant", fmt.Sprintf("%q: want cpu or gpu", b.variant)}
	case !release.MatchString(b.version):
		return &OptionError{"version", fmt.Sprintf("%q: want a release such as %s, 2.15.0 or later", b.version, DefaultVersion)}
	case b.variant == "gpu" && b.machine != "x86_64":
		return &OptionError{"variant", fmt.Sprintf("gpu: there is no build for GPUs for Linux on %s", b.machine)}
	}
	return nil
}

// machine returns this machine's name in wheels, or an error that says why there are no wheels for
// it.
func machine() (string, error) {
	name, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	switch {
	case runtime.GOOS != "linux":
		return "", fmt.Errorf("there is no libtensorflow for %s: use Linux, for instance in a container", runtime.GOOS)
	case !ok:
		return "", fmt.Errorf("there is no libtensorflow for Linux on %s: name one of your own with TFRUN_LIBTENSORFLOW", runtime.GOARCH)
	}
	musl, _ := filepath.Glob("/lib/ld-musl-*")
	glibc, _ := filepath.Glob("/lib*/ld-linux-*")
	if len(musl) > 0 && len(glibc) == 0 {
		return "", errors.New("libtensorflow needs glibc and this system has musl: use a glibc system, such as Debian or Fedora")
	}
	return name, nil
}

// folder returns the folder of a build below a cache folder.
func (b build) folder(cache string) string {
	return filepath.Join(cache, "libtensorflow", b.system(), b.name())
}

// whole reports whether a folder is complete: its files are those of its stamp, its links work, and
// it comes from the wheel with the wanted sha256 ("": from any).
func whole(dir, want string) bool {
	stamp, err := os.ReadFile(filepath.Join(dir, "stamp"))
	if err != nil {
		return false
	}
	first, sizes, _ := strings.Cut(strings.TrimSpace(string(stamp)), "\n")
	sum, _, _ := strings.Cut(first, " ")
	if _, err := os.Stat(filepath.Join(dir, "include", "tensorflow", "c", "c_api.h")); err != nil {
		return false
	}
	have, err := librarySizes(dir)
	return err == nil && have == sizes && (want == "" || sum == want)
}

// librarySizes returns the sizes of the two libraries, in the form of a stamp.
func librarySizes(dir string) (string, error) {
	var sizes []string
	for _, name := range linkNames {
		info, err := os.Stat(filepath.Join(dir, "lib", name))
		if err != nil {
			return "", err
		}
		sizes = append(sizes, strconv.FormatInt(info.Size(), 10))
	}
	return strings.Join(sizes, " "), nil
}

// linkNames are the names that linkers look for; fileNames are the files that they lead to.
var (
	linkNames = []string{"libtensorflow.so", "libtensorflow_framework.so"}
	fileNames = []string{"libtensorflow_cc.so.2", "libtensorflow_framework.so.2"}
)
