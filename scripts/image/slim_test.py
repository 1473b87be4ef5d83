#!/usr/bin/env python3
"""Test docker/slim.py: two libraries that share C++ definitions behave the same after it, and hold
less.

Needs a C++ compiler; with --exports alone, and with --relr.
"""

import os
import shutil
import subprocess
import sys
import tempfile

SLIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docker/slim.py")

COMMON = r"""
#include <stdexcept>
#include <string>
#include <typeinfo>
struct Base { virtual ~Base() = default; virtual int answer() const { return 1; } };
template <class T> int &counter() { static int n; return n; }   // one in the process, whoever counts
inline thread_local int per_thread = 5;
struct Failure : std::runtime_error { using std::runtime_error::runtime_error; };
"""

FRAMEWORK = r"""
#include "common.h"
int framework_count() { return ++counter<int>(); }
const std::type_info &framework_type() { return typeid(Base); }
void framework_throw() { throw Failure("from the framework"); }
"""

CC = r"""
#include "common.h"
#include <vector>
int framework_count(); const std::type_info &framework_type(); void framework_throw();
struct Derived : Base { int answer() const override { return 42; } };
int hidden_function_of_this_library(int x) { return x + 1; }
int (*table[])(int) = {hidden_function_of_this_library, hidden_function_of_this_library};
extern "C" {
int TF_Answer() { Base *b = new Derived; int a = b->answer(); delete b; return a; }
int TF_Count() { framework_count(); return ++counter<int>(); }
int TF_Types() { return typeid(Base) == framework_type() && &typeid(Base) == &framework_type(); }
int TF_Catch() { try { framework_throw(); } catch (const Failure &f) { return std::string(f.what()) == "from the framework"; } return 0; }
int TF_Table() { volatile int i = 1; return table[i](6); }
int TF_Thread() { return ++per_thread; }
int not_of_the_interface() { return 0; }
}
// So many names that the tables take pages.
template <int N> __attribute__((noinline)) int filler() { static int n = N; return ++n; }
template <int... N> int all(std::integer_sequence<int, N...>) { return (filler<N>() + ...); }
int fill() { return all(std::make_integer_sequence<int, 2000>()); }
"""

MAIN = r"""
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
  void *l = dlopen(argv[1], RTLD_LAZY | RTLD_GLOBAL);
  if (!l) { puts(dlerror()); return 1; }
  const char *names[] = {"TF_Answer", "TF_Count", "TF_Count", "TF_Types", "TF_Catch", "TF_Table", "TF_Thread"};
  for (int i = 0; i < 7; i++) printf("%d ", ((int (*)(void))dlsym(l, names[i]))());
  printf("%s\n", dlsym(l, "not_of_the_interface") ? "visible" : "hidden");
}
"""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make(folder):
    for name, text in (("common.h", COMMON), ("framework.cc", FRAMEWORK), ("cc.cc", CC), ("main.c", MAIN)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    os.chdir(folder)
    os.mkdir("before")
    # As TensorFlow's: no notes before the tables, and something after them in their segment.
    layout = ["-Wl,--hash-style=gnu", "-Wl,-z,noseparate-code", "-Wl,--build-id=none", "-fcf-protection=none", "-Wl,-z,lazy"]
    run("g++", "-O1", "-fPIC", "-shared", "-std=c++17", *layout, "-o", "before/libframework.so", "framework.cc")
    run("g++", "-O1", "-fPIC", "-shared", "-std=c++17", *layout, "-Wl,-rpath,$ORIGIN", "-o", "before/libcc.so", "cc.cc", "-Lbefore", "-lframework")
    run("gcc", "-o", "main", "main.c", "-ldl")


def slim(folder, *options):
    os.mkdir(folder)
    partner = ["--partner", "before/libframework.so"]
    run(sys.executable, SLIM, "--exports", r"TF_\w+", *partner, "--runpath", "$ORIGIN", *options, "before/libcc.so", folder + "/libcc.so")
    run(sys.executable, SLIM, "before/libframework.so", folder + "/libframework.so")


def main():
    folder = tempfile.mkdtemp()
    try:
        make(folder)
        before = run("./main", "before/libcc.so")
        assert before == "42 2 4 1 1 7 6 visible\n", before
        for name, options in (("exports", []), ("relr", ["--relr"])):
            slim(name, *options)
            after = run("./main", name + "/libcc.so")
            assert after == before.replace("visible", "hidden"), "%s: %r, want %r" % (name, after, before)
            assert "hidden_function" not in run("nm", "-D", name + "/libcc.so"), name
            sizes = [os.path.getsize(d + "/libcc.so") for d in ("before", name)]
            assert sizes[1] < 0.8 * sizes[0], "%s: %r" % (name, sizes)
        bad = subprocess.run([sys.executable, SLIM, "main.c", "x"], capture_output=True, text=True)
        assert bad.returncode == 1 and bad.stderr.startswith("slim: error: main.c: "), bad.stderr
    except subprocess.CalledProcessError as e:
        sys.exit("%s\n%s%s" % (" ".join(e.cmd), e.stdout, e.stderr))
    finally:
        os.chdir("/")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
