"""Targets in Python: libFuzzer calls them by way of `run`; common.pyx has the rules.

atheris writes calls of its `_trace_branch` and `_trace_cmp` into the code of Python modules. Its
own are bound by pybind11, which allocates memory for every call; under the address sanitizer that
takes several times as long as all else. Those of this module count the same.
"""

from cpython.object cimport PyObject_RichCompare
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libc.string cimport memcmp

from common cimport fail_with_traceback

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

ctypedef void (*CompareIntegers)(uint64_t a, uint64_t b) noexcept
ctypedef void (*CompareTexts)(
    const void* place, const void* a, const void* b, size_t n, int result
) noexcept

cdef object target = None
cdef str target_name = ""
cdef uint8_t* counters = NULL  # of coverage.c
cdef size_t last_counter = 0
cdef CompareIntegers compare_integers = NULL
cdef CompareIntegers compare_with_constant = NULL
cdef CompareTexts compare_texts = NULL


def use(name, function):
    """Say which target `run` calls."""
    global target, target_name
    target, target_name = function, name


def connect(uintptr_t table, size_t n_counters, uintptr_t integers, uintptr_t constant,
            uintptr_t texts):
    """Take the table of coverage.c, whose size is a power of two, and functions of libFuzzer."""
    global counters, last_counter, compare_integers, compare_with_constant, compare_texts
    counters = <uint8_t*> <void*> table
    last_counter = n_counters - 1
    compare_integers = <CompareIntegers> <void*> integers
    compare_with_constant = <CompareIntegers> <void*> constant
    compare_texts = <CompareTexts> <void*> texts


def trace_branch(size_t index):
    """Count a basic block."""
    counters[index & last_counter] += 1


def trace_cmp(left, right, int how, size_t index, bint is_constant):
    """Compare as `how`, one of Py_LT to Py_GE, says; libFuzzer sees with what."""
    if type(left) is int and type(right) is int:
        show_integers(left, right, is_constant)
    elif type(left) is bytes and type(right) is bytes:
        show_texts(left, len(<bytes> left), right, len(<bytes> right))
    elif type(left) is str and type(right) is str and left.isascii() and right.isascii():
        show_strings(left, right)
    return PyObject_RichCompare(left, right, how)


cdef void show_integers(left, right, bint is_constant):
    cdef uint64_t mask = 0xFFFFFFFFFFFFFFFF
    cdef CompareIntegers show = compare_with_constant if is_constant else compare_integers
    show(left & mask, right & mask)


cdef void show_strings(str left, str right):
    cdef Py_ssize_t n_left = 0, n_right = 0
    cdef const char* of_left = PyUnicode_AsUTF8AndSize(left, &n_left)
    cdef const char* of_right = PyUnicode_AsUTF8AndSize(right, &n_right)
    show_texts(of_left, n_left, of_right, n_right)


cdef void show_texts(const char* left, Py_ssize_t n_left, const char* right, Py_ssize_t n_right):
    cdef size_t n = <size_t> min(n_left, n_right)
    cdef int result = memcmp(left, right, n)
    if result:
        compare_texts(NULL, left, right, n, result)


cdef int run(const uint8_t* data, size_t n) noexcept:
    try:
        target((<const char*> data)[:n])
    except BaseException:
        fail_with_traceback(f"{target_name}: an exception")
    return 0


ADDRESS = <uintptr_t> <void*> run
