"""Lines of Cython are found in the generated C, and ran where the C after their marker did."""

import pytest
from tests.coverage.gcov import Lines, of_module

GENERATED = """
  /* "tickwire/wire/_x.pyx":7
 *     cdef int n = 0
 *     if size < 2:             # <<<<<<<<<<<<<<
 *         return 1
*/
  __Pyx_TraceLine(7,1,0,__PYX_ERR(0, 7, __pyx_L1_error))
  __pyx_t_1 = (__pyx_v_size < 2);
  if (__pyx_t_1) {

    /* "tickwire/wire/_x.pyx":8
 *     if size < 2:
 *         return 1             # <<<<<<<<<<<<<<
*/
    __Pyx_TraceLine(8,2,0,__PYX_ERR(0, 8, __pyx_L1_error))
    __pyx_r = 1;
    goto __pyx_L0;

    /* "tickwire/wire/_x.pyx":7
 *     if size < 2:             # <<<<<<<<<<<<<<
*/
  }

  /* "tickwire/wire/_y.pxd":30
 *     return x             # <<<<<<<<<<<<<<
*/
  __Pyx_TraceLine(30,3,1,__PYX_ERR(0, 30, __pyx_L1_error))
  __pyx_r = __pyx_v_x;

  /* "tickwire/wire/_x.pyx":12
 * cdef int other():             # <<<<<<<<<<<<<<
*/
  __Pyx_TraceLine(12,4,0,__PYX_ERR(0, 12, __pyx_L1_error))

  /* "tickwire/wire/_x.pyx":1
 * cimport cython             # <<<<<<<<<<<<<<
*/
  __pyx_t_2 = 0;
""".splitlines()
CODE = [n for n, text in enumerate(GENERATED, 1) if text.endswith((";", "{"))]


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(GENERATED, 1) if text in line)


def test_a_line_ran_if_the_first_code_after_its_marker_did() -> None:
    counts = dict.fromkeys(CODE, 0) | {line_of("__pyx_v_size"): 3, line_of("__pyx_v_x"): 1}
    assert list(of_module(GENERATED, counts)) == [
        ("ext/tickwire/wire/_x.pyx", 7, True),
        ("ext/tickwire/wire/_x.pyx", 8, False),
        ("ext/tickwire/wire/_y.pxd", 30, True),
    ]


def test_a_declaration_has_no_code_and_is_no_line() -> None:
    found = {line for _, line, _ in of_module(GENERATED, dict.fromkeys(CODE, 1))}
    assert found == {7, 8, 30}


@pytest.mark.parametrize(
    ("can_run", "ran", "missing"),
    [({1, 2, 3}, {1, 2, 3}, ""), ({1, 2, 4, 7, 9}, {1, 7}, "2-4, 9"), ({-5, 3}, {3}, "-5")],
)
def test_what_did_not_run_is_said_in_ranges(can_run: set[int], ran: set[int], missing: str) -> None:
    assert Lines(can_run, ran).missing == missing
