"""Scalars into registers, by the operations of `actions.Op`."""

from libc.stdint cimport (
    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint64_t,
)
from libc.string cimport memcmp

from tickwire.decode._bytecode cimport (
    DICT_CHANNEL, DICT_INTERVAL, DICT_SYMBOL, FORM_STRING, OP_CHOICE, OP_CODE, REL_EQUAL,
    OP_FLAG, OP_INTEGER, OP_INTEGER32, OP_LOOKUP, OP_MEMBER_KEY, OP_NUMBER, OP_PART, OP_PART_NUMBER,
    OP_RFC3339, OP_SIGN, OP_TEXT, OP_TIME, REL_ABSENT, REL_PREFIX, REL_PRESENT, REL_SUFFIX,
    REL_UNLIKE, ActionOp,
    Range, Scalar, TestOp,
)
from tickwire.decode._numbers cimport symbol_numbered
from tickwire.decode._stage cimport (
    AGAIN, BAD_NUMBER, BAD_TEXT, BAD_TIME, DICTIONARY_FULL, NO_MEMORY, TOO_LONG,
    UNKNOWN_CHOICE, WRONG_KIND, Outcome, Stage,
)
from tickwire.decode._values cimport (
    TEXT_NULL, TEXT_STRING, TEXT_WORD, Register, Text, read_f64, read_i64,
    read_scalar, same, tw_parse_rfc3339, tw_parse_time, unescape,
)

cdef enum:
    LONGEST_CODE = 255      # bytes of a dictionary's string

cdef int64_t FIRST_US_NS = 1_000_000_000_000_000_000  # 16 digits of us: since 2001-09-09


cdef class Reader:
    """Reads the scalars of one source.

    Parameters
    ----------
    stage
        Where the registers are.
    dictionaries
        The feed's `ring.Dictionaries`.
    """

    def __cinit__(self, Stage stage, dictionaries):
        self.stage = stage
        self.program = stage.program
        self.message = &stage.message
        self.symbols = dictionaries.symbol
        self.channels = dictionaries.of("channel")
        self.sides = dictionaries.of("side")
        self.intervals = dictionaries.of("interval")

    cdef bint fail(self, Outcome outcome) noexcept nogil:
        self.message.outcome = outcome
        return False

    cdef void put(self, int register, int64_t value) noexcept nogil:
        self.message.registers[register].value.i = value
        self.message.have |= <uint64_t>1 << register

    cdef bint plain(self, Text* text) noexcept nogil:
        """Resolve a string's escapes, in the stage's scratch: valid until the next call."""
        cdef uint8_t* out
        cdef Py_ssize_t n
        if not text.escaped:
            return True
        out = self.stage.room(text.n)
        if out == NULL:
            return self.fail(NO_MEMORY)
        n = unescape(text.p, text.n, out)
        if n < 0:
            return self.fail(BAD_TEXT)
        text.p = out
        text.n = n
        text.escaped = False
        return True

    cdef bint act(self, ActionOp* action, Text* text) noexcept nogil:
        """Read one scalar into the action's register.

        Shape    one value.
        Units    float64; int64; ns since the epoch for times; codes of the feed's dictionaries.
        Returns  True, without a value in the register for null; False with `message.outcome` set.
        Threads  the loop's thread only.
        Memory   spans are borrowed from the payload; escapes are resolved in the stage's scratch.
        Source   docs/design.md, "From messages to rows": numbers, null.
        """
        if text.form == TEXT_NULL or self.read(action, text):
            return True
        return action.optional and self.stage.leave_null(action.register)

    cdef bint refuse(self, ActionOp* action) noexcept nogil:
        """An object or array where a scalar belongs: no value, or False with WRONG_KIND."""
        self.fail(WRONG_KIND)
        return action.optional and self.stage.leave_null(action.register)

    cdef bint read(self, ActionOp* action, Text* text) noexcept nogil:
        """The value of a scalar that is not null."""
        cdef Register* register = &self.message.registers[action.register]
        cdef int op = action.op
        if op == OP_TEXT:
            if text.form == TEXT_WORD:
                return self.fail(WRONG_KIND)
            register.p = text.p
            register.n = text.n
            register.escaped = text.escaped
            register.is_number = False
            self.message.have |= <uint64_t>1 << action.register
            return True
        if text.escaped and not self.plain(text):
            return False
        if op == OP_NUMBER or op == OP_PART_NUMBER:
            return self.number(action, text)
        if op == OP_INTEGER or op == OP_INTEGER32:
            return self.integer(action, text)
        if op == OP_TIME or op == OP_RFC3339:
            return self.time(action, text)
        if op == OP_CODE or op == OP_MEMBER_KEY:
            if text.form == TEXT_WORD:
                return self.fail(WRONG_KIND)
            return self.code(action, text.p, text.n)
        if op == OP_CHOICE:
            return self.choice(action, text)
        if op == OP_SIGN:
            return self.sign(action, text)
        if op == OP_PART:
            return self.part(action, text)
        if op == OP_LOOKUP:
            return self.look_up(action, text)
        if op == OP_FLAG and text.form == TEXT_WORD:
            self.put(action.register, text.p[0] == c't')
            return True
        return self.fail(WRONG_KIND)

    cdef bint number(self, ActionOp* action, Text* text) noexcept nogil:
        cdef double value
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if action.op == OP_PART_NUMBER and not self.piece(action, text):
            return True
        if text.n == 0:
            return True     # an empty string is null
        if not read_f64(text.p, text.n, &value):
            return self.fail(BAD_NUMBER)
        if action.magnitude and value < 0:
            value = -value
        self.message.registers[action.register].value.f = value
        self.message.have |= <uint64_t>1 << action.register
        return True

    cdef bint integer(self, ActionOp* action, Text* text) noexcept nogil:
        cdef int64_t value
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if text.n == 0:
            return True
        if not read_i64(text.p, text.n, &value):
            return self.fail(BAD_NUMBER)
        # |operand| is small and |value| < 2^63, so only a value at the edge can leave the range.
        if (action.operand > 0 and value > INT64_MAX - action.operand) or (
            action.operand < 0 and value < -INT64_MAX - action.operand
        ):
            return self.fail(BAD_NUMBER)
        value += action.operand
        if action.op == OP_INTEGER32 and not INT32_MIN < value <= INT32_MAX:
            return self.fail(BAD_NUMBER)
        self.put(action.register, value)
        return True

    cdef bint time(self, ActionOp* action, Text* text) noexcept nogil:
        cdef int64_t value = INT64_MIN  # gcc does not see that a good time sets it
        cdef bint good
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if text.n == 0:
            return True
        if action.op == OP_RFC3339:
            good = tw_parse_rfc3339(text.p, text.p + text.n, &value)
        else:
            good = tw_parse_time(text.p, text.p + text.n, action.operand, &value) \
                == text.p + text.n
            if not good and action.or_us:  # no count of ms that an int64 of ns can hold
                good = tw_parse_time(text.p, text.p + text.n, 1000, &value) \
                    == text.p + text.n and value >= FIRST_US_NS
        if not good or value == INT64_MIN or value > INT64_MAX - action.later_ns:
            return self.fail(BAD_TIME)
        value += action.later_ns
        self.put(action.register, value)
        return True

    cdef bint code(self, ActionOp* action, const uint8_t* p, size_t n) noexcept nogil:
        cdef int32_t code
        if n > LONGEST_CODE:
            return self.fail(TOO_LONG)
        if action.dictionary == DICT_SYMBOL:
            code = self.symbols.lookup(p, n)
            # So that its rows come last, when it is known; see "From messages to rows".
            if code >= 0 and not self.message.deferring and not self.stage.is_allowed(code):
                return self.fail(AGAIN)
        elif action.dictionary == DICT_CHANNEL:
            code = self.channels.lookup(p, n)
        elif action.dictionary == DICT_INTERVAL:
            code = self.intervals.lookup(p, n)
        else:
            code = self.sides.lookup(p, n)
        if code < 0:
            return self.fail(DICTIONARY_FULL)
        self.put(action.register, code)
        return True

    cdef bint look_up(self, ActionOp* action, Text* text) noexcept nogil:
        """The symbol that has a number on this connection."""
        cdef int64_t number
        cdef int32_t code
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if not read_i64(text.p, text.n, &number):
            return self.fail(BAD_NUMBER)
        code = symbol_numbered(self.message.sender.numbers, number)
        if code < 0:
            return self.fail(UNKNOWN_CHOICE)
        if not self.message.deferring and not self.stage.is_allowed(code):
            return self.fail(AGAIN)     # as of `code`
        self.put(action.register, code)
        return True

    cdef bint choice(self, ActionOp* action, Text* text) noexcept nogil:
        cdef Scalar* scalar
        cdef int32_t i
        for i in range(action.choices.n):
            scalar = &self.program.scalars[action.choices.first + i]
            if same(text, scalar):
                self.put(action.register, scalar.result)
                return True
        if not action.has_otherwise:
            return action.or_null or self.fail(UNKNOWN_CHOICE)
        self.put(action.register, action.otherwise)
        return True

    cdef bint sign(self, ActionOp* action, Text* text) noexcept nogil:
        cdef double value
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if not read_f64(text.p, text.n, &value):
            return self.fail(BAD_NUMBER)
        # choices: what positive means, then what negative means
        self.put(
            action.register, self.program.scalars[action.choices.first + (value < 0)].result
        )
        return True

    cdef bint piece(self, ActionOp* action, Text* text) noexcept nogil:
        """Cut a text down to its piece number `index` between separators; False: it has too few."""
        cdef const uint8_t* first = text.p
        cdef const uint8_t* end = text.p + text.n
        cdef const uint8_t* p
        cdef int wanted = action.index
        cdef int n_pieces = 1
        cdef size_t i
        if wanted < 0:
            for i in range(text.n):
                n_pieces += text.p[i] == action.separator
            wanted += n_pieces
            if wanted < 0:
                return False
        while True:
            p = first
            while p < end and p[0] != action.separator:
                p += 1
            if wanted == 0:
                break
            if p == end:
                return False
            wanted -= 1
            first = p + 1
        text.p = first
        text.n = (end if action.rest else p) - first
        return True

    cdef bint part(self, ActionOp* action, Text* text) noexcept nogil:
        """A piece of a string; too few pieces leave no value."""
        cdef uint8_t upper[LONGEST_CODE]
        cdef size_t i
        if text.form == TEXT_WORD:
            return self.fail(WRONG_KIND)
        if not self.piece(action, text):
            return True
        if text.n > LONGEST_CODE:
            return self.fail(TOO_LONG)
        if action.upper:
            for i in range(text.n):
                upper[i] = text.p[i] - 32 if c'a' <= text.p[i] <= c'z' else text.p[i]
            return self.code(action, &upper[0], text.n)
        return self.code(action, text.p, text.n)

    cdef bint matches(self, Range tests, uint64_t known) noexcept nogil:
        cdef TestOp* test
        cdef Register* register
        cdef Text text
        cdef int32_t i
        for i in range(tests.n):
            test = &self.program.tests[tests.first + i]
            if (known >> test.register) & 1:
                continue
            if not (self.message.have >> test.register) & 1:
                if test.relation != REL_ABSENT and test.relation != REL_UNLIKE:
                    return False
                continue
            if test.relation == REL_PRESENT:
                continue
            register = &self.message.registers[test.register]
            if test.relation == REL_EQUAL and test.values.n == 1 and self.is_spelled(
                register, &self.program.scalars[test.values.first]
            ):
                continue
            # An observed container is no scalar; it equals nothing.
            if not read_scalar(register.p, register.p + register.n, &text):
                text.form = TEXT_NULL
            if not self.holds(test.relation, test.values, &text):
                return False
        return True

    cdef inline bint is_spelled(self, Register* register, Scalar* scalar) noexcept nogil:
        """Whether an observed string is this text, byte for byte: what is most often so."""
        return (
            scalar.form == FORM_STRING
            and register.n == scalar.n + 2
            and register.p[0] == c'"'
            and not scalar.is_escaped
            and memcmp(register.p + 1, scalar.text, scalar.n) == 0
        )

    cdef bint matches_text(self, Range tests, Text* text) noexcept nogil:
        cdef TestOp* test
        cdef int32_t i
        for i in range(tests.n):
            test = &self.program.tests[tests.first + i]
            if not self.holds(test.relation, test.values, text):
                return False
        return True

    cdef bint holds(self, int relation, Range values, Text* text) noexcept nogil:
        cdef Scalar* scalar
        cdef bint found = False
        cdef int32_t i
        if relation == REL_ABSENT:
            return False
        if text.escaped and not self.plain(text):
            return relation == REL_UNLIKE
        for i in range(values.n):
            scalar = &self.program.scalars[values.first + i]
            if relation == REL_PREFIX or relation == REL_SUFFIX:
                found = text.form == TEXT_STRING and text.n >= scalar.n and memcmp(
                    text.p + (text.n - scalar.n if relation == REL_SUFFIX else 0),
                    scalar.text,
                    scalar.n,
                ) == 0
            else:
                found = same(text, scalar)
            if found:
                break
        return found != (relation == REL_UNLIKE)
