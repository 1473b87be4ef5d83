// Package getlib downloads libtensorflow, checks it, and puts it where programs can open it.
//
// The library comes from TensorFlow's Python wheels: tensorflow-cpu; tensorflow for GPUs; and
// tensorflow for ARM, where it has no GPU support. A wheel is a zip that holds the C library and
// its headers. It is found in the package indexes of pip's configuration, or in PyPI ([Get]),
// without Python. pip itself is called only if an index cannot be read otherwise, for instance one
// with a login in a keyring.
//
// All programs of a user share one folder, tfrun's cache, which scripts/libtensorflow.sh uses too:
//
//	lock                                       locked by whoever makes something
//	wheels/linux-x86_64/cpu-2.21.0/*.whl       the wheel; FILE.whl.part while it is being fetched
//	libtensorflow/linux-x86_64/cpu-2.21.0/     the library:
//	    lib/libtensorflow_cc.so.2, lib/libtensorflow_framework.so.2
//	    lib/libtensorflow.so, lib/libtensorflow_framework.so      names for the linker
//	    include/                                                  headers of the C API
//	    licenses/                                                 notices of third parties
//	    stamp                                    sha256 of the wheel, version, sizes
//
// A library appears there by one rename, after its wheel's sha256 and its contents were checked.
// Any of these may be deleted: the next call makes what is missing, and continues a download where
// it broke off.
package getlib
