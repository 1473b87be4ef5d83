//go:build !(amd64 || arm64 || 386 || arm || loong64 || mipsle || mips64le || ppc64le || riscv64 || wasm)

package tensor

// A tensor's bytes are the machine's own, and are promised to be little-endian.
var _ = tfrun_needs_a_little_endian_machine
