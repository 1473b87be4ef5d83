// Package getlib gets libtensorflow, checks it, and lays it out for programs that open it.
//
// The library comes from TensorFlow's Python wheels: tensorflow-cpu; tensorflow for GPUs, and for
// ARM, where that has no GPU support. A wheel is a zip that holds the C library and its headers. It
// is found in the package indexes that pip's configuration names ([Get] reads PyPI's where there is
// none), and no Python is needed; pip itself is called where an index cannot be read, such as one
// that wants a login from a keyring.
//
// Every user's programs share one folder, tfrun's cache, which scripts/libtensorflow.sh
// uses too:
//
//	lock                                       taken by whoever makes something
//	wheels/linux-x86_64/cpu-2.21.0/*.whl       the wheel; FILE.whl.part while it is being fetched
//	libtensorflow/linux-x86_64/cpu-2.21.0/     the library:
//	  lib/libtensorflow_cc.so.2, lib/libtensorflow_framework.so.2
//	  lib/libtensorflow.so, lib/libtensorflow_framework.so      names for the linker
//	  include/                                                  headers of the C API
//	  licenses/                                                 notices of third parties
//	  stamp                                    sha256 of the wheel, version, sizes
//
// A library appears there by one rename, after its wheel's sha256 and what it holds were found
// right. Deleting any of it is safe: the next call makes what is missing, and goes on with a
// download where it broke off.
package getlib
